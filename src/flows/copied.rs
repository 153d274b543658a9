//! A table that every process has a copy of in memory, since every call is judged by it.
//!
//! The copy is replaced as a whole whenever the table has changed. Until it can be, the one before stays in force. Callers who
//! wait for the same look at the table share its [outcome](Outcomes), and looks for what the copy does not hold are bounded.

mod outcomes;

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use self::outcomes::Outcomes;
use crate::error::Error;
use crate::store::pg::feed_versions::{self, Feed};
use crate::store::pg::{Loan, Pool};

/// How many looks for something unknown may begin within [`LOOKS_WITHIN`]. Clients that name unknown keys cause no more queries
/// than that, however many such calls they make.
const LOOKS: usize = 10;

/// See [`LOOKS`].
const LOOKS_WITHIN: Duration = Duration::from_secs(1);

/// The copy.
#[derive(Debug, Default)]
pub struct Copied<T> {
    value: RwLock<Arc<T>>,
    /// What has been read; held while it is read again, so that an older reading never replaces a newer one.
    reading: Mutex<Reading>,
    /// How the latest readings ended. A successful one says when the copy was last known to be what the table holds.
    outcomes: Outcomes,
    /// When the latest looks for something unknown began; held during such a look.
    looks: Mutex<VecDeque<Instant>>,
}

/// How far a copy has come.
#[derive(Debug, Default, PartialEq, Eq)]
enum Reading {
    /// Nothing was read yet.
    #[default]
    None,
    /// The table of this version, or of a later one; without a version it had never been changed.
    Of(Option<Uuid>),
}

impl<T> Copied<T> {
    /// The copy as it is now.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the table again with `read` if its version is another than that of the copy, an earlier one included. One round trip
    /// when it is the same, none for a caller who waited while another one looked.
    ///
    /// # Errors
    /// When the database fails, or `read` does; also when a look of another caller failed during the wait for it.
    pub(super) async fn follow<'a, F, R>(&'a self, pool: &'a Pool, feed: Feed, read: F) -> Result<(), Error>
    where
        F: FnOnce(Loan<'a>) -> R + Send,
        R: Future<Output = Result<T, Error>> + Send,
    {
        let asked = Instant::now();
        let mut reading = self.reading.lock().await;
        if let Some(shared) = self.outcomes.since(asked) {
            return shared;
        }
        let begun = Instant::now();
        let outcome = self.read_if_changed(&mut reading, (pool, feed), read).await;
        self.outcomes.note(begun, &outcome);
        outcome
    }

    async fn read_if_changed<'a, F, R>(
        &self,
        reading: &mut Reading,
        (pool, feed): (&'a Pool, Feed),
        read: F,
    ) -> Result<(), Error>
    where
        F: FnOnce(Loan<'a>) -> R,
        R: Future<Output = Result<T, Error>>,
    {
        let mut conn = pool.get().await?;
        // First the version, then the table: if it changes in between, the next look finds a version that it does not know.
        let latest = Reading::Of(feed_versions::find(&mut conn, feed).await?);
        if *reading != latest {
            self.replace(read(conn).await?);
            *reading = latest;
        }
        Ok(())
    }

    /// Looks once, with `follow`, for something that the copy does not hold: it may be in the table already. At most one such look
    /// runs at a time and [ten a second](LOOKS) begin; callers who wait share its outcome. Beyond that bound this returns at once
    /// without a look. The caller reads the copy again in either case.
    ///
    /// # Errors
    /// Those of `follow`.
    pub(super) async fn look_up(&self, follow: impl Future<Output = Result<(), Error>> + Send) -> Result<(), Error> {
        let asked = Instant::now();
        let mut looks = self.looks.lock().await;
        if let Some(shared) = self.outcomes.since(asked) {
            return shared;
        }
        while looks.pop_front_if(|begun| begun.elapsed() >= LOOKS_WITHIN).is_some() {}
        if looks.len() >= LOOKS {
            return Ok(());
        }
        looks.push_back(Instant::now());
        follow.await
    }

    /// Replaces the copy by what `revise` makes of it, if it makes anything of it; not while the table is read.
    pub(super) async fn revise(&self, revise: impl FnOnce(&T) -> Result<Option<T>, Error>) -> Result<(), Error> {
        let _reading = self.reading.lock().await;
        if let Some(value) = revise(&self.current())? {
            self.replace(value);
        }
        Ok(())
    }

    /// Whether the copy is what the table held `bound` ago, or later.
    #[must_use]
    pub fn is_fresh(&self, bound: Duration) -> bool {
        self.outcomes.succeeded_at().is_some_and(|read_at| read_at.elapsed() <= bound)
    }

    fn replace(&self, value: T) {
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::{Copied, LOOKS};

    #[tokio::test]
    async fn however_many_ask_for_what_is_unknown_few_looks_begin_and_none_waits_for_its_turn() {
        let (copied, looks) = (Copied::<()>::default(), AtomicUsize::new(0));
        let look = || {
            copied.look_up(async {
                looks.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok(())
            })
        };
        for outcome in join_all((0..10_000).map(|_| look())).await {
            outcome.unwrap();
        }
        assert_eq!(looks.load(Ordering::Relaxed), LOOKS);
    }
}
