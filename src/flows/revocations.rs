//! The revocation feed: taken in at once by the process that ends a session, followed by every other.

mod watch;

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::app::App;
use crate::error::Error;
use crate::model::id::{SessionId, UserId};
use crate::model::revocation::{Revoked, StaleUser};
use crate::model::session::EndReason;
use crate::model::user::TokenBasis;
use crate::store::pg::Connection;
use crate::store::pg::revocations;
use crate::store::pg::sessions::Ending;
use crate::token::access;
use crate::token::revocations::Fed;

pub use watch::{News, Watch, watch};

/// For how long what was read is read again: longer than any transaction that writes to the feed may stay open, so that a
/// commit which becomes visible out of order is not missed.
const OVERLAP: Duration = Duration::from_secs(30);

/// How far a replica has followed the feed.
#[derive(Debug, Default)]
pub struct Position {
    /// Everything up to here was seen more than [`OVERLAP`] ago.
    settled: i64,
    /// The highest place seen in each recent reading, and when.
    recent: VecDeque<(Instant, i64)>,
}

impl Position {
    fn advance(&mut self, read_at: Instant, highest: Option<i64>) {
        if let Some(highest) = highest.filter(|highest| self.recent.back().is_none_or(|(_, last)| last < highest)) {
            self.recent.push_back((read_at, highest));
        }
        while let Some((seen_at, highest)) = self.recent.front().copied()
            && read_at.duration_since(seen_at) > OVERLAP
        {
            self.settled = highest;
            self.recent.pop_front();
        }
    }
}

/// What a statement that ends sessions now needs to know.
#[must_use]
pub fn ending(app: &App, reason: EndReason, now: DateTime<Utc>) -> Ending {
    Ending { reason, at: now, revocation_expires_at: access::all_expired_at(&app.config.tokens, now) }
}

/// Makes an ending that has been committed felt in this process, without waiting for the feed.
pub fn take_in(app: &App, ended: impl IntoIterator<Item = SessionId>, now: DateTime<Utc>) {
    let expires_at = access::all_expired_at(&app.config.tokens, now);
    app.revocations.revoke(ended.into_iter().map(|session_id| (session_id, expires_at)));
}

/// Makes the access tokens that a user was issued before `basis` stale, since its roles have changed to those of `basis`: the
/// transaction that changes them writes this.
///
/// # Errors
/// When the database fails.
pub async fn write_stale(
    app: &App,
    conn: &mut Connection,
    user_id: UserId,
    basis: TokenBasis,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let expires_at = access::all_expired_at(&app.config.tokens, now);
    Ok(revocations::insert_stale_user(conn, stale(user_id, basis, now), expires_at, now).await?)
}

/// Makes a change of roles that has been committed felt in this process, without waiting for the feed.
pub fn take_in_stale(app: &App, user_id: UserId, basis: TokenBasis, now: DateTime<Utc>) {
    app.revocations.make_stale(stale(user_id, basis, now), access::all_expired_at(&app.config.tokens, now));
}

fn stale(user_id: UserId, basis: TokenBasis, now: DateTime<Utc>) -> StaleUser {
    let issued_before = basis.issued_from.unwrap_or_else(|| access::issued_from(now));
    StaleUser { user_id, revision: basis.revision, issued_before }
}

/// Reads what is new in the feed. Called at start with a new position, it loads everything that still matters.
///
/// # Errors
/// When the database fails; the feed then grows old.
pub async fn follow(app: &App, position: &mut Position) -> Result<(), Error> {
    let started = Instant::now();
    let now = app.clock.now();
    let read = revocations::find_after(&mut *app.job_pool.get().await?, position.settled, now).await?;
    app.revocations.revoke(read.iter().filter_map(|revocation| match revocation.revoked {
        Revoked::Session(session_id) => Some((session_id, revocation.expires_at)),
        Revoked::StaleUser(_) => None,
    }));
    for revocation in &read {
        if let Revoked::StaleUser(stale) = revocation.revoked {
            app.revocations.make_stale(stale, revocation.expires_at);
        }
    }
    position.advance(started, read.last().map(|revocation| revocation.sequence));
    app.revocations.feed(Fed { at: started, settled: position.settled }, now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Duration, Instant, OVERLAP, Position};

    #[test]
    fn what_was_read_is_read_again_until_no_commit_can_come_late() {
        let start = Instant::now();
        let mut position = Position::default();
        position.advance(start, Some(10));
        position.advance(start + Duration::from_secs(1), Some(12));
        position.advance(start + OVERLAP, Some(12));
        assert_eq!(position.settled, 0);
        position.advance(start + OVERLAP + Duration::from_millis(1), Some(12));
        assert_eq!(position.settled, 10);
        position.advance(start + OVERLAP + Duration::from_secs(2), None);
        assert_eq!(position.settled, 12);
        assert!(position.recent.is_empty());
    }
}
