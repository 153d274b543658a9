//! When a mail is tried again, and when it is given up. Pure: times are arguments.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock;

/// How many attempts a mail without a code has, where only this mail is put off.
const ATTEMPTS: u16 = 10;

/// The longest pause where a reader waits for a code.
const AWAITED_LONGEST: Duration = Duration::from_secs(10);

/// The longest pause where no mail can leave at all: mail flows again within this time.
const WAY_OUT_LONGEST: Duration = Duration::from_secs(5);

/// The pause after each failed attempt.
const PAUSES: [Duration; 9] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_hours(1),
];

/// The longest pause of a mail that an operator's mending lets through.
const FOR_OPERATORS: Duration = Duration::from_mins(10);

/// Mail that expires this soon after it was written has a reader who waits for it.
const AWAITED: TimeDelta = TimeDelta::hours(1);

/// How long mail without a code is kept for a server that takes none (RFC 5321, 4.5.4.1).
const KEPT: Duration = Duration::from_hours(5 * 24);

/// The times of a mail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// When it was written.
    pub(super) created_at: DateTime<Utc>,
    /// When the code in it ends, if there is one.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl Times {
    /// Whether the mail is not worth sending any more.
    pub(super) fn is_over(self, now: DateTime<Utc>) -> bool {
        self.expires_at.unwrap_or_else(|| clock::add(self.created_at, KEPT)) <= now
    }

    fn is_awaited(self) -> bool {
        self.expires_at.is_some_and(|end| end - self.created_at <= AWAITED)
    }

    /// The pause after this attempt, the first being 1, where the mail itself may pass later; `None` when it is given up. A mail
    /// whose reader waits is tried until its code ends.
    pub(super) fn pause(self, attempt: u16) -> Option<Duration> {
        if self.is_awaited() {
            return Some(of(attempt).min(AWAITED_LONGEST));
        }
        (attempt < ATTEMPTS).then(|| of(attempt))
    }

    /// The pause after this attempt where an operator has to mend something: the mail is not given up before it is over.
    pub(super) fn pause_for_operator(self, attempt: u16) -> Duration {
        of(attempt).min(if self.is_awaited() { AWAITED_LONGEST } else { FOR_OPERATORS })
    }
}

/// The pause after so many failures in a row of the way out as a whole.
pub(super) fn of_way_out(failures: u16) -> Duration {
    of(failures).min(WAY_OUT_LONGEST)
}

fn of(attempt: u16) -> Duration {
    let place = usize::from(attempt.saturating_sub(1));
    PAUSES.get(place).or(PAUSES.last()).copied().unwrap_or(FOR_OPERATORS)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn times(life: Option<TimeDelta>) -> Times {
        let created_at = "2030-01-01T00:00:00Z".parse().unwrap();
        Times { created_at, expires_at: life.map(|life| created_at + life) }
    }

    #[test]
    fn a_code_is_tried_every_ten_seconds_until_it_ends() {
        let code = times(Some(TimeDelta::seconds(180)));
        let pauses: Vec<u64> = (1..=6).map(|attempt| code.pause(attempt).unwrap().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        assert_eq!((code.pause(500), code.pause_for_operator(500)), (Some(AWAITED_LONGEST), AWAITED_LONGEST));
        assert!(!code.is_over(code.created_at + TimeDelta::seconds(179)));
        assert!(code.is_over(code.created_at + TimeDelta::seconds(180)));
    }

    #[test]
    fn a_notice_has_ten_attempts_and_a_mailer_that_is_refused_all_the_time_it_needs() {
        for notice in [times(None), times(Some(TimeDelta::days(3)))] {
            assert_eq!((notice.pause(9), notice.pause(10)), (Some(Duration::from_hours(1)), None));
            assert_eq!(notice.pause_for_operator(900), FOR_OPERATORS);
        }
        let notice = times(None);
        assert!(!notice.is_over(notice.created_at + TimeDelta::days(4)));
        assert!(notice.is_over(notice.created_at + TimeDelta::days(5)));
    }

    #[test]
    fn the_way_out_is_tried_again_within_five_seconds() {
        assert_eq!([1, 2, 3, 4, 5, 1000].map(|failures| of_way_out(failures).as_secs()), [1, 2, 4, 5, 5, 5]);
    }
}
