//! Work that a client who hangs up cannot cut in half, gone on with in cohorts.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use actix_web::rt;

use crate::flow::cohort;

/// Runs where it is awaited while the client waits, so that no task has to be made and woken for it, and goes on in a task of its
/// own once it is dropped unfinished. What stops at the meeting point of [`cohort`] goes on with the others on the thread that did.
pub(super) struct Unbroken<F: Future + 'static>(Rc<Work<F>>);

struct Work<F: Future>(RefCell<State<F>>);

enum State<F: Future> {
    /// Under way, and who is told when its cohort brought it to an end.
    Going(Pin<Box<F>>, Option<Waker>),
    /// Brought to an end by its cohort.
    Done(F::Output),
    /// Its cohort saw it panic.
    Panicked(Box<dyn Any + Send>),
    Over,
}

impl<F: Future + 'static> Unbroken<F> {
    pub(super) fn new(work: F) -> Self {
        Self(Rc::new(Work(RefCell::new(State::Going(Box::pin(work), None)))))
    }
}

impl<F: Future + 'static> Future for Unbroken<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if self.0.step(context) {
            join(self.0.clone());
            return Poll::Pending;
        }
        match self.0.0.replace(State::Over) {
            State::Done(outcome) => Poll::Ready(outcome),
            State::Panicked(panic) => resume_unwind(panic),
            going => {
                self.0.0.replace(going);
                Poll::Pending
            }
        }
    }
}

impl<F: Future> Work<F> {
    /// Goes on as far as it can; true where that is the meeting point.
    fn step(&self, context: &mut Context<'_>) -> bool {
        let mut state = self.0.borrow_mut();
        let State::Going(work, waker) = &mut *state else { return false };
        let (polled, meets) = cohort::poll(work.as_mut(), context);
        *waker = meets.then(|| context.waker().clone());
        if let Poll::Ready(outcome) = polled {
            *state = State::Done(outcome);
        }
        meets
    }
}

impl<F: Future + 'static> Drop for Unbroken<F> {
    fn drop(&mut self) {
        // What panicked is over: its connection ends without a word.
        if let State::Going(work, _) = self.0.0.replace(State::Over)
            && !std::thread::panicking()
        {
            rt::spawn(async { drop(work.await) });
        }
    }
}

/// Most members of one cohort; who comes then begins the next.
const LARGEST: usize = 64;

/// Who stopped at the meeting point since the thread's tasks were last gone through.
#[derive(Default)]
struct Cohort(RefCell<Vec<Rc<dyn Member>>>);

trait Member {
    fn go_on(self: Rc<Self>);
}

thread_local! {
    /// The cohort that may still be joined. Its task holds it: it goes with the thread's runtime.
    static FORMING: RefCell<Weak<Cohort>> = const { RefCell::new(Weak::new()) };
}

/// Joins the cohort that forms, or begins one, whose task comes after those that are ready now.
fn join(member: Rc<dyn Member>) {
    let cohort = FORMING.with_borrow_mut(|forming| {
        forming.upgrade().filter(|cohort| cohort.0.borrow().len() < LARGEST).unwrap_or_else(|| {
            let cohort = Rc::<Cohort>::default();
            *forming = Rc::downgrade(&cohort);
            rt::spawn(go_on(cohort.clone()));
            cohort
        })
    });
    cohort.0.borrow_mut().push(member);
}

async fn go_on(cohort: Rc<Cohort>) {
    FORMING.with_borrow_mut(|forming| {
        if forming.ptr_eq(&Rc::downgrade(&cohort)) {
            *forming = Weak::new();
        }
    });
    // One that is worked on may meet others again, in the next cohort.
    let members = cohort.0.take();
    members.into_iter().for_each(Member::go_on);
}

impl<F: Future + 'static> Member for Work<F> {
    /// Nothing for one that went on or was dropped meanwhile.
    fn go_on(self: Rc<Self>) {
        let waker = if let State::Going(_, waker) = &mut *self.0.borrow_mut() { waker.take() } else { None };
        let Some(waker) = waker else { return };
        // One that panics must not take the others with it; its own connection goes on with the panic.
        match catch_unwind(AssertUnwindSafe(|| self.step(&mut Context::from_waker(&waker)))) {
            Ok(true) => return join(self),
            Ok(false) => {}
            Err(panic) => drop(self.0.replace(State::Panicked(panic))),
        }
        if !matches!(&*self.0.borrow(), State::Going(..)) {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use std::cell::Cell;

    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
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

    /// What was done, in its order.
    type Diary = Rc<RefCell<Vec<(&'static str, usize)>>>;

    /// Tasks of their own, as connections are, that meet between two steps.
    async fn met(diary: &Diary, members: usize) {
        let member = |number| {
            let diary = diary.clone();
            rt::spawn(Unbroken::new(async move {
                diary.borrow_mut().push(("before", number));
                cohort::meet().await;
                diary.borrow_mut().push(("after", number));
            }))
        };
        for done in join_all((0..members).map(member)).await {
            done.unwrap();
        }
    }

    fn numbers(diary: &Diary, step: &str) -> Vec<usize> {
        diary.borrow().iter().filter(|(name, _)| *name == step).map(|(_, number)| *number).collect()
    }

    #[actix_web::test]
    async fn those_who_meet_go_on_one_after_the_other_once_all_that_were_ready_are_there() {
        let diary = Diary::default();
        met(&diary, 5).await;
        let steps: Vec<&str> = diary.borrow().iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [["before"; 5], ["after"; 5]].concat());
        assert_eq!(numbers(&diary, "after"), [0, 1, 2, 3, 4]);
        met(&diary, 1).await;
        assert_eq!(diary.borrow().last(), Some(&("after", 0)), "whoever comes alone waits for nobody");
    }

    #[actix_web::test]
    async fn a_cohort_has_a_largest_size_and_nobody_is_left_behind() {
        let diary = Diary::default();
        met(&diary, 2 * LARGEST + 1).await;
        assert_eq!(numbers(&diary, "after"), (0..=2 * LARGEST).collect::<Vec<_>>());
    }

    #[actix_web::test]
    async fn one_that_panics_ends_alone() {
        let ended = Rc::new(Cell::new(0));
        let member = |number| {
            let ended = ended.clone();
            rt::spawn(Unbroken::new(async move {
                cohort::meet().await;
                assert_ne!(number, 1, "told to");
                ended.set(ended.get() + 1);
            }))
        };
        let outcomes: Vec<bool> = join_all((0..3).map(member)).await.into_iter().map(|outcome| outcome.is_ok()).collect();
        assert_eq!((outcomes, ended.get()), (vec![true, false, true], 2));
    }

    #[actix_web::test]
    async fn one_that_is_dropped_in_its_cohort_is_finished_all_the_same() {
        let (done, finished) = oneshot::channel();
        let mut work = Unbroken::new(async move {
            cohort::meet().await;
            done.send(7).unwrap();
        });
        assert_eq!((&mut work).now_or_never(), None);
        drop(work);
        assert_eq!(finished.await, Ok(7));
    }
}
