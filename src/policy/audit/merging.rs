//! Events that are alike become one row a minute with their count.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{is_over, minute};
use crate::model::audit::Occurrence;
use crate::model::id::UserId;
use crate::model::lockout::LockoutKey;

/// How many keys are known at once.
const CAPACITY: usize = 10_000;

/// What events have in common that are merged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MergeKey {
    /// A caller that called a method of administration without the permission for it.
    Denied {
        /// The user or service key.
        caller: Option<Uuid>,
        /// The method.
        method: String,
    },
    /// A lockout that logins run into.
    LoginLockedOut(LockoutKey),
    /// A signed-in user whose account is locked for the device that proves itself.
    ReauthenticationLockedOut {
        /// The user.
        user_id: UserId,
        /// The device.
        device_id: String,
    },
}

/// What happens to an event that may be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merging {
    /// It is the first of its key and goes on record by itself.
    First,
    /// Its key is known, but has no row in this minute: it goes on record by itself.
    Again,
    /// It is counted. If the events before it are from an earlier minute, their row is `due`.
    Counted {
        /// The row of the events before.
        due: Option<Occurrence>,
    },
    /// There is no room for its key.
    Full,
}

/// The keys that are known, each with the events that its last row does not stand for.
///
/// A key has at most one row in a minute: that of its first event, or later the one that counts the events since.
#[derive(Debug)]
pub struct Merged {
    keys: HashMap<MergeKey, Entry>,
    /// The minute in which rows were taken last.
    taken_in: i64,
    /// The minute in which room was made last, which costs a look at every key.
    purged_in: i64,
}

#[derive(Debug)]
struct Entry {
    /// The minute of the last row.
    written_in: i64,
    /// How long the key stays known without events.
    known_until: DateTime<Utc>,
    /// The number of events since the last row, and the latest of them.
    since: Option<(u64, Occurrence)>,
}

impl Default for Merged {
    fn default() -> Self {
        Self { keys: HashMap::new(), taken_in: i64::MIN, purged_in: i64::MIN }
    }
}

impl Merged {
    /// Takes an event. Its key stays known until `known_until`, and for the minute of its last row.
    pub fn add(&mut self, key: MergeKey, occurrence: &Occurrence, known_until: DateTime<Utc>) -> Merging {
        let now = minute(occurrence.at);
        let Some(entry) = self.keys.get_mut(&key) else {
            return self.insert(key, Entry { written_in: now, known_until, since: None }, occurrence.at);
        };
        entry.known_until = entry.known_until.max(known_until);
        if is_over(entry.written_in, now) {
            entry.written_in = now;
            let Some(before) = entry.since.take() else { return Merging::Again };
            entry.since = Some((1, occurrence.clone()));
            return Merging::Counted { due: Some(row(before)) };
        }
        let counted = entry.since.as_ref().map_or(0, |(count, _)| *count);
        entry.since = Some((counted.saturating_add(1), occurrence.clone()));
        Merging::Counted { due: None }
    }

    /// Takes the rows of events from before the current minute, and forgets the keys that are of no more use.
    pub fn take_due(&mut self, now: DateTime<Utc>) -> Vec<Occurrence> {
        let current = minute(now);
        if !is_over(self.taken_in, current) {
            return Vec::new();
        }
        self.taken_in = current;
        let mut due = Vec::new();
        self.keys.retain(|_, entry| {
            if !is_over(entry.written_in, current) {
                return true;
            }
            let Some(before) = entry.since.take() else { return entry.is_of_use(now) };
            entry.written_in = current;
            due.push(row(before));
            true
        });
        due
    }

    /// Takes the rows of all events that have none yet.
    pub fn take_all(&mut self) -> Vec<Occurrence> {
        self.keys.values_mut().filter_map(|entry| entry.since.take()).map(row).collect()
    }

