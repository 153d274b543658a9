//! What to make of a refresh token that is not the current one of a live session.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock;

/// What the store knows of the session that a refresh token names, seen from the presented token.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Whether the device that presents it is the session's.
    pub same_device: bool,
    /// Whether the session has ended or its user may no longer use it.
    pub ended: bool,
    /// When the session expires.
    pub expires_at: DateTime<Utc>,
    /// The session's current generation.
    pub generation: i64,
    /// When the current generation replaced the one before.
    pub rotated_at: DateTime<Utc>,
}

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to another device; nothing happens to the session.
    DeviceMismatch,
    /// The session has ended, or the database does not know this generation yet: it was restored from a backup, or failed over
    /// with commits lost. Then it cannot be told whose token it is, and the client has done nothing wrong.
    Revoked,
    /// The session has expired.
    Expired,
    /// Its successor may have got lost on the way: give the same one again.
    SameSuccessor,
    /// It was left behind long ago: somebody has an old copy, so the session ends.
    Reused,
}

/// Judges a presented generation that could not be rotated.
///
/// The one before the current is given its successor again within `grace` of the rotation; this is what makes a lost reply
/// and two tabs harmless (RFC 9700, 4.14.2, leaves the choice).
#[must_use]
pub fn judge(presented: i64, standing: &Standing, grace: Duration, now: DateTime<Utc>) -> Verdict {
    let one_behind = presented.checked_add(1) == Some(standing.generation);
    if !standing.same_device {
        Verdict::DeviceMismatch
    } else if standing.ended {
        Verdict::Revoked
    } else if now >= standing.expires_at {
        Verdict::Expired
    } else if one_behind && now <= clock::add(standing.rotated_at, grace) {
        Verdict::SameSuccessor
    } else if presented < standing.generation {
        Verdict::Reused
    } else {
        Verdict::Revoked
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Duration, Standing, Verdict, judge};

    const GRACE: Duration = Duration::from_secs(10);

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn standing() -> Standing {
        Standing {
            same_device: true,
            ended: false,
            expires_at: now() + TimeDelta::days(1),
            generation: 5,
            rotated_at: now() - TimeDelta::seconds(10),
        }
    }

    #[test]
    fn the_previous_one_gets_its_successor_again_within_the_grace_only() {
        assert_eq!(judge(4, &standing(), GRACE, now()), Verdict::SameSuccessor);
        assert_eq!(judge(4, &standing(), GRACE, now() + TimeDelta::microseconds(1)), Verdict::Reused);
        assert_eq!(judge(3, &standing(), GRACE, now()), Verdict::Reused);
    }

    #[test]
    fn another_device_learns_nothing_and_changes_nothing() {
        for presented in 0..9 {
            let ended = Standing { same_device: false, ended: true, ..standing() };
            assert_eq!(judge(presented, &ended, GRACE, now()), Verdict::DeviceMismatch);
        }
    }

    #[test]
    fn what_has_ended_is_not_ended_again() {
        assert_eq!(judge(1, &Standing { ended: true, ..standing() }, GRACE, now()), Verdict::Revoked);
        assert_eq!(judge(5, &Standing { expires_at: now(), ..standing() }, GRACE, now()), Verdict::Expired);
    }

    #[test]
    fn a_generation_that_was_not_reached_is_no_reuse() {
        assert_eq!(judge(5, &standing(), GRACE, now()), Verdict::Revoked);
        assert_eq!(judge(i64::MAX, &standing(), GRACE, now()), Verdict::Revoked);
    }
}
