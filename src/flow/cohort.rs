//! Where queries on one thread meet, so that they go through the stages behind it one after the other.
//!
//! A signature reads 48 KiB of tables from end to end, more than the processor's first cache holds: after each, all other stages begin with an empty
//! one. Queries that are signed in a row pay for that once. This is known as cohort scheduling (Larus and Parkes, 2002). Nobody waits for time to pass or for
//! somebody who has not come: a cohort is who is ready when the thread has gone once through its ready tasks.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What the work that a thread polls now may do at the meeting point, and did.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meeting {
    /// Whoever polls it would not poll it again by itself.
    Impossible,
    Possible,
    /// It stopped there.
    Wanted,
}

thread_local! {
    static MEETING: Cell<Meeting> = const { Cell::new(Meeting::Impossible) };
}

/// Waits until [`poll`] is called again, once. Passes at once where something else polls. Nothing is woken for it, so it must be awaited by
/// the polled work itself and not in a task or a set of futures of its own.
pub async fn meet() {
    let mut met = false;
    poll_fn(|_| {
        if met || MEETING.get() != Meeting::Possible {
            return Poll::Ready(());
        }
        met = true;
        MEETING.set(Meeting::Wanted);
        Poll::Pending
    })
    .await;
}

/// Polls work that may stop at the meeting point, and says whether it did: then it wants to be polled again with the others that did, and nothing
/// else will wake it.
pub fn poll<F: Future + ?Sized>(work: Pin<&mut F>, context: &mut Context<'_>) -> (Poll<F::Output>, bool) {
    /// Nobody else on the thread finds the point open, after a panic either.
    struct Close;
    impl Drop for Close {
        fn drop(&mut self) {
            MEETING.set(Meeting::Impossible);
        }
    }
    let close = Close;
    MEETING.set(Meeting::Possible);
    let polled = work.poll(context);
    let wanted = polled.is_pending() && MEETING.get() == Meeting::Wanted;
    drop(close);
    (polled, wanted)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;
    use futures_util::task::noop_waker;

    use super::*;

    #[test]
    fn whoever_is_polled_by_something_else_passes_at_once() {
        assert_eq!(meet().now_or_never(), Some(()));
    }

    #[test]
    fn work_stops_once_and_says_so() {
        let waker = noop_waker();
        let mut context = Context::from_waker(&waker);
        let mut work = pin!(async {
            meet().await;
            7
        });
        assert_eq!(poll(work.as_mut(), &mut context), (Poll::Pending, true));
        assert_eq!(meet().now_or_never(), Some(()), "the point is open for that work alone");
        assert_eq!(poll(work.as_mut(), &mut context), (Poll::Ready(7), false));
    }

    #[test]
    fn work_that_waits_for_something_else_does_not_want_to_be_polled_again() {
        let waker = noop_waker();
        let mut work = pin!(async {
            meet().await;
            std::future::pending::<()>().await;
        });
        let mut wants = || poll(work.as_mut(), &mut Context::from_waker(&waker)).1;
        assert!(wants());
        assert!(!wants());
    }
}
