#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Change, Conclusion, Refused, Tally, admit};
use crate::model::operation::{AttemptId, AttemptTag, Limit, LimitKind, Scope};

const THROTTLE: Limit = Limit {
    kind: LimitKind::Throttle,
    scope: Scope::Device,
    count: 4,
    window: Duration::from_secs(30),
    wait: Duration::from_mins(5),
    in_flight: None,
    spares_known: false,
};

const OF_ADDRESS: Limit = Limit { scope: Scope::IpAddress, count: 6, wait: Duration::from_mins(10), ..THROTTLE };

const LOCKOUT: Limit = Limit {
    kind: LimitKind::Lockout,
    scope: Scope::Device,
    count: 3,
    window: Duration::from_mins(2),
    wait: Duration::from_mins(30),
    in_flight: Some(Duration::from_secs(40)),
    spares_known: false,
};

const ALICE: AttemptTag = AttemptTag([1; 8]);
const BOB: AttemptTag = AttemptTag([2; 8]);

fn start() -> DateTime<Utc> {
    "2030-01-01T12:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

fn attempt(seconds: i64, number: u64) -> AttemptId {
    AttemptId { at: at(seconds), number }
}

fn ask(limit: Limit, tally: &mut Tally, seconds: i64) -> Result<(), Refused> {
    admit(&mut [(limit, tally)], attempt(seconds, 0)).map(drop)
}

#[test]
fn n_allows_exactly_n_and_the_next_begins_the_wait() {
    let mut tally = Tally::default();
    for _ in 0..4 {
        ask(THROTTLE, &mut tally, 0).unwrap();
    }
    assert_eq!(ask(THROTTLE, &mut tally, 5), Err(Refused { limit: 0, until: at(305), waited: false }));
    let refused = Err(Refused { limit: 0, until: at(305), waited: true });
    assert_eq!(ask(THROTTLE, &mut tally, 304), refused, "asking does not prolong the wait");
    for _ in 0..4 {
        ask(THROTTLE, &mut tally, 305).unwrap();
    }
    assert!(ask(THROTTLE, &mut tally, 305).is_err());
}

#[test]
fn no_window_of_the_period_holds_more_than_n_wherever_it_begins() {
    let mut tally = Tally::default();
    for second in [0, 27, 28, 29, 30] {
        ask(THROTTLE, &mut tally, second).unwrap();
    }
    assert!(ask(THROTTLE, &mut tally, 31).is_err());
}

#[test]
fn what_the_device_is_refused_takes_nothing_from_the_address() {
    let (mut device, mut other, mut address) = (Tally::default(), Tally::default(), Tally::default());
    for number in 0..40 {
        let outcome = admit(&mut [(THROTTLE, &mut device), (OF_ADDRESS, &mut address)], attempt(0, 0));
        assert_eq!(outcome.is_ok(), number < 4);
    }
    for _ in 0..2 {
        admit(&mut [(THROTTLE, &mut other), (OF_ADDRESS, &mut address)], attempt(1, 0)).unwrap();
    }
    let refused = admit(&mut [(THROTTLE, &mut other), (OF_ADDRESS, &mut address)], attempt(1, 0));
    assert_eq!(refused, Err(Refused { limit: 1, until: at(601), waited: false }));
    // Both wait now; the longer wait is the true one.
    let refused = admit(&mut [(THROTTLE, &mut device), (OF_ADDRESS, &mut address)], attempt(2, 0));
    assert_eq!(refused, Err(Refused { limit: 1, until: at(601), waited: true }));
}

/// Begins attempts and fails them at once.
fn fail(limit: &Limit, tally: &mut Tally, tag: AttemptTag, seconds: i64) -> Change {
    ask(*limit, tally, seconds).unwrap();
    tally.conclude(limit, attempt(seconds, 0), Conclusion::Failed(Some(tag)), at(seconds))
}

#[test]
fn the_failure_that_reaches_the_limit_locks_and_attempts_in_flight_hold_others_up() {
    let mut tally = Tally::default();
    for number in 0..20 {
        let attempt = attempt(0, number);
        admit(&mut [(LOCKOUT, &mut tally)], attempt).unwrap();
        assert_eq!(tally.conclude(&LOCKOUT, attempt, Conclusion::GivenBack, at(0)), Change::None);
    }
    for second in 1..4 {
        ask(LOCKOUT, &mut tally, second).unwrap();
    }
    let in_flight = Err(Refused { limit: 0, until: at(5), waited: false });
    assert_eq!(ask(LOCKOUT, &mut tally, 4), in_flight, "three may all fail, and may all succeed");
    tally.conclude(&LOCKOUT, attempt(2, 0), Conclusion::GivenBack, at(4));
    ask(LOCKOUT, &mut tally, 5).unwrap();
    for second in [1, 3] {
        assert_eq!(tally.conclude(&LOCKOUT, attempt(second, 0), Conclusion::Failed(None), at(6)), Change::None);
    }
    assert_eq!(tally.conclude(&LOCKOUT, attempt(5, 0), Conclusion::Failed(None), at(6)), Change::Locked);
    let locked = Err(Refused { limit: 0, until: at(1806), waited: true });
    assert_eq!(ask(LOCKOUT, &mut tally, 6), locked);
    assert_eq!(tally.conclude(&LOCKOUT, attempt(2, 0), Conclusion::Failed(None), at(7)), Change::None);
    assert_eq!(ask(LOCKOUT, &mut tally, 1805), locked, "what fails meanwhile does not prolong it");
    for second in 1806..1809 {
        ask(LOCKOUT, &mut tally, second).unwrap();
    }
}

#[test]
fn an_attempt_whose_conclusion_was_lost_is_dropped() {
    let mut tally = Tally::default();
    for number in 0..3 {
        admit(&mut [(LOCKOUT, &mut tally)], attempt(0, number)).unwrap();
    }
    ask(LOCKOUT, &mut tally, 39).unwrap_err();
    ask(LOCKOUT, &mut tally, 40).unwrap();
    // One that comes late all the same has failed when it says so.
    tally.conclude(&LOCKOUT, attempt(0, 0), Conclusion::Failed(None), at(41));
    tally.conclude(&LOCKOUT, attempt(40, 0), Conclusion::Failed(None), at(41));
    assert_eq!(fail(&LOCKOUT, &mut tally, ALICE, 42), Change::Locked);
}

#[test]
fn where_no_guess_can_succeed_nobody_is_held_up() {
    let limit = Limit { in_flight: None, ..LOCKOUT };
    let mut tally = Tally::default();
    for number in 0..50 {
        admit(&mut [(limit, &mut tally)], attempt(0, number)).unwrap();
    }
    let changes = [0, 1, 2, 3].map(|n| tally.conclude(&limit, attempt(0, n), Conclusion::Failed(None), at(1)));
    assert_eq!(changes, [Change::None, Change::None, Change::Locked, Change::None]);
    ask(limit, &mut tally, 2).unwrap_err();
}

#[test]
fn a_success_takes_back_the_failures_of_its_own_tag_and_lifts_what_they_led_to() {
    let mut tally = Tally::default();
    fail(&LOCKOUT, &mut tally, ALICE, 0);
    fail(&LOCKOUT, &mut tally, BOB, 1);
    tally.conclude(&LOCKOUT, attempt(2, 0), Conclusion::Succeeded(ALICE), at(2));
    fail(&LOCKOUT, &mut tally, BOB, 3);
    assert_eq!(fail(&LOCKOUT, &mut tally, ALICE, 4), Change::Locked);
    // Nobody washes the failures of another away.
    let nobody = AttemptTag([3; 8]);
    assert_eq!(tally.conclude(&LOCKOUT, attempt(5, 0), Conclusion::Succeeded(nobody), at(5)), Change::None);
    ask(LOCKOUT, &mut tally, 6).unwrap_err();
    // Long after, since what led to a lockout stays with it.
    assert_eq!(tally.conclude(&LOCKOUT, attempt(5, 0), Conclusion::Succeeded(ALICE), at(900)), Change::Lifted);
    ask(LOCKOUT, &mut tally, 900).unwrap();
}

#[test]
fn a_limit_that_spares_known_devices_leaves_its_refusal_to_the_flow() {
    let sparing = Limit { spares_known: true, ..LOCKOUT };
    let (mut strict, mut tally) = (Tally::default(), Tally::default());
    for second in 0..3 {
        fail(&sparing, &mut tally, ALICE, second);
    }
    let admitted = admit(&mut [(OF_ADDRESS, &mut strict), (sparing, &mut tally)], attempt(3, 0)).unwrap();
    assert_eq!(admitted.unless_known, Some(Refused { limit: 1, until: at(1802), waited: true }));
    // A failure of a device that was spared does not prolong what holds for others.
    tally.conclude(&sparing, attempt(3, 0), Conclusion::Failed(Some(BOB)), at(4));
    assert_eq!(tally.refused_until(at(4)), Some(at(1802)));
    assert_eq!(admit(&mut [(sparing, &mut tally)], attempt(1802, 0)).unwrap().unless_known, None);
}

#[test]
fn what_is_over_can_be_forgotten() {
    let mut tally = Tally::default();
    assert!(tally.is_over(&THROTTLE, at(0)));
    ask(THROTTLE, &mut tally, 0).unwrap();
    assert!(!tally.is_over(&THROTTLE, at(29)));
    assert!(tally.is_over(&THROTTLE, at(30)));
    for _ in 0..4 {
        let _ = ask(THROTTLE, &mut tally, 30);
    }
    ask(THROTTLE, &mut tally, 31).unwrap_err();
    assert!(!tally.is_over(&THROTTLE, at(330)));
    assert!(tally.is_over(&THROTTLE, at(331)));
}
