//! What others on the machine could change is not believed: roots, revocation lists, policies and whatever else decides who gets in.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::StartError;
use crate::config::Config;

/// Folders below a folder that are looked into: agencies and cases below the policies, certificates below an agency's register.
const DEPTH: u8 = 3;
/// The group may write.
const GROUP_WRITABLE: u32 = 0o020;
/// Others may write.
const WORLD_WRITABLE: u32 = 0o002;
/// In such a folder nobody renames or removes what is another's.
const STICKY: u32 = 0o1000;
/// The group of root.
const ROOT: u32 = 0;

/// Who could change a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Writer {
    Everybody,
    Group,
}

/// Refuses a gateway's files that others can write, or lie in a folder where others can put something else in their place.
///
/// # Errors
/// Each of them, with what to do.
pub(super) fn refuse_exposed(config: &Config) -> Result<(), StartError> {
    refuse_for(config, rustix::process::getegid().as_raw())
}

/// For a service of this group.
fn refuse_for(config: &Config, own_group: u32) -> Result<(), StartError> {
    let all = believed(config);
    let mut look = Look { own_group, found: BTreeSet::new() };
    for path in &all {
        look.at(path, DEPTH);
        look.around(path);
    }
    // The log itself is large; its folder decides what may lie there.
    look.at(&config.ledger.dir, 0);
    look.around(&config.ledger.dir);
    let lines: Vec<_> = look.found.iter().map(|(path, writer)| said(path, *writer)).collect();
    if lines.is_empty() { Ok(()) } else { Err(StartError(lines.join("\n"))) }
}

/// What decides whom the gateway believes.
fn believed(config: &Config) -> Vec<&Path> {
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
    // The module of a token is run by the gateway itself.
    let further = further.chain(config.signing.pkcs11.as_ref().map(|token| &token.module));
    let further = further.chain(config.alerts.iter().flat_map(|alerts| std::iter::once(&alerts.ca).chain(&alerts.crls)));
    trusted.into_iter().chain(people).chain(issuers).chain(further).map(PathBuf::as_path).collect()
}

fn said(path: &Path, writer: Writer) -> String {
    let (who, cure) = match writer {
        Writer::Everybody => ("everybody", "`chmod o-w`"),
        Writer::Group => ("a group that is not the service's own", "`chmod g-w`, or `chgrp` to the service's group,"),
    };
    format!("`{}` can be written by {who}; see whether anything there was changed, then run {cure} on it", path.display())
}

/// Looks at files and folders, and keeps those that others can write.
struct Look {
    own_group: u32,
    found: BTreeSet<(PathBuf, Writer)>,
}

impl Look {
    /// What cannot be looked at is not there yet, or whoever reads it says so.
    fn at(&mut self, path: &Path, depth: u8) {
        let Ok(metadata) = fs::metadata(path) else { return };
        if metadata.mode() & WORLD_WRITABLE != 0 {
            self.found.insert((path.to_owned(), Writer::Everybody));
        } else if self.foreign_group(&metadata) {
            self.found.insert((path.to_owned(), Writer::Group));
        }
        if metadata.is_dir() && depth > 0 {
            fs::read_dir(path).into_iter().flatten().flatten().for_each(|entry| self.at(&entry.path(), depth - 1));
        }
    }

    /// Whoever can write a folder above can put something else there, by way of the name in the configuration or of what a link leads to. Of the
    /// folders further up the group is the system's affair: `/usr/local` is a group's of administrators on some.
    fn around(&mut self, path: &Path) {
        let named = path.parent().and_then(|folder| folder.canonicalize().ok());
        let real = path.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
        for folder in named.into_iter().chain(real) {
            for (up, folder) in folder.ancestors().enumerate() {
                let Some(metadata) = fs::metadata(folder).ok().filter(|metadata| metadata.mode() & STICKY == 0) else { continue };
                if metadata.mode() & WORLD_WRITABLE != 0 {
                    self.found.insert((folder.to_owned(), Writer::Everybody));
                } else if up == 0 && self.foreign_group(&metadata) {
                    self.found.insert((folder.to_owned(), Writer::Group));
                }
            }
        }
    }

