//! Which threads have the processor first where several want it: those that answer agencies, before all that works behind them.
//!
//! Linux lets a thread that runs keep the processor for its slice, and in practice until the next tick of the clock (4 ms at 250 a second), whoever else
//! wants it and however nice it is. Only who has a shorter slice takes it over at once (EEVDF, since Linux 6.12). It has no more of the processor for that,
//! only sooner. Older systems know no slices of single threads; there an answer waits for a tick now and then.

use std::cell::Cell;
use std::time::Duration;

/// The slice of threads that answer: shorter than the usual one, which is 0.7 ms on one processor and 2.8 ms on eight and more.
const SHORT: Duration = Duration::from_micros(500);
/// By how much other threads are nicer: a third of the weight of those that answer.
const NICER: i32 = 5;

thread_local! {
    static GIVES_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Somebody waits for what the calling thread does. Threads that it starts have the usual slice.
pub fn answer() {
    if let Err(error) = system::ask_for(SHORT) {
        tracing::debug!(%error, "the system gives threads no slices of their own; those that answer may wait for others");
    }
}

/// Others' work goes before that of the calling thread, from the first call on.
pub fn give_way() {
    if GIVES_WAY.replace(true) {
        return;
    }
    // Elsewhere it would be the whole process's niceness.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICER) {
        tracing::warn!(%error, "a thread that should give way works at full priority: its own cannot be lowered");
    }
}

/// The slice of the calling thread; none where the system knows no slices of single threads, or schedules this one by other rules.
pub fn slice() -> Option<Duration> {
    system::slice().ok().flatten()
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe wrapper of these two calls of the system is known")]
mod system {
    use std::io;
    use std::mem::size_of;
    use std::time::Duration;

    use libc::{SCHED_FLAG_RESET_ON_FORK, SYS_sched_getattr, SYS_sched_setattr, c_long, c_uint, sched_attr, syscall};

    /// The calling thread.
    const OWN: c_uint = 0;
    const NO_FLAGS: c_uint = 0;
    /// `SCHED_OTHER` and `SCHED_BATCH`. A thread under another policy was put there by somebody who knows better.
    const FAIR: [u32; 2] = [0, 3];

    /// Nothing else about the thread changes.
    pub(super) fn ask_for(slice: Duration) -> io::Result<()> {
        let mut attributes = attributes()?;
        if !FAIR.contains(&attributes.sched_policy) {
            return Ok(());
        }
        attributes.sched_runtime = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
        attributes.sched_flags |= u64::try_from(SCHED_FLAG_RESET_ON_FORK).unwrap_or_default();
        // SAFETY: sched_setattr(2) reads as many bytes behind the pointer as `size` says, which is what there is, and keeps nothing.
        done(unsafe { syscall(SYS_sched_setattr, OWN, &raw const attributes, NO_FLAGS) })
    }

    pub(super) fn slice() -> io::Result<Option<Duration>> {
        let attributes = attributes()?;
        let known = FAIR.contains(&attributes.sched_policy) && attributes.sched_runtime > 0;
        Ok(known.then(|| Duration::from_nanos(attributes.sched_runtime)))
    }

    /// How the system schedules the calling thread. Under a fair policy `sched_runtime` is its slice in nanoseconds, nought where the system knows none.
    fn attributes() -> io::Result<sched_attr> {
        let size = u32::try_from(size_of::<sched_attr>()).unwrap_or_default();
        let mut attributes = sched_attr {
            size,
            sched_policy: 0,
            sched_flags: 0,
            sched_nice: 0,
            sched_priority: 0,
            sched_runtime: 0,
            sched_deadline: 0,
            sched_period: 0,
        };
        // SAFETY: sched_getattr(2) writes at most `size` bytes behind the pointer, which is what there is, and keeps nothing; any bytes are a value.
        done(unsafe { syscall(SYS_sched_getattr, OWN, &raw mut attributes, size, NO_FLAGS) })?;
        attributes.size = size;
        Ok(attributes)
    }

    fn done(outcome: c_long) -> io::Result<()> {
        if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::time::Duration;

    pub(super) fn ask_for(_slice: Duration) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn slice() -> io::Result<Option<Duration>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// What a new thread finds.
    fn on_a_thread<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(look).join().unwrap()
    }

    #[test]
    fn threads_that_answer_have_a_shorter_slice_than_others_and_hand_it_to_nobody() {
        let Some(usual) = on_a_thread(slice) else {
            eprintln!("left out: no slices of single threads (Linux before 6.12, or another policy than the usual)");
            return;
        };
        let found = on_a_thread(|| {
            answer();
            (slice(), on_a_thread(slice))
        });
        assert_eq!(found, (Some(SHORT), Some(usual)));
        assert!(SHORT < usual, "{usual:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_gives_way_once_however_often_it_is_told_and_no_other_does() {
        const GREATEST: i32 = 19;
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let before = on_a_thread(niceness);
        let after = on_a_thread(move || {
            give_way();
            give_way();
            niceness()
        });
        // The system knows no more than the greatest.
        assert_eq!((after, on_a_thread(niceness)), ((before + NICER).min(GREATEST), before));
    }
}
