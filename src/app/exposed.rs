//! What everybody on the machine could change is not believed: roots, revocation lists, policies and whatever else decides who gets in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::StartError;
use crate::config::Config;

/// Folders below a folder that are looked into: agencies and cases below the policies, certificates below an agency's register.
const DEPTH: u8 = 3;
/// Others may write.
const WORLD_WRITABLE: u32 = 0o002;

/// Refuses a gateway's files that everybody can write.
///
/// # Errors
/// Each of them, with what to do.
pub(super) fn refuse_world_writable(config: &Config) -> Result<(), StartError> {
    let people = config
        .registry
        .people
        .iter()
        .flat_map(|people| [&people.ca, &people.intermediates, &people.crls].into_iter().flatten().chain([&people.registry_keys]));
    // Whoever puts another key there is who trail keys are sealed to; whoever opens a case opens trails.
    let trails = config.holder.iter().flat_map(|holder| [&holder.public_key, &holder.deferrals]);
    let trails = trails.chain([&config.ledger.dpo_public_key, &config.audit.cases]);
    let people = people.chain(trails).chain(&config.ledger.witness_key);
    let trusted = [
        &config.file,
        &config.tls.client_ca,
        &config.tls.client_intermediates,
        &config.tls.crls,
        &config.registry.ca,
        &config.registry.intermediates,
        &config.registry.crls,
        &config.policies,
        &config.authority,
        &config.enrolment,
        &config.cutoff,
        &config.keys,
        &config.ledger.holds,
        &config.ledger.purge_orders,
    ];
    let issuers = config.issuers.iter().flat_map(|issuer| std::iter::once(&issuer.ca).chain(&issuer.crls));
    let further = config.tls.server_ca.iter().chain(config.events.as_ref().map(|events| &events.keys));
    let all = trusted.into_iter().chain(people).chain(issuers).chain(further);
    let mut found = Vec::new();
    all.for_each(|path| look(path, DEPTH, &mut found));
    // The log itself is large; its folder decides what may lie there.
    for folder in [Some(&*config.ledger.dir), config.cutoff.parent()].into_iter().flatten() {
        look(folder, 0, &mut found);
    }
    found.sort();
    found.dedup();
    let lines: Vec<_> = found.iter().map(|path| said(path)).collect();
    if lines.is_empty() { Ok(()) } else { Err(StartError(lines.join("\n"))) }
}

fn said(path: &Path) -> String {
    format!("`{}` can be written by everybody; see whether it was changed, then run `chmod o-w` on it", path.display())
}

/// What cannot be looked at is not there yet, or whoever reads it says so.
fn look(path: &Path, depth: u8, found: &mut Vec<PathBuf>) {
    let Ok(metadata) = fs::metadata(path) else { return };
    if metadata.permissions().mode() & WORLD_WRITABLE != 0 {
        found.push(path.to_owned());
    }
    if metadata.is_dir() && depth > 0 {
        fs::read_dir(path).into_iter().flatten().flatten().for_each(|entry| look(&entry.path(), depth - 1, found));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::template;

    /// One of ours with a witness and another registry of people.
    fn config(dir: &Path) -> Config {
        let any = "127.0.0.1:0".parse().unwrap();
        let people = "[registry.people]\nprotocol = \"spdci\"\nurl = \"https://social.example\"\nsender_id = \"a\"\nreceiver_id = \"b\"\n\
                      signing_key = \"sign.key\"\nregistry_keys = \"people.jwks.json\"\n[registry.people.identifiers]\nyekta = \"UIN\"\n";
        let text = template(any, any, any, 1, 1).replace("[ledger]\n", "[ledger]\nwitness_key = \"witness.pub\"\n") + people;
        Config::parse(&text, &dir.join("estelam.toml")).unwrap()
    }

    #[test]
    fn what_everybody_could_change_keeps_the_gateway_from_starting() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path());
        refuse_world_writable(&config).unwrap();
        let holder = config.holder.clone().unwrap();
        let files = [
            dir.path().join("estelam.toml"),
            config.ledger.dpo_public_key.clone(),
            holder.public_key.clone(),
            dir.path().join("people.jwks.json"),
            dir.path().join("witness.pub"),
            config.audit.cases.join("c-1.json"),
            holder.deferrals.join("order-1.json"),
            config.tls.client_ca.clone(),
            config.tls.crls.join("root.crl.pem"),
            config.cutoff.clone(),
            config.policies.join("agencies/bank.toml"),
            config.policies.join("permits.cedar"),
            config.enrolment.join("bank/register.json"),
        ];
        for file in &files {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        fs::create_dir_all(&config.ledger.dir).unwrap();
        refuse_world_writable(&config).unwrap();
        let folders = [
            config.tls.crls.clone(),
            config.policies.join("agencies"),
            config.ledger.dir.clone(),
            config.audit.cases.clone(),
            holder.deferrals,
        ];
        for path in files.iter().chain(&folders) {
            let before = fs::metadata(path).unwrap().permissions();
            fs::set_permissions(path, fs::Permissions::from_mode(before.mode() | 0o002)).unwrap();
            let said = refuse_world_writable(&config).unwrap_err().to_string();
            assert!(said.lines().count() == 1 && said.contains(&path.display().to_string()) && said.contains("chmod o-w"), "{said}");
            fs::set_permissions(path, before).unwrap();
        }
        refuse_world_writable(&config).unwrap();
    }
}
