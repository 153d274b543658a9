//! Whether mail can leave at all. While the server is away or takes nothing of ours, one mail at a time is tried, with pauses: a
//! thousand that wait do not knock a thousand times.

use chrono::{DateTime, Utc};

use super::pause;
use crate::clock;

/// The state of the way out.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Failures in a row; while there are any the gate is not open.
    failures: u16,
    /// When the next mail is tried.
    next_at: Option<DateTime<Utc>>,
}

/// How many failures the gate had seen when a delivery began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen(u16);

impl Gate {
    /// How many of `free` places may be filled now, while `busy` deliveries are under way.
    pub(super) fn admits(&self, free: usize, busy: usize, now: DateTime<Utc>) -> usize {
        match self.next_at {
            None => free,
            Some(next_at) if next_at <= now && busy == 0 => free.min(1),
            Some(_) => 0,
        }
    }

    /// What a delivery that begins now has to show at its end.
    pub(super) const fn seen(&self) -> Seen {
        Seen(self.failures)
    }

    /// Notes that the server took a mail, or refused it for what is in it.
    pub(super) fn passed(&mut self) {
        *self = Self::default();
    }

    /// Notes that no mail can leave, as a delivery found that began at `seen`; returns when it is worth trying again. Deliveries
    /// that failed together count as one.
    pub(super) fn failed(&mut self, seen: Seen, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.next_at {
            Some(next_at) if seen.0 != self.failures => next_at,
            _ => {
                self.failures = self.failures.saturating_add(1);
                let next_at = clock::add(now, pause::of_way_out(self.failures));
                self.next_at = Some(next_at);
                next_at
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use chrono::TimeDelta;

    use super::{DateTime, Gate, Utc};

    #[test]
    fn one_mail_at_a_time_is_tried_until_one_passes() {
        let start: DateTime<Utc> = "2030-01-01T00:00:00Z".parse().unwrap();
        let mut gate = Gate::default();
        assert_eq!(gate.admits(8, 3, start), 8);
        let seen = gate.seen();
        // Eight that failed together.
        for _ in 0..8 {
            assert_eq!(gate.failed(seen, start), start + TimeDelta::seconds(1));
        }
        assert_eq!(gate.admits(8, 0, start), 0);
        let later = start + TimeDelta::seconds(1);
        assert_eq!((gate.admits(8, 1, later), gate.admits(8, 0, later)), (0, 1));
        assert_eq!(gate.failed(gate.seen(), later), later + TimeDelta::seconds(2));
        gate.passed();
        assert_eq!(gate.admits(8, 5, later), 8);
        assert_eq!(gate.failed(seen, later), later + TimeDelta::seconds(1));
    }
}
