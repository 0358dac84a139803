//! What the process forbids itself before it reads a key.

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core dump, and no other process of the same user may look into this one's memory: both would hold keys.
pub(super) fn no_core_dumps() {
    let dumps = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let looks = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if dumps.and(looks).is_err() {
        eprintln!("estelam: warning: the system does not let this process forbid core dumps; forbid them for the service");
    }
}

/// What this process makes is for its own user alone: registry, log, archive and registers say much even where they hold no secret.
pub(super) fn private_files() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn process_leaves_no_core_dump_and_nobody_looks_into_its_memory() {
        no_core_dumps();
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
