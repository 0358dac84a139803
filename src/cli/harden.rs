//! What the process forbids itself before it reads a key, and what it takes of what the system grants.

use rustix::fs::Mode;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

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

/// Open files besides connections: the log, keys, lists, look-ups at the registry.
const FILES_BESIDES: u64 = 512;

/// Takes as many open files as the system grants. Each connection is one, and what shells and service managers begin with is for a thousand at
/// most: beyond it neither a client nor the registry could be connected to.
pub(super) fn open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _as_before = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// What to do where that is too few for so many connections; none where it is enough.
pub(super) fn too_few_files(connections: usize) -> Option<String> {
    let granted = getrlimit(Resource::Nofile).current?;
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(FILES_BESIDES);
    let advice = "raise it (`LimitNOFILE` of a systemd unit, `ulimit -Hn`), or lower `limits.connections`";
    let warning = format!("the system grants {granted} open files, and {connections} connections want {wanted}; {advice}");
    (granted < wanted).then_some(warning)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn process_leaves_no_core_dump_and_nobody_looks_into_its_memory() {
        no_core_dumps();
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }

    #[test]
    fn as_many_files_are_open_as_are_granted_and_too_few_are_told() {
        open_files();
        let granted = getrlimit(Resource::Nofile);
        assert_eq!(granted.current, granted.maximum);
        assert_eq!(too_few_files(0), None);
        assert_eq!(too_few_files(usize::MAX).is_some(), granted.current.is_some());
    }
}
