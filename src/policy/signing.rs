//! When the keys that sign access tokens take turns.
//!
//! There is always one that signs and one that is published to sign next, so that whoever keeps the public keys for a while
//! knows a key before the first token of it appears.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock;

/// How long the next key is published at least before it signs by itself.
const LEAD: Duration = Duration::from_hours(24);

/// The key that signs.
#[derive(Clone, Copy, Debug)]
pub struct Active {
    /// Whether it is of the algorithm that tokens are to be signed with.
    pub fits: bool,
    /// Since when it signs.
    pub since: DateTime<Utc>,
}

/// The key that is to sign next.
#[derive(Clone, Copy, Debug)]
pub struct Next {
    /// Whether it is of the algorithm that tokens are to be signed with.
    pub fits: bool,
    /// Since when it is published.
    pub since: DateTime<Utc>,
}

/// What is to be done about the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// A key that signs next is to be made.
    NextKey,
    /// The next key is to sign from now on, and another one to be made.
    Rotation,
}

/// What is to be done now, if a key signs for as long as `rotation`.
#[must_use]
pub fn due(active: Option<Active>, next: Option<Next>, rotation: Duration, now: DateTime<Utc>) -> Due {
    let Some(active) = active.filter(|active| active.fits) else { return Due::Rotation };
    let Some(next) = next.filter(|next| next.fits) else { return Due::NextKey };
    if takes_over_at(active.since, next.since, rotation) <= now { Due::Rotation } else { Due::Nothing }
}

/// When the key published at `published` signs, the other one having done so since `active_since`.
#[must_use]
pub fn takes_over_at(active_since: DateTime<Utc>, published: DateTime<Utc>, rotation: Duration) -> DateTime<Utc> {
    clock::add(active_since, rotation).max(clock::add(published, LEAD))
}

#[cfg(test)]
mod tests {
    use super::{Active, DateTime, Due, Duration, Next, Utc, due};

    const ROTATION: Duration = Duration::from_hours(30 * 24);

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::TimeDelta::days(day)
    }

    fn at(today: i64, active: Option<i64>, next: Option<i64>) -> Due {
        let active = active.map(|since| Active { fits: true, since: day(since) });
        due(active, next.map(|since| Next { fits: true, since: day(since) }), ROTATION, day(today))
    }

    #[test]
    fn a_key_signs_for_a_rotation() {
        assert_eq!(at(29, Some(0), Some(0)), Due::Nothing);
        assert_eq!(at(30, Some(0), Some(0)), Due::Rotation);
        assert_eq!(at(99, Some(0), Some(0)), Due::Rotation);
    }

    #[test]
    fn the_next_key_is_published_for_a_day_before_it_signs() {
        assert_eq!(at(99, Some(0), None), Due::NextKey);
        assert_eq!(at(99, Some(0), Some(99)), Due::Nothing);
        assert_eq!(at(100, Some(0), Some(99)), Due::Rotation);
    }

    #[test]
    fn without_a_key_that_fits_one_signs_at_once() {
        assert_eq!(at(0, None, None), Due::Rotation);
        assert_eq!(at(0, None, Some(0)), Due::Rotation);
        let (active, next) = (Active { fits: true, since: day(0) }, Next { fits: true, since: day(0) });
        let other = Some(Active { fits: false, ..active });
        assert_eq!(due(other, Some(next), ROTATION, day(1)), Due::Rotation);
        let other = Some(Next { fits: false, ..next });
        assert_eq!(due(Some(active), other, ROTATION, day(1)), Due::NextKey);
    }
}
