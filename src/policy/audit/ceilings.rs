//! How many events of limited kinds go on record in a minute, and the counts of the others.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use ipnet::IpNet;

use super::largest::Largest;
use super::{is_over, minute};
use crate::model::audit::EventKind;

/// How many networks the report of a minute names.
const NETWORKS_NAMED: usize = 10;

/// How many reports wait at most. While they do, the open ones go on for longer than a minute.
const MAX_REPORTS: usize = 64;

/// The numbers of the ceilings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CeilingRule {
    /// How many events of one network a minute may have.
    pub per_network: u32,
    /// How many events of all networks together a minute may have.
    pub total: u32,
}

/// What keeps an event off the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ceiling {
    /// The ceiling of its network.
    Network,
    /// The ceiling of all networks together.
    Total,
    /// The number of events that a replica holds in memory while the database takes none.
    Memory,
}

impl Ceiling {
    /// Its name in the details of an event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "NETWORK",
            Self::Total => "TOTAL",
            Self::Memory => "MEMORY",
        }
    }
}

/// The report of a minute: how many events one ceiling kept off the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omissions {
    /// The ceiling.
    pub ceiling: Ceiling,
    /// When the first of them happened.
    pub first_at: DateTime<Utc>,
    /// When the last of them happened.
    pub last_at: DateTime<Utc>,
    /// How many there were of each kind.
    pub kinds: BTreeMap<EventKind, u64>,
    /// The networks that caused most of them, the largest first.
    pub networks: Vec<(IpNet, u64)>,
}

/// Events of one kind and one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The kind.
    pub kind: EventKind,
    /// The network; `None` for an event without a call.
    pub network: Option<IpNet>,
    /// How many events there are, which one row stands for.
    pub count: u64,
}

/// Counts the events of limited kinds of the current minute.
///
/// Memory is bounded: no more networks pass than `total` allows, and the networks of the others are counted in [`Largest`].
#[derive(Debug)]
pub struct Ceilings {
    rule: CeilingRule,
    minute: i64,
    passed: HashMap<IpNet, u32>,
    passed_in_all: u32,
    open: BTreeMap<Ceiling, Open>,
    finished: Vec<Omissions>,
}

/// A report that is being written.
#[derive(Debug)]
struct Open {
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    kinds: BTreeMap<EventKind, u64>,
    networks: Largest,
}

impl Ceilings {
    /// Ceilings that nothing has reached.
    #[must_use]
    pub fn new(rule: CeilingRule) -> Self {
        Self {
            rule,
            minute: i64::MIN,
            passed: HashMap::new(),
            passed_in_all: 0,
            open: BTreeMap::new(),
            finished: Vec::new(),
        }
    }

    /// Whether a row for these events goes on record. If not, they are counted.
    pub fn admit(&mut self, events: Counted, now: DateTime<Utc>) -> bool {
        self.turn(now);
        if let Some(ceiling) = self.reached(events.network) {
            self.omit(ceiling, events, now);
            return false;
        }
        self.passed_in_all = self.passed_in_all.saturating_add(1);
        if let Some(network) = events.network {
            let passed = self.passed.entry(network).or_default();
            *passed = passed.saturating_add(1);
        }
        true
    }

    /// Counts events that are not on record.
    pub fn omit(&mut self, ceiling: Ceiling, events: Counted, now: DateTime<Utc>) {
        let Counted { kind, network, count } = events;
        let open = self.open.entry(ceiling).or_insert_with(|| Open {
            first_at: now,
            last_at: now,
            kinds: BTreeMap::new(),
            networks: Largest::default(),
        });
        open.last_at = open.last_at.max(now);
        let counted = open.kinds.entry(kind).or_default();
        *counted = counted.saturating_add(count);
        if let Some(network) = network {
            open.networks.add(network, count);
        }
    }

    /// Takes the reports of the minutes before the current one.
    pub fn take_finished(&mut self, now: DateTime<Utc>) -> Vec<Omissions> {
        self.turn(now);
        std::mem::take(&mut self.finished)
    }

    /// Takes all reports, that of the current minute too.
    pub fn take_all(&mut self) -> Vec<Omissions> {
        self.finish();
        std::mem::take(&mut self.finished)
    }

