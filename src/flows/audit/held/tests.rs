#![expect(clippy::indexing_slicing, reason = "tests")]

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use uuid::Uuid;

use super::{
    Act, Audit, DateTime, Event, EventKind, Held, HeldEvents, MAX_UNWRITTEN, MergeKey, Occurrence, Subject, Utc,
};
use crate::model::audit::Actor;
use crate::model::lockout::LockoutKey;

fn held() -> HeldEvents {
    let [per_network, in_all] = [20, 600].map(|count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
    let settings = Audit { retention: Duration::ZERO, events_per_network: per_network, events_in_all: in_all };
    HeldEvents::new(&settings)
}

fn at(seconds: u64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn from(kind: EventKind, address: u32, seconds: u64) -> Occurrence {
    let by = Act { ip_address: Some(IpAddr::V4(Ipv4Addr::from_bits(address))), ..Act::system() };
    Occurrence { by, event: Event::new(kind, Subject::Nothing), at: at(seconds), count: 1 }
}

fn refuse(held: &mut Held, lockout: u8, address: u32, seconds: u64) -> bool {
    let key = LockoutKey::Account { address_hash: vec![lockout], device_id: String::new() };
    let occurrence = from(EventKind::LoginFailed, address, seconds);
    held.merge_refusal(MergeKey::LoginLockedOut(key), &occurrence, at(seconds + 300))
}

fn deny(held: &mut Held, caller: u128, method: &str, seconds: u64) {
    let occurrence = from(EventKind::AccessDenied, 1, seconds);
    let caller = Actor::User(Uuid::from_u128(caller).into()).id();
    held.merge_denial(MergeKey::Denied { caller, method: method.to_owned() }, occurrence);
}

fn details<'a>(row: &'a Occurrence, name: &str) -> &'a str {
    let found = row.event.details.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

#[test]
fn a_denial_is_written_once_a_minute_and_each_method_by_itself() {
    let events = held();
    for (caller, method, seconds) in [(1, "ListUsers", 0), (1, "GetUser", 1), (2, "ListUsers", 2), (1, "ListUsers", 59)]
    {
        deny(&mut events.lock(), caller, method, seconds);
    }
    let written = events.take(at(59), false);
    assert_eq!(written.len(), 3, "{written:?}");
    events.put_back(written);
    deny(&mut events.lock(), 1, "ListUsers", 60);
    deny(&mut events.lock(), 1, "ListUsers", 61);
    let written = events.take(at(61), false);
    assert_eq!(written.iter().map(|row| row.count).collect::<Vec<_>>(), [1, 1, 1, 1]);
    assert_eq!(events.take(at(120), false).iter().map(|row| row.count).collect::<Vec<_>>(), [2]);
}

#[test]
fn denials_that_find_no_room_are_counted() {
    let events = held();
    for caller in 0..15_000 {
        deny(&mut events.lock(), caller, "ListUsers", 0);
    }
    let written = events.take(at(0), true);
    assert_eq!(written.len(), MAX_UNWRITTEN + 1);
    let report = written.last().map(|row| [details(row, "ceiling"), details(row, "kinds")]);
    assert_eq!(report, Some(["MEMORY", "ACCESS_DENIED=5000"]));
}

#[test]
fn an_hour_at_a_locked_account_leaves_a_row_a_minute_and_every_refusal_is_counted() {
    let events = held();
    let (mut rows, mut refused) = (0, 0);
    for second in 0..3600 {
        for _ in 0..10 {
            refused += 1;
            rows += u64::from(refuse(&mut events.lock(), 1, 1, second));
        }
        for row in events.take(at(second), false) {
            assert_eq!(row.count, 600 - u64::from(second == 60));
            refused -= row.count;
            rows += 1;
        }
    }
    for row in events.take(at(3600), true) {
        refused -= row.count;
        rows += 1;
    }
    assert_eq!((rows, refused), (61, 1));
}

#[test]
fn the_first_refusal_of_a_lockout_is_on_record_above_any_ceiling() {
    let events = held();
    let mut held = events.lock();
    let failed = from(EventKind::LoginFailed, 1, 0);
    while held.admit(super::counted(&failed), at(0)) {}
    assert!(refuse(&mut held, 1, 1, 0));
    assert!(refuse(&mut held, 2, 1, 0));
    assert!(!refuse(&mut held, 1, 1, 0));
    // Those that follow are below the ceilings of the minute of their row, and are counted as often as they were.
    assert!(!refuse(&mut held, 1, 2, 1));
    for address in 0..700 {
        held.admit(super::counted(&from(EventKind::LoginFailed, address, 60)), at(60));
    }
    drop(held);
    let reports = events.take(at(60), false);
    assert_eq!(reports.iter().map(|row| details(row, "count")).collect::<Vec<_>>(), ["1"]);
    let reports = events.take(at(60), true);
    assert_eq!(reports.iter().map(|row| details(row, "count")).collect::<Vec<_>>(), ["102"]);
    let networks: Vec<_> = reports.iter().flat_map(|row| details(row, "networks").split(',')).collect();
    assert!(networks.iter().all(|network| network.ends_with("=1")), "{networks:?}");
}

#[test]
fn a_report_has_the_counts_by_kind_and_the_largest_networks() {
    let events = held();
    for (kind, address, count) in [
        (EventKind::LoginFailed, 0xcb00_7101, 50),
        (EventKind::RegistrationCreated, 0xcb00_7102, 23),
        (EventKind::LoginFailed, 0xcb00_7102, 2),
    ] {
        for second in 0..count {
            events.lock().admit(super::counted(&from(kind, address, second)), at(second));
        }
    }
    let reports = events.take(at(60), false);
    assert_eq!(reports.len(), 1);
    let report = &reports[0];
    assert_eq!((report.event.kind, report.at, report.by.actor), (EventKind::AuditEventsOmitted, at(49), Actor::System));
    let told = ["ceiling", "count", "kinds", "networks", "start_time"].map(|name| details(report, name));
    assert_eq!(
        told,
        [
            "NETWORK",
            "35",
            "REGISTRATION_CREATED=3,LOGIN_FAILED=32",
            "203.0.113.1=30,203.0.113.2=5",
            "1970-01-01T00:00:20.000Z"
        ]
    );
}