    fn foreign_group(&self, metadata: &Metadata) -> bool {
        metadata.mode() & GROUP_WRITABLE != 0 && metadata.gid() != self.own_group && metadata.gid() != ROOT
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt as _;

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
        refuse_exposed(&config).unwrap();
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
        refuse_exposed(&config).unwrap();
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
            let said = refuse_exposed(&config).unwrap_err().to_string();
            assert!(said.lines().count() == 1 && said.contains(&path.display().to_string()) && said.contains("chmod o-w"), "{said}");
            fs::set_permissions(path, before).unwrap();
        }
        refuse_exposed(&config).unwrap();
    }

    /// An installation with its roots in a folder of their own.
    fn installed(dir: &Path) -> Config {
        let config = config(dir);
        for path in believed(&config) {
            let folder = if path.extension().is_some() { path.parent().unwrap() } else { path };
            fs::create_dir_all(folder).unwrap();
            if !path.exists() {
                fs::write(path, "").unwrap();
            }
        }
        fs::create_dir_all(&config.ledger.dir).unwrap();
        config
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_in_which_everybody_could_put_other_files_keeps_the_gateway_from_starting() {
        let lab = tempfile::tempdir().unwrap();
        let outer = lab.path().canonicalize().unwrap();
        let dir = outer.join("estelam");
        fs::create_dir(&dir).unwrap();
        let config = installed(&dir);
        refuse_exposed(&config).unwrap();
        let pki = config.tls.client_ca.parent().unwrap().to_owned();
        assert_ne!(pki, dir);
        for folder in [&pki, &dir, &outer] {
            mode(folder, 0o777);
            let said = refuse_exposed(&config).unwrap_err().to_string();
            assert!(
                said.lines().count() == 1 && said.contains(&format!("`{}` can", folder.display())) && said.contains("chmod o-w"),
                "{said}"
            );
            // Like `/tmp`: nobody takes away there what is another's.
            mode(folder, 0o1777);
            refuse_exposed(&config).unwrap();
            mode(folder, 0o755);
        }
        // Where a link leads counts too.
        let elsewhere = outer.join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        fs::rename(&config.tls.client_ca, elsewhere.join("root.pem")).unwrap();
        std::os::unix::fs::symlink(elsewhere.join("root.pem"), &config.tls.client_ca).unwrap();
        refuse_exposed(&config).unwrap();
        mode(&elsewhere, 0o777);
        assert!(refuse_exposed(&config).unwrap_err().to_string().contains(&elsewhere.display().to_string()));
    }

    #[test]
    fn what_another_group_could_change_keeps_the_gateway_from_starting() {
        let lab = tempfile::tempdir().unwrap();
        let dir = lab.path().canonicalize().unwrap();
        let config = installed(&dir);
        let pki = config.tls.client_ca.parent().unwrap().to_owned();
        for path in [&pki, &config.tls.client_ca] {
            // Root's own group is believed, so it gives the file to another; nobody else need.
            if fs::metadata(path).unwrap().gid() == ROOT {
                std::os::unix::fs::chown(path, None, Some(4242)).unwrap();
            }
            let (group, before) = (fs::metadata(path).unwrap().gid(), fs::metadata(path).unwrap().permissions());
            mode(path, 0o770);
            refuse_for(&config, group).unwrap();
            let said = refuse_for(&config, group + 1).unwrap_err().to_string();
            assert!(said.lines().count() == 1 && said.contains(&path.display().to_string()) && said.contains("chmod g-w"), "{said}");
            fs::set_permissions(path, before).unwrap();
            refuse_for(&config, group + 1).unwrap();
        }
    }
}
