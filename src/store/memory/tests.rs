#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::limits::{Question, Subject};
use super::{KEPT, Memory};
use crate::model::operation::{AttemptId, Limit, LimitKind, Operation, Scope};

const OF_DEVICE: Limit = Limit {
    kind: LimitKind::Throttle,
    scope: Scope::Device,
    count: 1,
    window: Duration::from_secs(30),
    wait: Duration::from_mins(5),
    in_flight: None,
    spares_known: false,
};

const OF_ADDRESS: Limit = Limit { scope: Scope::IpAddress, ..OF_DEVICE };

fn start() -> DateTime<Utc> {
    "2030-01-01T12:00:00Z".parse().unwrap()
}

fn at(now: DateTime<Utc>) -> AttemptId {
    AttemptId { at: now, number: 0 }
}

fn subject(number: u128) -> Subject {
    Subject(number.to_be_bytes())
}

fn ask(memory: &Memory, limits: &[(Limit, Subject)], now: DateTime<Utc>) -> bool {
    memory.admit(&Question { operation: Operation::Login, limits: limits.to_vec(), attempt: at(now) }).is_ok()
}

fn kept(memory: &Memory) -> usize {
    memory.counts(Operation::Login).unwrap().0.values().map(lru::LruCache::len).sum()
}

#[test]
fn a_flood_of_invented_devices_is_bounded_and_does_not_reach_the_addresses() {
    let memory = Memory::default();
    let address = subject(7);
    assert!(ask(&memory, &[(OF_ADDRESS, address)], start()));
    for device in 0..u128::try_from(KEPT.get()).unwrap() * 3 {
        assert!(ask(&memory, &[(OF_DEVICE, subject(device))], start()));
    }
    assert_eq!(kept(&memory), KEPT.get() + 1);
    assert!(!ask(&memory, &[(OF_ADDRESS, address)], start()), "the address was forgotten");
}

#[test]
fn who_keeps_asking_is_not_forgotten_in_a_flood() {
    let memory = Memory::default();
    let noisy = subject(u128::MAX);
    assert!(ask(&memory, &[(OF_DEVICE, noisy)], start()));
    for device in 0..u128::try_from(KEPT.get()).unwrap() * 2 {
        assert!(ask(&memory, &[(OF_DEVICE, subject(device))], start()));
        if device % 1000 == 0 {
            assert!(!ask(&memory, &[(OF_DEVICE, noisy)], start()));
        }
    }
}

#[test]
fn the_spaces_of_devices_addresses_and_operations_are_apart() {
    let memory = Memory::default();
    let same = subject(1);
    assert!(ask(&memory, &[(OF_DEVICE, same)], start()));
    assert!(ask(&memory, &[(OF_ADDRESS, same)], start()));
    let elsewhere = Question { operation: Operation::Refresh, limits: vec![(OF_DEVICE, same)], attempt: at(start()) };
    assert!(memory.admit(&elsewhere).is_ok());
    assert!(!ask(&memory, &[(OF_DEVICE, same)], start() + TimeDelta::seconds(29)));
}
