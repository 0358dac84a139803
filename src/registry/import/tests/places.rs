//! Claims about where rejects may go, and whose people a file may be about.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::*;

impl Office {
    /// A file with one good row and one that is rejected.
    fn mixed(&self) -> PathBuf {
        let file = self.dir.path().join("office.csv");
        std::fs::write(&file, format!("{HEADER}\n{}\n{}\n", row(&[]), row(&[("kind", "green-card")]))).unwrap();
        file
    }

    fn import_with(&self, source: Option<&str>, rejects: Option<&Path>) -> Result<Summary, ImportError> {
        let (file, now) = (self.mixed(), "2026-11-23T10:00:00Z".parse().unwrap());
        let aside = self.dir.path().join("registry");
        let options = ImportOptions { file: &file, source, rejects, aside: Some(&aside), schemes: &self.schemes, now };
        run(&self.store, &options, &mut |_, _| ())
    }

    fn names(&self) -> Vec<std::ffi::OsString> {
        let mut names: Vec<_> = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }
}

fn pipe(at: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, at, rustix::fs::Mode::RUSR).unwrap();
}

fn is_pipe(at: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::symlink_metadata(at).unwrap().file_type().is_fifo()
}

#[test]
fn rejects_replace_no_folder_and_no_pipe_and_nothing_is_imported_then() {
    let office = Office::new();
    let at = |name: &str| office.dir.path().join(name);
    std::fs::create_dir(at("folder")).unwrap();
    pipe(&at("pipe"));
    symlink("folder", at("to-folder")).unwrap();
    symlink("pipe", at("to-pipe")).unwrap();
    symlink("round", at("round")).unwrap();
    office.mixed();
    let before = office.names();
    for (place, says) in [
        ("folder", "it is a folder"),
        ("to-folder", "it is a folder"),
        ("pipe", "it is a pipe, a socket or a device"),
        ("to-pipe", "it is a pipe, a socket or a device"),
        ("round", "symbolic links"),
    ] {
        let error = office.import_with(None, Some(&at(place))).unwrap_err();
        assert!(matches!(error, ImportError::Rejects { .. }), "{place}: {error}");
        let said = error.to_string();
        assert!(said.contains(says) && said.contains("`--rejects FILE`"), "{place}: {said}");
        assert_eq!((office.store.persons().unwrap(), office.names()), (0, before.clone()), "{place}");
    }
    assert!(is_pipe(&at("pipe")));
}

/// As before a file is read that may be large, or may not be there at all.
#[test]
fn place_of_the_rejects_is_refused_before_the_file_is_read() {
    let office = Office::new();
    let (file, now) = (office.dir.path().join("absent.csv"), "2026-11-23T10:00:00Z".parse().unwrap());
    let options = ImportOptions { file: &file, source: None, rejects: Some(office.dir.path()), aside: None, schemes: &office.schemes, now };
    let error = run(&office.store, &options, &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, ImportError::Rejects { .. }), "{error}");
}

#[test]
fn link_that_is_named_for_the_rejects_stays_and_its_target_is_written() {
    let office = Office::new();
    let at = |name: &str| office.dir.path().join(name);
    std::fs::create_dir(at("elsewhere")).unwrap();
    std::fs::write(at("elsewhere/old.csv"), "old").unwrap();
    symlink("elsewhere/old.csv", at("to-old")).unwrap();
    symlink("to-old", at("to-link")).unwrap();
    symlink("elsewhere/new.csv", at("to-new")).unwrap();
    for (link, target) in [("to-old", "elsewhere/old.csv"), ("to-link", "elsewhere/old.csv"), ("to-new", "elsewhere/new.csv")] {
        std::fs::write(at("elsewhere/old.csv"), "old").unwrap();
        office.import_with(None, Some(&at(link))).unwrap();
        assert!(std::fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
        assert_eq!(std::fs::read_to_string(at(target)).unwrap().lines().count(), 2, "{link}");
    }
}

/// Whoever may write into the folder of an export chooses no file of the importer's to be replaced.
#[test]
fn what_stands_beside_the_file_is_neither_followed_nor_replaced_unless_it_is_a_file() {
    let office = Office::new();
    let (beside, own) = (office.dir.path().join("office.csv.rejects.csv"), office.dir.path().join("own"));
    std::fs::write(&own, "own").unwrap();
    symlink(&own, &beside).unwrap();
    office.import_with(None, None).unwrap();
    assert_eq!((std::fs::read_to_string(&own).unwrap().as_str(), office.rejects().lines().count()), ("own", 2));
    std::fs::remove_file(&beside).unwrap();
    pipe(&beside);
    let aside = office.dir.path().join("registry/office.csv.rejects.csv");
    assert_eq!(office.import_with(None, None).unwrap().rejects, Some(aside));
    assert!(is_pipe(&beside));
}

#[test]
fn source_of_made_up_people_is_refused_before_anything_is_read() {
    let office = Office::new();
    for source in ["honeypot", " Honeypot ", "generated-1", "generated-", "GENERATED-office"] {
        let error = office.import_with(Some(source), None).unwrap_err();
        assert!(matches!(error, ImportError::ReservedSource) && error.to_string().contains("`--source`"), "{source}: {error}");
    }
    for name in ["generated-7.csv", "honeypot.ndjson"] {
        let error = office.import_file(&office.dir.path().join(name)).unwrap_err();
        assert!(matches!(error, ImportError::ReservedSource), "{name}, which is not even there: {error}");
    }
    assert_eq!(office.store.persons().unwrap(), 0);
    for source in ["generated", "honeypots", "office-generated-1", "ژنراتور"] {
        office.import_with(Some(source), None).unwrap();
    }
}
