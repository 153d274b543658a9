//! The live revocations, in memory: what makes a check cost no I/O.
//!
//! Fed by this process at once and by the feed's job from every other; how old the feed may be before it is no longer
//! trusted is the reader's business.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::model::id::SessionId;

/// Sessions whose access tokens must be refused although they verify, each until the last of them has expired.
#[derive(Debug, Default)]
pub struct Revocations {
    sessions: RwLock<HashMap<SessionId, DateTime<Utc>>>,
    fed_at: RwLock<Option<Instant>>,
}

impl Revocations {
    /// Takes revocations in; one that is known already changes nothing.
    pub fn revoke(&self, sessions: impl IntoIterator<Item = (SessionId, DateTime<Utc>)>) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).extend(sessions);
    }

    /// Whether a session is revoked, as far as this replica knows.
    #[must_use]
    pub fn contains(&self, session_id: SessionId) -> bool {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).contains_key(&session_id)
    }

    /// Notes that everything in the feed at `started` has been taken in, and forgets what has expired by itself.
    pub fn fed(&self, started: Instant, now: DateTime<Utc>) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if sessions.values().any(|expires_at| *expires_at <= now) {
            sessions.retain(|_, expires_at| *expires_at > now);
        }
        *self.fed_at.write().unwrap_or_else(PoisonError::into_inner) = Some(started);
    }

    /// Whether the feed was read within `bound`, so that an absence of a revocation means something.
    #[must_use]
    pub fn is_fresh(&self, bound: Duration) -> bool {
        let fed_at = *self.fed_at.read().unwrap_or_else(PoisonError::into_inner);
        fed_at.is_some_and(|fed_at| fed_at.elapsed() <= bound)
    }
}
