//! A table that every process has a copy of in memory, since every call is judged by it.
//!
//! The copy is replaced as a whole whenever the table has changed. Until it can be, the one before stays in force.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use uuid::Uuid;

use crate::error::Error;
use crate::store::pg::feed_versions::{self, Feed};
use crate::store::pg::{Loan, Pool};

/// The copy.
#[derive(Debug, Default)]
pub struct Copied<T> {
    value: RwLock<Arc<T>>,
    /// What has been read; held while it is read again, so that an older reading never replaces a newer one.
    reading: Mutex<Reading>,
    /// When the copy was last known to be what the table holds.
    read_at: RwLock<Option<Instant>>,
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

/// A copy that has to be read again, and that nobody else reads meanwhile.
#[must_use = "the copy is as old as before until it is replaced"]
pub(super) struct Outdated<'a, T> {
    copied: &'a Copied<T>,
    reading: MutexGuard<'a, Reading>,
    latest: Reading,
    started: Instant,
}

impl<T> Copied<T> {
    /// The copy as it is now.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the table has changed since it was read: then what is needed to read it again. One round trip, or none for who
    /// waited while somebody else made it.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn outdated<'a>(
        &'a self,
        pool: &'a Pool,
        feed: Feed,
    ) -> Result<Option<(Outdated<'a, T>, Loan<'a>)>, Error> {
        let asked = Instant::now();
        let reading = self.reading.lock().await;
        if self.is_as_of(asked) {
            return Ok(None);
        }
        let started = Instant::now();
        let mut conn = pool.get().await?;
        // First the version, then the table: if it changes in between, the next look finds a version that it does not know.
        let latest = Reading::Of(feed_versions::find(&mut conn, feed).await?);
        if *reading == latest {
            self.note_read(started);
            return Ok(None);
        }
        Ok(Some((Outdated { copied: self, reading, latest, started }, conn)))
    }

    /// Whether the copy is what the table held `bound` ago, or later.
    #[must_use]
    pub fn is_fresh(&self, bound: Duration) -> bool {
        self.read_at().is_some_and(|read_at| read_at.elapsed() <= bound)
    }

    /// Whether the copy is what the table held at this moment, or later.
    #[must_use]
    pub fn is_as_of(&self, moment: Instant) -> bool {
        self.read_at().is_some_and(|read_at| read_at >= moment)
    }

    fn read_at(&self) -> Option<Instant> {
        *self.read_at.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_read(&self, started: Instant) {
        *self.read_at.write().unwrap_or_else(PoisonError::into_inner) = Some(started);
    }
}

impl<T> Outdated<'_, T> {
    /// Puts what has been read in the place of the copy.
    pub(super) fn replace(mut self, value: T) {
        *self.copied.value.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
        *self.reading = self.latest;
        self.copied.note_read(self.started);
    }
}
