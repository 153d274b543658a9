//! Codes by mail: how many an address is sent, and to whom.
//!
//! Strangers share what an address is sent, so that its mailbox is not flooded. Each device that the account knows has a share
//! of its own, so that strangers cannot use up the owner's. A statement in Postgres spells the same rules, because a code is to
//! be counted by one statement.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock;

/// How many wrong codes slow down the codes for strangers, and to one in how long. The last row that applies counts.
pub const SLOWED: [Slowed; 2] = [
    Slowed { wrong_codes: 20, pause: Duration::from_hours(1) },
    Slowed { wrong_codes: 50, pause: Duration::from_hours(24) },
];

/// Time for which wrong codes are remembered after the last of them.
pub const WRONG_CODES_KEPT: Duration = Duration::from_hours(24 * 90);

/// Shares of known devices that are used at once, at most.
const KNOWN_SHARES: u32 = 2;

/// A slowdown of the codes for strangers.
#[derive(Clone, Copy, Debug)]
pub struct Slowed {
    /// The wrong codes from which on it applies.
    pub wrong_codes: u32,
    /// The time between two codes.
    pub pause: Duration,
}

/// Numbers of codes that an address is sent within a window.
#[derive(Clone, Copy, Debug)]
pub struct CodeRule {
    /// Codes that one network is sent.
    pub per_network: u32,
    /// Codes that strangers are sent together.
    pub per_address: u32,
    /// Codes beyond `per_address`, one for each network that has not asked.
    pub reserve: u32,
    /// Codes that one known device is sent.
    pub per_known_device: u32,
    /// The time that is looked back on.
    pub window: Duration,
}

/// Client that asks for a code, or has been issued one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// A keyed hash of the known device, or of the stranger's network.
    pub id: Vec<u8>,
    /// Whether the account knows the device.
    pub known: bool,
}

/// Codes that an address was sent, and the wrong ones that were presented.
#[derive(Clone, Debug, Default)]
pub struct CodeHistory {
    /// The codes of at least the window.
    pub issued: Vec<(DateTime<Utc>, Asker)>,
    /// When a stranger was last issued a code.
    pub stranger_at: Option<DateTime<Utc>>,
    /// Wrong reset codes since one was right or a known device logged in.
    pub wrong_codes: u32,
}

impl CodeRule {
    /// Codes that all known devices are sent together.
    #[must_use]
    pub const fn per_known_devices(&self) -> u32 {
        self.per_known_device.saturating_mul(KNOWN_SHARES)
    }

    /// Returns whether an address may be sent one more code.
    #[must_use]
    pub fn allows(&self, history: &CodeHistory, asker: &Asker, now: DateTime<Utc>) -> bool {
        let since = clock::subtract(now, self.window);
        let of_window = history.issued.iter().filter(|(at, to)| *at > since && to.known == asker.known);
        let (mut all, mut own) = (0, 0);
        for (_, to) in of_window {
            all += 1;
            own += u32::from(to.id == asker.id);
        }
        if asker.known {
            return own < self.per_known_device && all < self.per_known_devices();
        }
        let reserved = own == 0 && all < self.per_address.saturating_add(self.reserve);
        let paused = pause(history.wrong_codes)
            .zip(history.stranger_at)
            .is_some_and(|(pause, last)| last > clock::subtract(now, pause));
        own < self.per_network && (all < self.per_address || reserved) && !paused
    }

    /// Returns when the address may be sent a code again, if nobody else is sent one meanwhile.
    #[must_use]
    pub fn allowed_at(&self, history: &CodeHistory, asker: &Asker, now: DateTime<Utc>) -> DateTime<Utc> {
        let over = history.issued.iter().map(|(at, _)| clock::add(*at, self.window));
        let paused = pause(history.wrong_codes).zip(history.stranger_at).map(|(pause, last)| clock::add(last, pause));
        let mut times: Vec<_> = over.chain(paused).filter(|at| *at > now).collect();
        times.sort_unstable();
        times.into_iter().find(|at| self.allows(history, asker, *at)).unwrap_or(now)
    }
}

