//! The live revocations, in memory: what makes a check cost no I/O.
//!
//! Fed by this process at once and by the feed's job from every other; how old the feed may be before it is no longer
//! trusted is the reader's business. Who wants to hear of each as it comes can [subscribe](Revocations::subscribe).

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::access::Grant;
use crate::model::id::{SessionId, UserId};
use crate::model::revocation::{FeedExtent, Revoked, StaleUser};

/// How many revocations may wait for a subscriber; one that is further behind is told so.
const BACKLOG: usize = 4096;

/// The access tokens that must be refused although they verify, each until it has expired.
#[derive(Debug)]
pub struct Revocations {
    known: RwLock<Known>,
    fed: RwLock<Option<Fed>>,
    news: broadcast::Sender<Revoked>,
}

/// How far the feed has been read.
#[derive(Clone, Copy, Debug)]
pub struct Fed {
    /// When: everything in it then is in memory.
    pub at: Instant,
    /// The place in it up to which nothing more can come.
    pub settled: i64,
    /// How far it went.
    pub extent: FeedExtent,
    /// How often it has been read anew since the process started, because the database had gone back. Places of different
    /// epochs cannot be compared.
    pub epoch: u32,
}

impl Default for Revocations {
    fn default() -> Self {
        Self { known: RwLock::default(), fed: RwLock::default(), news: broadcast::Sender::new(BACKLOG) }
    }
}

#[derive(Debug, Default)]
struct Known {
    /// Sessions that have ended, and when the last of their tokens has expired.
    sessions: HashMap<SessionId, DateTime<Utc>>,
    /// Users whose roles have changed.
    stale_users: HashMap<UserId, Stale>,
}

/// Which tokens of a user are stale.
#[derive(Clone, Copy, Debug)]
struct Stale {
    /// Those of an earlier revision. By `iat` they could not be told from those issued in the same second, nor where the
    /// clocks of two replicas differ.
    before_revision: i64,
    /// When the last of them has expired.
    expires_at: DateTime<Utc>,
    /// When this was taken in.
    noted_at: Instant,
}

impl Revocations {
    /// Takes ended sessions in; one that is known already changes nothing.
    pub fn revoke(&self, sessions: impl IntoIterator<Item = (SessionId, DateTime<Utc>)>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (session_id, expires_at) in sessions {
            if known.sessions.insert(session_id, expires_at).is_none() {
                self.tell(Revoked::Session(session_id));
            }
        }
    }

    /// Makes a user's tokens of before this revision stale; what comes late or again changes nothing.
    pub fn make_stale(&self, user: StaleUser, expires_at: DateTime<Utc>) {
        self.note_stale(&mut self.known.write().unwrap_or_else(PoisonError::into_inner), user, expires_at);
    }

    /// Puts what was read since `begun` from a database that had gone back in the place of what was known of stale users before:
    /// the revisions of users have gone back too, and by those of before even new tokens would be stale. Sessions that ended stay
    /// ended.
    pub fn replace_stale(&self, begun: Instant, read: impl IntoIterator<Item = (StaleUser, DateTime<Utc>)>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.stale_users.retain(|_, stale| stale.noted_at >= begun);
        for (user, expires_at) in read {
            self.note_stale(&mut known, user, expires_at);
        }
    }

    fn note_stale(&self, known: &mut Known, user: StaleUser, expires_at: DateTime<Utc>) {
        let unknown = || Stale { before_revision: i64::MIN, expires_at, noted_at: Instant::now() };
        let stale = known.stale_users.entry(user.user_id).or_insert_with(unknown);
        if stale.before_revision < user.revision {
            (stale.before_revision, stale.noted_at) = (user.revision, Instant::now());
            self.tell(Revoked::StaleUser(user));
        }
        stale.expires_at = stale.expires_at.max(expires_at);
    }

