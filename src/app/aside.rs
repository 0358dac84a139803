//! Files that are kept by the way, beside what answers: written off the runtime's threads, which see to it that nobody waits for a disk that hangs; one write
//! at a time, however long it takes; and waited for no longer than anybody should.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long a write is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of a file, for whoever writes it.
#[derive(Default)]
pub(super) struct Aside<T>(Arc<Mutex<T>>);

impl<T: Send + 'static> Aside<T> {
    pub(super) fn new(known: T) -> Self {
        Self(Arc::new(Mutex::new(known)))
    }

    /// Has it written; none where that takes too long. One that hangs may be done later, and none begins before.
    pub(super) async fn write<R: Send + 'static>(&self, work: impl FnOnce(&mut T) -> R + Send + 'static) -> Option<R> {
        let known = self.0.clone();
        let written = async move {
            let mut known = known.lock_owned().await;
            spawn_blocking(move || work(&mut known)).await.ok()
        };
        timeout(PATIENCE, written).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::mpsc;

    use super::*;

    /// What hangs is a thread of its own: the test has but one.
    #[tokio::test(start_paused = true)]
    async fn disk_that_hangs_holds_nobody_up_and_gets_one_write_at_a_time() {
        let (file, (let_go, hangs)) = (Arc::new(Aside::new(Vec::new())), mpsc::channel::<()>());
        let (first, second) = (file.clone(), file.clone());
        let hung = tokio::spawn(async move {
            let hang = move |written: &mut Vec<u8>| {
                let _ = hangs.recv();
                written.push(1);
            };
            first.write(hang).await
        });
        let waits = tokio::spawn(async move { second.write(|written| written.push(2)).await });
        tokio::task::yield_now().await;
        tokio::time::advance(PATIENCE + Duration::from_millis(1)).await;
        assert_eq!((hung.await.unwrap(), waits.await.unwrap()), (None, None));
        drop(let_go);
        assert_eq!(
            file.write(|written| written.clone()).await,
            Some(vec![1]),
            "that which hung came to its end, and the other never began"
        );
    }
}
