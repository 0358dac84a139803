//! Key pairs to which trail keys are sealed (X25519): the data-protection officer's, and that of the registry's desk for holders.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::place::{write_atomically, write_private};
use super::{CliError, Failure};
use crate::adapters::store::generate_officer_key;

/// Makes a pair for `estelam keys trail`: the private half in `file`, the public one beside it with `.pub` for its ending.
///
/// # Errors
/// One of the two is there already: what was sealed to a key opens with nothing else, so none is written over.
pub(super) fn run(file: &Path) -> Result<(), CliError> {
    let public = file.with_extension("pub");
    if file == public {
        return Err(CliError::usage("name the file of the private half, `trail.key` for one; the public half beside it ends in `.pub`"));
    }
    if let Some(there) = [file, &public].into_iter().find(|path| path.exists()) {
        let there = there.display();
        return Err(CliError::failed(format_args!(
            "`{there}` is there already, and what was sealed to a key opens with nothing else; name another file"
        )));
    }
    make(file, &public)?;
    println!("the private half is in {}: whoever holds it can open trails, so keep it and a copy where nobody else comes", file.display());
    println!("the public half is in {}: the gateway wants it as `ledger.dpo_public_key` or `holder.public_key`", public.display());
    Ok(())
}

/// Makes a pair. The private half first: to a public one that lay there alone something could be sealed for nobody.
///
/// # Errors
/// The private half is there already, or a file cannot be written.
pub(super) fn make(private_file: &Path, public_file: &Path) -> Result<(), CliError> {
    let (public, private) = generate_officer_key().doing("a key pair for trails")?;
    let text = Zeroizing::new(STANDARD.encode(&*private) + "\n");
    write_private(private_file, text.as_bytes())?;
    write_atomically(public_file, format!("{}\n", STANDARD.encode(public)).as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn no_key_is_written_over_and_the_private_half_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (private, public) = (dir.path().join("trail.key"), dir.path().join("trail.pub"));
        run(&private).unwrap();
        let before = std::fs::read(&public).unwrap();
        assert_eq!(crate::files::read_base64_key(&private).unwrap().len(), 32);
        assert!(run(&private).unwrap_err().to_string().contains("trail.key` is there already"));
        std::fs::remove_file(&private).unwrap();
        assert!(run(&private).unwrap_err().to_string().contains("trail.pub` is there already"));
        assert!(!private.exists() && run(&public).is_err());
        assert_eq!(std::fs::read(&public).unwrap(), before);
    }
}