/// Returns the time between two codes for strangers, after so many wrong codes.
fn pause(wrong_codes: u32) -> Option<Duration> {
    SLOWED.iter().rev().find(|slowed| wrong_codes >= slowed.wrong_codes).map(|slowed| slowed.pause)
}

/// Returns whether this wrong code is the one that the owner is told of.
#[must_use]
pub fn is_noticed(wrong_codes: u32) -> bool {
    SLOWED.first().is_some_and(|slowed| wrong_codes == slowed.wrong_codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: CodeRule =
        CodeRule { per_network: 4, per_address: 10, reserve: 10, per_known_device: 5, window: Duration::from_hours(1) };

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_hours(24 * 365)
    }

    fn stranger(number: u8) -> Asker {
        Asker { id: vec![number], known: false }
    }

    fn known(number: u8) -> Asker {
        Asker { id: vec![number], known: true }
    }

    /// Lets askers ask in turn, a second apart, and returns how many codes each of them was issued.
    fn ask(history: &mut CodeHistory, askers: &[(Asker, usize)], mut at: DateTime<Utc>) -> Vec<usize> {
        let mut issued = Vec::new();
        for (asker, times) in askers {
            let mut count = 0;
            for _ in 0..*times {
                at += Duration::from_secs(1);
                if RULE.allows(history, asker, at) {
                    history.issued.push((at, asker.clone()));
                    history.stranger_at = if asker.known { history.stranger_at } else { Some(at) };
                    count += 1;
                }
            }
            issued.push(count);
        }
        issued
    }

    #[test]
    fn strangers_share_and_new_networks_have_a_reserve() {
        let mut history = CodeHistory::default();
        let strangers: Vec<_> = (0..20).map(|number| (stranger(number), 6)).collect();
        let issued = ask(&mut history, &strangers, now());
        // Three networks use up ten; the next ten get one each.
        assert_eq!(issued.iter().take(3).copied().collect::<Vec<_>>(), [4, 4, 2]);
        assert!(issued.iter().skip(3).take(10).all(|count| *count == 1), "{issued:?}");
        assert_eq!(issued.iter().skip(13).sum::<usize>(), 0);
        // Known devices have their own all the same, and at most ten together.
        assert_eq!(ask(&mut history, &[(known(1), 7), (known(2), 3), (known(3), 3)], now()), [5, 3, 2]);
    }

    #[test]
    fn a_refusal_ends_when_it_says() {
        let mut history = CodeHistory::default();
        ask(&mut history, &[(stranger(1), 4)], now());
        let later = now() + Duration::from_mins(1);
        let at = RULE.allowed_at(&history, &stranger(1), later);
        assert_eq!(at, now() + Duration::from_secs(3601));
        assert!(RULE.allows(&history, &stranger(1), at));
        assert!(!RULE.allows(&history, &stranger(1), at - Duration::from_micros(1)));
    }

    #[test]
    fn wrong_codes_slow_strangers_down() {
        for (wrong_codes, pause) in [(19, None), (20, Some(1)), (49, Some(1)), (50, Some(24)), (5000, Some(24))] {
            let mut history = CodeHistory { wrong_codes, ..CodeHistory::default() };
            let issued = ask(&mut history, &[(stranger(1), 1), (stranger(2), 1), (known(3), 1)], now());
            assert_eq!(issued, [1, usize::from(pause.is_none()), 1], "{wrong_codes}");
            if let Some(hours) = pause {
                let at = RULE.allowed_at(&history, &stranger(2), now() + Duration::from_mins(1));
                assert_eq!(at, now() + Duration::from_secs(1) + Duration::from_hours(hours));
            }
        }
        assert_eq!((0..100).filter(|count| is_noticed(*count)).count(), 1);
    }
}
