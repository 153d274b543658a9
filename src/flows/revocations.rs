//! The revocation feed: taken in at once by the process that ends a session, followed by every other.

mod watch;

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::app::App;
use crate::error::Error;
use crate::model::id::{SessionId, UserId};
use crate::model::revocation::{FeedExtent, Revoked, StaleUser};
use crate::model::session::EndReason;
use crate::model::user::TokenBasis;
use crate::store::pg::Connection;
use crate::store::pg::revocations::{self, FeedReading, Revocation};
use crate::store::pg::sessions::Ending;
use crate::store::pg::transactions::{self, Running};
use crate::token::access;
use crate::token::revocations::Fed;

pub use watch::{News, Watch, watch};

/// How long what was read is read again at the least: by then, whoever has a place in the feed has a number of its transaction
/// too, which it gets in the same statement.
const OVERLAP: Duration = Duration::from_secs(30);

/// How far a replica has followed the feed. A commit may become visible out of order, so what was read is read again until every
/// transaction is over that may have a place before it.
#[derive(Debug, Default)]
pub struct Position {
    /// Up to here nothing can come in any more.
    settled: i64,
    /// The highest place seen in each recent reading.
    recent: VecDeque<Seen>,
    /// When the servers were started that have answered, the latest last. A distributed database answers from several.
    servers: VecDeque<DateTime<Utc>>,
}

/// How many [servers](Position::servers) are remembered.
const SERVERS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    highest: i64,
    at: Instant,
    /// Whoever has a place before this has a transaction of a lower number.
    numbered: Option<i64>,
}

impl Seen {
    fn is_old(&self, now: Instant) -> bool {
        now.duration_since(self.at) > OVERLAP
    }
}

impl Position {
    /// Takes in how far the feed goes, and says whether it must be read anew: its sequence has gone back since it was `known`, or
    /// another server has taken over, behind whose sequence it may have gone back and passed unseen.
    fn has_gone_back(&self, known: Option<FeedExtent>, extent: FeedExtent) -> bool {
        let server = extent.server_started_at;
        let is_new = !self.servers.contains(&server);
        known.is_some_and(|known| extent.last < known.last || is_new && server != known.server_started_at)
    }

    /// Remembers the server that answered, and begins at the start where the database has gone back. Called only after the
    /// feed was read from there: a read that fails is repeated by the next round.
    fn accept(&mut self, server: DateTime<Utc>, gone_back: bool) {
        if !self.servers.contains(&server) {
            self.servers.push_back(server);
            if self.servers.len() > SERVERS {
                self.servers.pop_front();
            }
        }
        if gone_back {
            (self.settled, self.recent) = (0, VecDeque::new());
        }
    }

    fn see(&mut self, now: Instant, highest: Option<i64>) {
        if let Some(highest) = highest.filter(|highest| self.recent.back().is_none_or(|last| last.highest < *highest)) {
            self.recent.push_back(Seen { highest, at: now, numbered: None });
        }
    }

    /// Whether anything was seen so long ago that it may be settled.
    fn is_to_settle(&self, now: Instant) -> bool {
        self.recent.front().is_some_and(|seen| seen.is_old(now))
    }

    /// Settles what was written by transactions that are over; whether a number is needed for what remains.
    fn settle(&mut self, now: Instant, running: Running) -> bool {
        while let Some(seen) = self.recent.pop_front_if(|seen| seen.numbered.is_some_and(|it| it < running.oldest)) {
            self.settled = seen.highest;
        }
        for seen in &mut self.recent {
            // One that the database has not come to yet is of the time before it was restored.
            seen.numbered = seen.numbered.filter(|number| *number < running.next);
        }
        self.recent.iter().any(|seen| seen.is_old(now) && seen.numbered.is_none())
    }

