#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::{DateTime, TimeDelta, Utc};

use super::{AccountRule, AccountTally, Duration, Kept, Locked};

const RULE: AccountRule = AccountRule {
    failures: 10,
    window: Duration::from_mins(15),
    lock: Duration::from_mins(5),
    max_lock: Duration::from_hours(24),
    failures_in_a_row: 100,
    kept: Kept { after_lock: Duration::from_hours(24), series: 20, after_series: Duration::from_hours(24 * 90) },
};

fn start() -> DateTime<Utc> {
    "2030-01-01T12:00:00Z".parse().unwrap()
}

/// Fails until the account is locked, and tells how long it is.
fn fail_until_locked(tally: &mut AccountTally, now: &mut DateTime<Utc>) -> Result<TimeDelta, Locked> {
    while tally.locked_until.is_none_or(|until| until <= *now) {
        *now += TimeDelta::seconds(1);
        tally.reserve(&RULE, *now)?;
    }
    let wait = tally.locked_until.unwrap() - *now;
    *now = tally.locked_until.unwrap();
    Ok(wait)
}

#[test]
fn the_tenth_failure_locks_and_each_lock_is_twice_as_long_up_to_a_day() {
    let (mut tally, mut now) = (AccountTally::default(), start());
    let rule = AccountRule { failures_in_a_row: 1000, ..RULE };
    let mut waits = Vec::new();
    for _ in 0..12 {
        for _ in 0..9 {
            now += TimeDelta::seconds(1);
            tally.reserve(&rule, now).unwrap();
            assert!(tally.locked_until.is_none());
        }
        tally.reserve(&rule, now).unwrap();
        let until = tally.locked_until.unwrap();
        assert_eq!(tally.clone().reserve(&rule, until - TimeDelta::microseconds(1)), Err(Locked::Until(until)));
        waits.push((until - now).num_minutes());
        now = until;
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440, 1440]);
}

#[test]
fn a_hundred_failures_in_a_row_are_the_last() {
    let (mut tally, mut now) = (AccountTally::default(), start());
    let locks = std::iter::from_fn(|| fail_until_locked(&mut tally, &mut now).ok()).count();
    assert_eq!((locks, tally.in_a_row), (10, 100));
    let forgotten_at = *tally.attempts.last().unwrap() + TimeDelta::days(90);
    let before = forgotten_at - TimeDelta::microseconds(1);
    assert_eq!(tally.clone().reserve(&RULE, before), Err(Locked::UntilReset));
    assert_eq!(tally.reserve(&RULE, forgotten_at), Ok(()), "no attempt for a quarter of a year");
}

#[test]
fn a_tally_is_kept_for_a_day_and_that_of_a_series_for_90() {
    let mut tally = AccountTally::default();
    tally.reserve(&RULE, start()).unwrap();
    assert_eq!(tally.expires_at, Some(start() + TimeDelta::days(1)));
    for second in 1..20 {
        if let Some(until) = tally.locked_until {
            assert_eq!(tally.expires_at, Some(until + TimeDelta::days(1)));
            assert_eq!(tally.clone().reserve(&RULE, until), Ok(()));
        }
        tally.reserve(&RULE, start() + TimeDelta::minutes(if second < 10 { 0 } else { 6 })).unwrap();
    }
    assert_eq!((tally.in_a_row, tally.expires_at), (20, Some(start() + TimeDelta::minutes(6) + TimeDelta::days(90))));
}

#[test]
fn what_is_older_than_the_window_locks_no_more_but_still_counts_in_a_row() {
    let (mut tally, mut now) = (AccountTally::default(), start());
    for _ in 0..99 {
        tally.reserve(&RULE, now).unwrap();
        assert!(tally.locked_until.is_none());
        now += TimeDelta::minutes(2);
    }
    assert_eq!(tally.in_a_row, 99);
    tally.reserve(&RULE, now).unwrap();
    assert_eq!(tally.reserve(&RULE, now + TimeDelta::minutes(2)), Err(Locked::UntilReset));
}

#[test]
fn an_attempt_that_is_given_back_was_never_made() {
    let (mut tally, now) = (AccountTally::default(), start());
    for second in 0..9 {
        tally.reserve(&RULE, now + TimeDelta::seconds(second)).unwrap();
    }
    let before = tally.clone();
    tally.reserve(&RULE, now + TimeDelta::seconds(9)).unwrap();
    assert!(tally.locked_until.is_some());
    // The row stays as long as the lock would have asked for, because nothing that counts depends on when it goes.
    let kept_longer = AccountTally { expires_at: tally.expires_at, ..before };
    tally.give_back(now + TimeDelta::seconds(9));
    assert_eq!(tally, kept_longer);
    tally.give_back(now + TimeDelta::seconds(10));
    assert_eq!(tally, kept_longer, "what was not counted cannot be given back");
}
