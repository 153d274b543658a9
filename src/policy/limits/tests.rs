#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Refused, Tally, admit};
use crate::model::operation::{Limit, LimitKind, Scope};

const THROTTLE: Limit = Limit {
    kind: LimitKind::Throttle,
    scope: Scope::Device,
    count: 4,
    window: Duration::from_secs(30),
    wait: Duration::from_mins(5),
};

const OF_ADDRESS: Limit = Limit { scope: Scope::IpAddress, count: 6, wait: Duration::from_mins(10), ..THROTTLE };

const LOCKOUT: Limit = Limit {
    kind: LimitKind::Lockout,
    scope: Scope::Device,
    count: 3,
    window: Duration::from_mins(2),
    wait: Duration::from_mins(30),
};

fn start() -> DateTime<Utc> {
    "2030-01-01T12:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

fn ask(limit: Limit, tally: &mut Tally, seconds: i64) -> Result<(), Refused> {
    admit(&mut [(limit, tally)], at(seconds))
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
    for attempt in 0..40 {
        let outcome = admit(&mut [(THROTTLE, &mut device), (OF_ADDRESS, &mut address)], at(0));
        assert_eq!(outcome.is_ok(), attempt < 4);
    }
    for _ in 0..2 {
        admit(&mut [(THROTTLE, &mut other), (OF_ADDRESS, &mut address)], at(1)).unwrap();
    }
    let refused = admit(&mut [(THROTTLE, &mut other), (OF_ADDRESS, &mut address)], at(1));
    assert_eq!(refused, Err(Refused { limit: 1, until: at(601), waited: false }));
    // Both wait now; the longer wait is the true one.
    let refused = admit(&mut [(THROTTLE, &mut device), (OF_ADDRESS, &mut address)], at(2));
    assert_eq!(refused, Err(Refused { limit: 1, until: at(601), waited: true }));
}

#[test]
fn the_failure_that_reaches_the_limit_locks_and_a_success_is_given_back() {
    let mut tally = Tally::default();
    for _ in 0..20 {
        ask(LOCKOUT, &mut tally, 0).unwrap();
        tally.give_back(at(0), at(0));
    }
    for second in 1..4 {
        ask(LOCKOUT, &mut tally, second).unwrap();
    }
    let under_way = Err(Refused { limit: 0, until: at(5), waited: false });
    assert_eq!(ask(LOCKOUT, &mut tally, 4), under_way, "three may all fail, and may all succeed");
    tally.give_back(at(2), at(4));
    ask(LOCKOUT, &mut tally, 5).unwrap();
    for second in [1, 3, 5] {
        tally.fail(&LOCKOUT, at(second), at(6));
    }
    let locked = Err(Refused { limit: 0, until: at(1806), waited: true });
    assert_eq!(ask(LOCKOUT, &mut tally, 6), locked);
    tally.fail(&LOCKOUT, at(2), at(7));
    assert_eq!(ask(LOCKOUT, &mut tally, 1805), locked);
    for _ in 0..3 {
        ask(LOCKOUT, &mut tally, 1806).unwrap();
    }
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
