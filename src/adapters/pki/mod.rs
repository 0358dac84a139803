//! A development PKI in a folder: root, intermediate, agencies' and servers' certificates, revocation lists.
//!
//! For demonstrations and tests on one machine. Its authorities' keys lie beside everything else, so nothing that matters
//! may ever trust it.
//!
//! ```text
//! ca.pem  intermediate.pem  authority/{root,intermediate}.key.pem  crl/{root,intermediate}.crl.pem  NAME/{cert,key}.pem
//! ```

mod authority;
mod files;
mod leaf;
mod lists;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::core::domain::agency::AgencyId;
use crate::core::domain::clock::Clock;
use authority::Authority;
pub use files::PkiError;
use lists::RevocationList;

/// The trust domain of every name that a development PKI gives.
pub const TRUST_DOMAIN: &str = "estelam.test";

/// A development PKI. Everything it makes is kept; a second start makes only what is missing or due.
pub struct DevPki {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    root: Authority,
    intermediate: Authority,
}

/// Where a certificate with its intermediate, and its key, lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// PEM: leaf, then intermediate.
    pub cert: PathBuf,
    /// PEM: PKCS#8, readable by the owner only.
    pub key: PathBuf,
}

impl DevPki {
    /// Opens the PKI in `dir`, or makes it; renews revocation lists that are past half of their life.
    ///
    /// # Errors
    /// A file cannot be read or written, or is not what it should be.
    pub fn create_or_open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, PkiError> {
        let now = clock.now();
        let root = Authority::root(dir, now)?;
        let intermediate = Authority::intermediate(dir, &root, now)?;
        let pki = Self { dir: dir.to_owned(), clock, root, intermediate };
        pki.refresh_crls()?;
        Ok(pki)
    }

    /// A certificate for an agency or one of its branches, in the folder `ID` or `ID.BRANCH`. Kept if it has a third of its life left.
    ///
    /// # Errors
    /// The branch is not 1 to 64 of `[A-Za-z0-9._-]`, or a file cannot be read or written.
    pub fn issue_agency(&self, agency: &AgencyId, branch: Option<&str>) -> Result<Credential, PkiError> {
        let uri = format!("spiffe://{TRUST_DOMAIN}/agency/{agency}");
        match branch {
            None => self.issue(agency.as_str(), leaf::Purpose::Client { uri }),
            Some(branch) => {
                let folder = format!("{agency}.{}", files::component(&self.dir, branch)?);
                self.issue(&folder, leaf::Purpose::Client { uri: format!("{uri}/branch/{branch}") })
            }
        }
    }

    /// A certificate for one of our own parts as a client, in the folder `NAME-client`, named `spiffe://<trust-domain>/service/NAME`: no
    /// agency can have such a name.
    ///
    /// # Errors
    /// As [`Self::issue_server`].
    pub fn issue_service(&self, name: &str) -> Result<Credential, PkiError> {
        let folder = format!("{}-client", files::component(&self.dir, name)?);
        self.issue(&folder, leaf::Purpose::Client { uri: format!("spiffe://{TRUST_DOMAIN}/service/{name}") })
    }

    /// A certificate for a server on this machine (`localhost`, 127.0.0.1, ::1), in the folder `NAME`, also named
    /// `spiffe://<trust-domain>/server/NAME`.
    ///
    /// # Errors
    /// The name is not 1 to 64 of `[A-Za-z0-9._-]`, or a file cannot be read or written.
    pub fn issue_server(&self, name: &str) -> Result<Credential, PkiError> {
        self.issue(files::component(&self.dir, name)?, leaf::Purpose::Server { uri: format!("spiffe://{TRUST_DOMAIN}/server/{name}") })
    }

    /// Signs a certificate (PEM: leaf, then intermediate) for a public key (DER of its SubjectPublicKeyInfo) under one `spiffe://` name, as
    /// an agency's. Whoever calls this has checked that the key's holder may bear the name.
    ///
    /// # Errors
    /// The key or the name cannot stand in a certificate.
    pub fn sign(&self, public_key: &[u8], uri: &str) -> Result<String, PkiError> {
        let leaf = leaf::sign_public(public_key, uri, &self.intermediate, self.clock.now())
            .map_err(|_| PkiError::new(&self.dir, "no certificate could be made for this key and name"))?;
        Ok(format!("{leaf}{}", self.intermediate.certificate))
    }

    /// Revokes a certificate that the intermediate issued: writes a list with a higher number. Revoking twice is no error.
    ///
    /// # Errors
    /// The list cannot be read or written.
    pub fn revoke(&self, serial: &[u8]) -> Result<(), PkiError> {
        self.change_list(&self.intermediate, |list, now| list.add(serial, now))
    }

    /// Revokes the intermediate authority itself, and with it everything that it issued.
    ///
    /// # Errors
    /// The list cannot be read or written.
    pub fn revoke_intermediate(&self) -> Result<(), PkiError> {
        let serial = self.intermediate.serial()?;
        self.change_list(&self.root, |list, now| list.add(&serial, now))
    }

    /// Writes lists that are missing or past half of their life again; says whether any was.
    ///
    /// # Errors
    /// A list cannot be read or written.
    pub fn refresh_crls(&self) -> Result<bool, PkiError> {
        let mut refreshed = false;
        for authority in [&self.root, &self.intermediate] {
            self.change_list(authority, |list, now| {
                let due = list.is_due(now);
                refreshed |= due;
                due
            })?;
        }
        Ok(refreshed)
    }

    /// The serial number (big-endian) of the certificate in a credential.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn serial_of(&self, credential: &Credential) -> Result<Vec<u8>, PkiError> {
        leaf::serial(&credential.cert)
    }

    /// PEM: the root, which clients and servers trust.
    pub fn ca(&self) -> PathBuf {
        self.root.certificate_file().to_owned()
    }

    /// PEM: the intermediate.
    pub fn intermediate(&self) -> PathBuf {
        self.intermediate.certificate_file().to_owned()
    }

    /// The folder of revocation lists.
    pub fn crl_dir(&self) -> PathBuf {
        self.dir.join("crl")
    }

    fn issue(&self, folder: &str, purpose: leaf::Purpose) -> Result<Credential, PkiError> {
        let _alone = self.alone()?;
        let folder = self.dir.join(folder);
        let credential = Credential { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        let list = RevocationList::open(&self.dir, &self.intermediate)?;
        leaf::issue(&credential, &purpose, &self.intermediate, &list, self.clock.now())?;
        Ok(credential)
    }

    /// One at a time changes the folder, whichever process it is of: of two lists that were read at once, the later would forget what the other revoked.
    fn alone(&self) -> Result<File, PkiError> {
        let file = self.dir.join("authority/.lock");
        crate::files::lock(&file).map_err(|error| PkiError::new(&file, format!("cannot be taken: {error}")))
    }

    /// Writes the authority's list again if `change` says that it changed.
    fn change_list(
        &self,
        authority: &Authority,
        change: impl FnOnce(&mut RevocationList, jiff::Timestamp) -> bool,
    ) -> Result<(), PkiError> {
        let _alone = self.alone()?;
        let now = self.clock.now();
        let mut list = RevocationList::open(&self.dir, authority)?;
        if change(&mut list, now) { list.write(authority, now) } else { Ok(()) }
    }
}
