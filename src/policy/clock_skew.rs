//! How far this machine's clock may differ from the database's.
//!
//! Replicas compare times that other replicas have stored. A replica whose clock is wrong would delete what is still good,
//! rotate keys early, and write revocations that are over for the others.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock;

/// The largest difference that is tolerated.
const TOLERANCE: TimeDelta = TimeDelta::minutes(1);

/// One comparison of the two clocks.
#[derive(Clone, Copy, Debug)]
pub struct ClockReading {
    /// How far this machine's clock is ahead of the database's; negative when it is behind.
    ahead: TimeDelta,
    /// The largest error of `ahead`: half of the round trip.
    uncertainty: TimeDelta,
}

/// This machine's clock differs from the database's by more than is tolerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this machine's clock is {} s {} the database's", self.seconds(), self.direction())]
pub struct ClockSkewed(TimeDelta);

impl ClockSkewed {
    /// Rounded to the nearest second, so that two readings say the same.
    fn seconds(self) -> i64 {
        (self.0.num_milliseconds().saturating_abs().saturating_add(500)) / 1000
    }

    fn direction(self) -> &'static str {
        if self.0 > TimeDelta::zero() { "ahead of" } else { "behind" }
    }
}

impl ClockReading {
    /// Compares the database's time with this machine's at the middle of the round trip that was begun at `asked_at`.
    #[must_use]
    pub fn new(asked_at: DateTime<Utc>, round_trip: Duration, database: DateTime<Utc>) -> Self {
        let half = round_trip / 2;
        Self {
            ahead: clock::add(asked_at, half) - database,
            uncertainty: TimeDelta::from_std(half).unwrap_or(TimeDelta::MAX),
        }
    }

    /// Fails when the clocks differ by more than is tolerated, whatever part of the round trip the answer took.
    ///
    /// # Errors
    /// By how much they differ.
    pub fn check(self) -> Result<(), ClockSkewed> {
        let certain = self.ahead.abs() - self.uncertainty.min(self.ahead.abs());
        if certain > TOLERANCE { Err(ClockSkewed(self.ahead)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use chrono::{DateTime, TimeDelta, Utc};

    use super::ClockReading;

    fn check(ahead: i64, round_trip: Duration) -> Result<(), String> {
        let asked_at: DateTime<Utc> = "2030-01-01T12:00:00Z".parse().unwrap();
        let database = asked_at + round_trip / 2 - TimeDelta::seconds(ahead);
        ClockReading::new(asked_at, round_trip, database).check().map_err(|skewed| skewed.to_string())
    }

    #[test]
    fn a_minute_either_way_is_tolerated() {
        for ahead in [0, 60, -60] {
            check(ahead, Duration::ZERO).unwrap();
        }
        let told = check(61, Duration::ZERO).unwrap_err();
        assert_eq!(told, "this machine's clock is 61 s ahead of the database's");
        let told = check(-86_400, Duration::ZERO).unwrap_err();
        assert_eq!(told, "this machine's clock is 86400 s behind the database's");
    }

    #[test]
    fn a_slow_answer_is_no_proof() {
        check(65, Duration::from_secs(10)).unwrap();
        check(66, Duration::from_secs(10)).unwrap_err();
        check(-3600, Duration::from_hours(3)).unwrap();
    }
}