    fn number(&mut self, now: Instant, number: i64) {
        for seen in self.recent.iter_mut().filter(|seen| seen.is_old(now)) {
            seen.numbered.get_or_insert(number);
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
    let mut conn = app.job_pool.get().await?;
    let after = position.settled;
    if position.is_to_settle(started) && position.settle(started, transactions::find_running(&mut conn).await?) {
        position.number(started, transactions::take_number(&mut conn).await?);
    }
    let mut read = revocations::find_after(&mut conn, after, now).await?;
    let known = app.revocations.fed();
    let anew = position.has_gone_back(known.map(|fed| fed.extent), read.extent);
    if anew {
        tracing::warn!("the database was restored, restarted or failed over: the revocation feed is read anew");
        read = revocations::find_after(&mut conn, 0, now).await?;
    }
    drop(conn);
    let FeedReading { revocations, extent } = read;
    position.accept(extent.server_started_at, anew);
    let (ended, stale) = parts(&revocations);
    app.revocations.revoke(ended);
    if anew {
        app.revocations.replace_stale(started, stale);
    } else {
        for (user, expires_at) in stale {
            app.revocations.make_stale(user, expires_at);
        }
    }
    position.see(started, revocations.last().map(|revocation| revocation.sequence));
    let epoch = known.map_or(0, |fed| fed.epoch).wrapping_add(anew.into());
    app.revocations.feed(Fed { at: started, settled: position.settled, extent, epoch }, now);
    Ok(())
}

type Ended = Vec<(SessionId, DateTime<Utc>)>;
type Stale = Vec<(StaleUser, DateTime<Utc>)>;

/// The ended sessions and the stale users among revocations, each with when the last of its tokens has expired.
fn parts(revocations: &[Revocation]) -> (Ended, Stale) {
    let (mut ended, mut stale) = (Vec::new(), Vec::new());
    for revocation in revocations {
        match revocation.revoked {
            Revoked::Session(session_id) => ended.push((session_id, revocation.expires_at)),
            Revoked::StaleUser(user) => stale.push((user, revocation.expires_at)),
        }
    }
    (ended, stale)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{DateTime, Duration, FeedExtent, Instant, OVERLAP, Position, Running};

    /// Settles, with a number of this transaction if one is needed.
    fn settle(position: &mut Position, now: Instant, (oldest, next): (i64, i64), number: i64) -> i64 {
        if position.is_to_settle(now) && position.settle(now, Running { oldest, next }) {
            position.number(now, number);
        }
        position.settled
    }

    #[test]
    fn what_was_read_is_read_again_until_no_commit_can_come_late() {
        let start = Instant::now();
        let mut position = Position::default();
        position.see(start, Some(10));
        position.see(start + Duration::from_secs(1), Some(12));
        assert!(!position.is_to_settle(start + OVERLAP));
        let late = start + OVERLAP + Duration::from_millis(1);
        assert_eq!(settle(&mut position, late, (100, 105), 106), 0);
        assert_eq!(settle(&mut position, late, (106, 110), 110), 0, "number 106 itself may be running");
        assert_eq!(settle(&mut position, late, (107, 110), 110), 10);
        let later = start + OVERLAP + Duration::from_secs(2);
        assert_eq!(settle(&mut position, later, (112, 112), 112), 10);
        assert_eq!(settle(&mut position, later, (113, 113), 113), 12);
        assert!(!position.is_to_settle(later + OVERLAP));
    }

    /// Looks at a feed and reads it with success.
    fn look(position: &mut Position, known: Option<FeedExtent>, extent: FeedExtent) -> bool {
        let gone_back = position.has_gone_back(known, extent);
        position.accept(extent.server_started_at, gone_back);
        gone_back
    }

    #[test]
    fn a_feed_that_has_gone_back_or_may_have_is_read_anew() {
        let extent = |last, server| FeedExtent {
            last,
            server_started_at: DateTime::from_timestamp(1_900_000_000_i64 + server, 0).unwrap(),
        };
        let mut position = Position::default();
        assert!(!look(&mut position, None, extent(40, 0)), "the first look");
        position.settled = 30;
        assert!(!look(&mut position, Some(extent(40, 0)), extent(40, 0)));
        assert!(!look(&mut position, Some(extent(40, 0)), extent(90, 0)));
        assert_eq!(position.settled, 30);
        // By one number is enough, wherever it was settled.
        assert!(look(&mut position, Some(extent(90, 0)), extent(89, 0)));
        assert_eq!(position.settled, 0);
        assert!(!look(&mut position, Some(extent(89, 0)), extent(89, 0)));
        // Another server may have given out the same numbers a second time.
        assert!(look(&mut position, Some(extent(89, 0)), extent(95, 7)));
        assert!(!look(&mut position, Some(extent(95, 7)), extent(95, 7)));
        // The nodes of a distributed database take turns in answering.
        assert!(!look(&mut position, Some(extent(95, 7)), extent(96, 0)));
        assert!(!look(&mut position, Some(extent(96, 0)), extent(97, 7)));
        // A job that was started again knows what had been read before.
        assert!(look(&mut Position::default(), Some(extent(97, 7)), extent(2, 7)));
    }

    #[test]
    fn a_restored_database_is_asked_again() {
        let start = Instant::now();
        let mut position = Position::default();
        position.see(start, Some(10));
        let late = start + OVERLAP * 2;
        assert_eq!(settle(&mut position, late, (9_000, 9_001), 9_001), 0);
        assert_eq!(settle(&mut position, late, (50, 60), 61), 0);
        assert_eq!(settle(&mut position, late, (62, 62), 63), 10);
    }
}
