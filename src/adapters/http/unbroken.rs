//! Work that a client who hangs up cannot cut in half.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::rt;

/// Runs where it is awaited while the client waits, so that no task has to be made and woken for it, and goes on in a task of its
/// own once it is dropped unfinished.
pub(super) struct Unbroken<F: Future + 'static>(Option<Pin<Box<F>>>);

impl<F: Future + 'static> Unbroken<F> {
    pub(super) fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F: Future + 'static> Future for Unbroken<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let outcome = work.as_mut().poll(context);
        if outcome.is_ready() {
            self.0 = None;
        }
        outcome
    }
}

impl<F: Future + 'static> Drop for Unbroken<F> {
    fn drop(&mut self) {
        // What panicked is over: its connection ends without a word.
        if let Some(work) = self.0.take().filter(|_| !std::thread::panicking()) {
            rt::spawn(async { drop(work.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[actix_web::test]
    async fn what_is_dropped_half_done_is_finished_all_the_same() {
        let (go, gone) = oneshot::channel();
        let (done, finished) = oneshot::channel();
        let mut work = Unbroken::new(async move {
            gone.await.unwrap();
            done.send(7).unwrap();
        });
        assert_eq!((&mut work).now_or_never(), None);
        drop(work);
        go.send(()).unwrap();
        assert_eq!(finished.await, Ok(7));
    }

    #[actix_web::test]
    async fn what_is_awaited_runs_once() {
        let (done, mut finished) = oneshot::channel();
        assert!(Unbroken::new(async move { done.send(()).is_ok() }).await);
        assert_eq!(finished.try_recv(), Ok(()));
    }
}
