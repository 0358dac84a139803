//! Our certificate towards a registry, where it lies: one that takes its place is shown without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::standing::agencies_of;
use super::upstream::own_or;
use crate::adapters::enrolment;
use crate::adapters::registry::OwnKey;
use crate::adapters::tls::material::{certificates_in, own_key};
use crate::config::Config;

/// Its files, and what shows it.
#[derive(Clone)]
pub(super) struct OwnPair {
    /// Under which the metric tells it.
    pub(super) name: &'static str,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) shown: Arc<OwnKey>,
    /// How names begin that it must not bear.
    agencies: String,
}

impl OwnPair {
    /// That for the registry of the decrees, and that for the people's, if it has one of its own.
    pub(super) fn all(config: &Config) -> Vec<Self> {
        let part = &config.registry;
        let of = |name, certificate, key| Self { name, certificate, key, shown: Arc::default(), agencies: agencies_of(config) };
        let mut all = vec![of("registry-client", part.certificate.clone(), part.key.clone())];
        let people = part.people.as_ref().filter(|people| people.certificate.is_some() || people.key.is_some());
        all.extend(people.map(|people| {
            of("people-client", own_or(people.certificate.as_ref(), &part.certificate), own_or(people.key.as_ref(), &part.key))
        }));
        all
    }

    /// Shows what lies there now, if that is another pair; whatever is no good leaves the one in use.
    pub(super) fn renew(&self) {
        match self.renewed() {
            Ok(false) => {}
            Ok(true) => tracing::info!(of = self.name, "a new certificate of ours is shown to the registry"),
            Err(error) => {
                metrics::counter!("estelam_alarms_total", "alarm" => "client-certificate-refused").increment(1);
                tracing::error!(of = self.name, "the new certificate of ours is not used, the one before is still shown: {error}");
            }
        }
    }

    /// Whether another one is shown now.
    fn renewed(&self) -> Result<bool, String> {
        let pem = read(&self.certificate)?;
        let chain = certificates_in(&self.certificate, &pem).map_err(|error| error.to_string())?;
        if chain == self.shown.chain() {
            return Ok(false);
        }
        let bears_an_agencys_name = |name: &String| name.starts_with(&self.agencies);
        let leaf = chain.first().and_then(|leaf| enrolment::of_der(leaf));
        if leaf.is_some_and(|leaf| leaf.uris.iter().any(bears_an_agencys_name)) {
            return Err("it bears an agency's name".to_owned());
        }
        // Which of the two files is not what it must be, reading them as a pair says.
        own_key(&self.certificate, &self.key).map_err(|error| error.to_string())?;
        self.shown.renew(&pem, &read(&self.key)?).map_err(|error| error.to_string())
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    std::fs::read(path).map(Zeroizing::new).map_err(|error| format!("cannot read `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::adapters::clock::ManualClock;
    use crate::adapters::pki::DevPki;
    use crate::config::template;
    use crate::core::domain::agency::AgencyId;

    #[test]
    fn certificate_that_takes_the_place_of_ours_is_shown_and_what_is_no_good_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let config = Config::parse(&template(any, any, any, 8446, 600), &dir.path().join("estelam.toml")).unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-23T10:00:00Z".parse().unwrap()));
        let pki = DevPki::create_or_open(&dir.path().join("pki"), clock).unwrap();
        let own = OwnPair::all(&config).remove(0);
        std::fs::create_dir_all(own.certificate.parent().unwrap()).unwrap();
        let put = |from: &Path, to: &Path| {
            std::fs::copy(from, to).unwrap();
        };
        let leaf = || own.shown.chain()[0].clone();
        let (first, second) = (pki.issue_server("one").unwrap(), pki.issue_server("two").unwrap());
        put(&first.cert, &own.certificate);
        put(&first.key, &own.key);
        own.renew();
        let before = leaf();
        // Half of the new pair is there.
        put(&second.cert, &own.certificate);
        own.renew();
        assert_eq!(leaf(), before);
        put(&second.key, &own.key);
        own.renew();
        let after = leaf();
        assert_ne!(after, before);
        let bank = pki.issue_agency(&AgencyId::parse("bank").unwrap(), None).unwrap();
        put(&bank.cert, &own.certificate);
        put(&bank.key, &own.key);
        own.renew();
        assert_eq!(leaf(), after, "an agency would be taken for us");
        std::fs::remove_file(&own.certificate).unwrap();
        own.renew();
        assert_eq!(leaf(), after);
    }
}
