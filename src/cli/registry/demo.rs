//! Filling the registry of a demo: the fixture people and decrees, two officials, and a generated population. Once.

use std::path::Path;

use rcgen::{KeyPair, PKCS_ED25519};

use super::{schemes_in, services_in, store_dir};
use crate::adapters::clock::SystemClock;
use crate::cli::place::write_private;
use crate::cli::{CliError, Failure};
use crate::core::domain::clock::Clock;
use crate::registry::decrees::{self, OfficialKey, Officials};
use crate::registry::store::Store;
use crate::registry::{DEMO_DECREES, generate, holder, import_demo_people};

/// The demo's two officials; their private keys lie in `pki/officials/`.
const OFFICIALS: [&str; 2] = ["first-official", "second-official"];

/// Fills an empty registry with the fixtures, the decrees and `people` generated people; a filled one is left alone.
pub(in crate::cli) fn fill(dir: &Path, people: u64, seed: u64) -> Result<(), CliError> {
    let (store, policies) = (Store::open(&store_dir(dir)).doing("the registry's store")?, dir.join("policies"));
    let [first, second] = OFFICIALS.map(|name| official(dir, name));
    let (first, second) = (first?, second?);
    if store.persons().doing("the registry's store")? == 0 {
        generate::run(&store, people, seed, &mut |_, _| ()).doing("the generated people")?;
    }
    import_demo_people(&store, &schemes_in(Some(&policies))?).doing("the fixture people")?;
    let known = Officials::load(&store_dir(dir)).doing("the officials")?;
    decrees::seed(&store, &known, &services_in(Some(&policies))?, DEMO_DECREES, &first, &second).doing("the decrees").map(drop)
}

/// The SIM of the first fixture, to try a holder's view with: the number is made up.
pub(in crate::cli) fn register_sim(dir: &Path) -> Result<(), CliError> {
    let store = Store::open(&store_dir(dir)).doing("the registry's store")?;
    holder::register(&store, "amayesh-no", "A170000001", "+989990000001", SystemClock.now()).doing("the fixture's SIM")
}

fn official(dir: &Path, name: &str) -> Result<OfficialKey, CliError> {
    let folder = dir.join("pki").join("officials");
    std::fs::create_dir_all(&folder).doing(format_args!("cannot make `{}`", folder.display()))?;
    let path = folder.join(format!("{name}.pem"));
    if !path.exists() {
        if store_dir(dir).join("officials").join(format!("{name}.pub.pem")).exists() {
            let path = path.display();
            return Err(CliError::failed(format_args!(
                "`{path}` is missing though decrees may be signed with it; restore it, or start anew in another folder with `--dir`"
            )));
        }
        let key = KeyPair::generate_for(&PKCS_ED25519).doing("an official's key")?;
        write_private(&path, key.serialize_pem().as_bytes())?;
    }
    let key = OfficialKey::read(&path).doing("an official's key")?;
    let known = Officials::load(&store_dir(dir)).doing("the officials")?;
    if known.name_of(&key).is_err() {
        Officials::enrol(&store_dir(dir), name, &key).doing("an official's key")?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn lost_key_of_an_official_is_not_replaced_under_the_same_name() {
        let dir = tempfile::tempdir().unwrap();
        let [name, _] = OFFICIALS;
        official(dir.path(), name).unwrap();
        let public = store_dir(dir.path()).join("officials").join(format!("{name}.pub.pem"));
        let before = std::fs::read(&public).unwrap();
        std::fs::remove_file(dir.path().join("pki/officials").join(format!("{name}.pem"))).unwrap();
        let error = official(dir.path(), name).map(drop).unwrap_err();
        assert!(error.to_string().contains("is missing"), "{error}");
        assert_eq!(std::fs::read(&public).unwrap(), before);
    }
}