    fn reached(&self, network: Option<IpNet>) -> Option<Ceiling> {
        let passed = network.and_then(|network| self.passed.get(&network)).copied().unwrap_or_default();
        if passed >= self.rule.per_network {
            return Some(Ceiling::Network);
        }
        (self.passed_in_all >= self.rule.total).then_some(Ceiling::Total)
    }

    fn turn(&mut self, now: DateTime<Utc>) {
        if !is_over(self.minute, minute(now)) {
            return;
        }
        self.minute = minute(now);
        self.passed.clear();
        self.passed_in_all = 0;
        if self.finished.len() < MAX_REPORTS {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let finished = std::mem::take(&mut self.open).into_iter().map(|(ceiling, open)| {
            let Open { first_at, last_at, kinds, networks } = open;
            Omissions { ceiling, first_at, last_at, kinds, networks: networks.top(NETWORKS_NAMED) }
        });
        self.finished.extend(finished);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BTreeMap, Ceiling, CeilingRule, Ceilings, Counted, DateTime, EventKind, IpNet, MAX_REPORTS, Utc};

    const RULE: CeilingRule = CeilingRule { per_network: 20, total: 600 };

    fn at(seconds: u64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn failed(network: u32) -> Counted {
        let [a, b, c, d] = network.to_be_bytes();
        let network: IpNet = format!("{a}.{b}.{c}.{d}/32").parse().unwrap_or_default();
        Counted { kind: EventKind::LoginFailed, network: Some(network), count: 1 }
    }

    #[test]
    fn a_network_has_its_ceiling_and_a_new_minute_begins_at_none() {
        let mut ceilings = Ceilings::new(RULE);
        let passed =
            |ceilings: &mut Ceilings, second| (0..50).filter(|_| ceilings.admit(failed(1), at(second))).count();
        assert_eq!(passed(&mut ceilings, 10), 20);
        assert_eq!(passed(&mut ceilings, 59), 0);
        assert!(ceilings.take_finished(at(59)).is_empty());
        assert_eq!(passed(&mut ceilings, 60), 20);
        // One that read the clock before the minute turned.
        assert_eq!(passed(&mut ceilings, 59), 0);
        let reports = ceilings.take_finished(at(119));
        assert_eq!(reports.len(), 1);
        for report in reports {
            assert_eq!((report.ceiling, report.first_at, report.last_at), (Ceiling::Network, at(10), at(59)));
            assert_eq!(report.kinds, BTreeMap::from([(EventKind::LoginFailed, 80)]));
            assert_eq!(report.networks.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [80]);
        }
        let total: u64 = ceilings.take_all().iter().flat_map(|report| report.kinds.values()).sum();
        assert_eq!(total, 80);
        assert!(ceilings.take_all().is_empty());
    }

    #[test]
    fn all_networks_together_have_one_and_every_event_is_on_record_or_counted() {
        let mut ceilings = Ceilings::new(RULE);
        let mut passed = 0;
        for n in 0..1_000_000 {
            passed += u64::from(ceilings.admit(failed(n), at(0)));
        }
        for _ in 0..30 {
            passed += u64::from(ceilings.admit(failed(1), at(1)));
        }
        assert_eq!(passed, 600);
        let omitted: u64 = ceilings.take_all().iter().flat_map(|report| report.kinds.values()).sum();
        assert_eq!(passed + omitted, 1_000_030);
        assert!(ceilings.passed.len() <= 600);
    }

    #[test]
    fn ten_networks_are_named_the_largest_first() {
        let mut ceilings = Ceilings::new(CeilingRule { per_network: 1, total: 600 });
        for n in 1..=12 {
            for _ in 0..=n {
                ceilings.admit(failed(n), at(0));
            }
        }
        for report in ceilings.take_all() {
            let counts: Vec<_> = report.networks.iter().map(|(_, count)| *count).collect();
            assert_eq!(counts, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
        }
    }

    #[test]
    fn reports_that_are_not_taken_do_not_pile_up_and_lose_no_count() {
        let mut ceilings = Ceilings::new(CeilingRule { per_network: 1, total: 600 });
        let minutes = 1000;
        for minute in 0..minutes {
            ceilings.admit(failed(1), at(minute * 60));
            ceilings.admit(failed(1), at(minute * 60));
        }
        assert!(ceilings.finished.len() <= MAX_REPORTS + 1);
        let omitted: u64 = ceilings.take_all().iter().flat_map(|report| report.kinds.values()).sum();
        assert_eq!(omitted, minutes);
    }
}