    /// Hears of every revocation that is taken in from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Revoked> {
        self.news.subscribe()
    }

    fn tell(&self, revoked: Revoked) {
        // Nobody need be listening.
        let _ = self.news.send(revoked);
    }

    /// Whether an access token must be refused, as far as this replica knows: its session has ended, or its user's roles
    /// have changed since.
    #[must_use]
    pub fn contain(&self, grant: &Grant) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.sessions.contains_key(&grant.session_id)
            || known.stale_users.get(&grant.user_id).is_some_and(|stale| grant.revision < stale.before_revision)
    }

    /// Notes that everything in the feed at `fed.at` has been taken in, and forgets what has expired by itself.
    pub fn feed(&self, fed: Fed, now: DateTime<Utc>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.sessions.values().any(|expires_at| *expires_at <= now) {
            known.sessions.retain(|_, expires_at| *expires_at > now);
        }
        known.stale_users.retain(|_, stale| stale.expires_at > now);
        *self.fed.write().unwrap_or_else(PoisonError::into_inner) = Some(fed);
    }

    /// How far the feed has been read, if ever.
    #[must_use]
    pub fn fed(&self) -> Option<Fed> {
        *self.fed.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the feed was read within `bound`, so that an absence of a revocation means something.
    #[must_use]
    pub fn is_fresh(&self, bound: Duration) -> bool {
        self.fed().is_some_and(|fed| fed.at.elapsed() <= bound)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::model::device::DeviceId;

    fn grant(user_id: UserId, session_id: SessionId, revision: i64) -> Grant {
        Grant { user_id, session_id, device_id: DeviceId::parse("phone").unwrap(), roles: Vec::new(), revision }
    }

    #[test]
    fn a_change_of_roles_refuses_tokens_of_before_and_none_of_after() {
        let now = DateTime::from_timestamp(1_900_000_000, 0).unwrap();
        let later = now + Duration::from_mins(4);
        let (alice, bob, session) = (UserId::new(now), UserId::new(now), SessionId::new(now));
        let revocations = Revocations::default();
        let stale = |revision| StaleUser { user_id: alice, revision, issued_before: now };
        revocations.make_stale(stale(7), later);
        // An earlier change that comes late.
        revocations.make_stale(stale(5), now);
        assert!(revocations.contain(&grant(alice, session, 6)));
        assert!(!revocations.contain(&grant(alice, session, 7)));
        assert!(!revocations.contain(&grant(bob, session, 1)));

        let extent = FeedExtent { last: 7, server_started_at: now };
        revocations.feed(Fed { at: Instant::now(), settled: 0, extent, epoch: 0 }, now);
        assert!(revocations.contain(&grant(alice, session, 6)));
        revocations.feed(Fed { at: Instant::now(), settled: 0, extent, epoch: 0 }, later);
        assert!(!revocations.contain(&grant(alice, session, 6)));
    }

    #[test]
    fn a_database_that_has_gone_back_takes_its_revisions_with_it_and_no_ended_session() {
        let now = DateTime::from_timestamp(1_900_000_000, 0).unwrap();
        let later = now + Duration::from_mins(4);
        let (alice, bob, session) = (UserId::new(now), UserId::new(now), SessionId::new(now));
        let revocations = Revocations::default();
        let stale = |user_id, revision| StaleUser { user_id, revision, issued_before: now };
        revocations.make_stale(stale(alice, 9), later);
        revocations.revoke([(session, later)]);
        let begun = Instant::now();
        // A change of this process, after the reading had begun.
        revocations.make_stale(stale(bob, 3), later);
        revocations.replace_stale(begun, [(stale(alice, 6), later)]);
        let other = SessionId::new(now);
        assert!(revocations.contain(&grant(alice, other, 5)) && !revocations.contain(&grant(alice, other, 6)));
        assert!(revocations.contain(&grant(bob, other, 2)));
        assert!(revocations.contain(&grant(alice, session, 6)));
    }

    #[test]
    fn an_ended_session_is_refused_at_any_revision() {
        let now = DateTime::from_timestamp(1_900_000_000, 0).unwrap();
        let (alice, session) = (UserId::new(now), SessionId::new(now));
        let revocations = Revocations::default();
        revocations.revoke([(session, now + Duration::from_mins(4))]);
        assert!(revocations.contain(&grant(alice, session, i64::MAX)));
        assert!(!revocations.contain(&grant(alice, SessionId::new(now), 0)));
    }
}