    fn insert(&mut self, key: MergeKey, entry: Entry, now: DateTime<Utc>) -> Merging {
        if self.keys.len() >= CAPACITY && is_over(self.purged_in, minute(now)) {
            self.purged_in = minute(now);
            self.keys.retain(|_, entry| entry.is_of_use(now));
        }
        if self.keys.len() >= CAPACITY {
            return Merging::Full;
        }
        self.keys.insert(key, entry);
        Merging::First
    }
}

impl Entry {
    fn is_of_use(&self, now: DateTime<Utc>) -> bool {
        self.since.is_some() || self.known_until > now || !is_over(self.written_in, minute(now))
    }
}

/// The row of a number of events, of which it tells the latest.
fn row((count, latest): (u64, Occurrence)) -> Occurrence {
    Occurrence { count: latest.count.saturating_mul(count), ..latest }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CAPACITY, DateTime, MergeKey, Merged, Merging, Occurrence, Utc, Uuid};
    use crate::model::audit::{Act, Event, EventKind, Subject};

    fn at(seconds: u64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn key(caller: u128) -> MergeKey {
        MergeKey::Denied { caller: Some(Uuid::from_u128(caller)), method: "ListUsers".to_owned() }
    }

    fn denied(seconds: u64) -> Occurrence {
        let event = Event::new(EventKind::AccessDenied, Subject::Nothing);
        Occurrence { by: Act::system(), event, at: at(seconds), count: 1 }
    }

    fn add(merged: &mut Merged, caller: u128, seconds: u64) -> Merging {
        merged.add(key(caller), &denied(seconds), at(seconds))
    }

    fn counts(rows: &[Occurrence]) -> Vec<u64> {
        rows.iter().map(|row| row.count).collect()
    }

    #[test]
    fn a_key_has_one_row_a_minute_and_no_event_is_lost() {
        let mut merged = Merged::default();
        let (mut rows, mut events) = (Vec::new(), 0);
        for second in 0..3600 {
            events += 1;
            match add(&mut merged, 1, second) {
                Merging::First | Merging::Again => rows.push(denied(second)),
                Merging::Counted { due } => rows.extend(due),
                Merging::Full => unreachable!("one key finds room"),
            }
            rows.extend(merged.take_due(at(second)));
        }
        rows.extend(merged.take_all());
        assert_eq!(rows.len(), 61);
        assert_eq!(counts(&rows).iter().sum::<u64>(), events);
        assert!(merged.take_all().is_empty());
    }

    #[test]
    fn the_first_event_is_told_from_one_after_a_pause_as_long_as_its_key_is_known() {
        let mut merged = Merged::default();
        let add = |merged: &mut Merged, second| merged.add(key(1), &denied(second), at(600));
        assert_eq!(add(&mut merged, 0), Merging::First);
        assert_eq!(add(&mut merged, 59), Merging::Counted { due: None });
        // The row has not been taken yet.
        assert_eq!(add(&mut merged, 60), Merging::Counted { due: Some(denied(59)) });
        assert_eq!(counts(&merged.take_due(at(120))), [1]);
        assert_eq!(add(&mut merged, 121), Merging::Counted { due: None });
        assert_eq!(counts(&merged.take_due(at(180))), [1]);
        assert!(merged.take_due(at(240)).is_empty());
        assert_eq!(add(&mut merged, 241), Merging::Again);
        assert!(merged.take_due(at(601)).is_empty());
        assert_eq!(add(&mut merged, 602), Merging::First);
    }

    #[test]
    fn each_key_is_counted_by_itself_and_there_are_no_more_than_fit() {
        let mut merged = Merged::default();
        for caller in 0..20_000 {
            let expected = if caller < 10_000 { Merging::First } else { Merging::Full };
            assert_eq!(add(&mut merged, caller, 0), expected);
        }
        assert_eq!(merged.keys.len(), CAPACITY);
        assert_eq!(add(&mut merged, 20_000, 60), Merging::First);
        assert_eq!(merged.keys.len(), 1);
    }
}
