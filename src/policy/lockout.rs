//! The lockout of an account: how often its password may be tried, and how long it rests in between.
//!
//! One tally for the strangers who try it, and one for each device that has signed in to the account before, so that
//! strangers cannot lock the owner out (OWASP's device cookies). A statement in Postgres spells the same rules, since the
//! attempt is to be counted in the round trip that reads the password; a test holds the two against each other.

#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock;

/// The numbers of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRule {
    /// How many attempts within `window` lock the account.
    pub failures: usize,
    /// How far back one counts.
    pub window: Duration,
    /// How long the first lock lasts; each further one twice as long.
    pub lock: Duration,
    /// The longest that a lock gets.
    pub max_lock: Duration,
    /// How many failures in a row end it all until the password is set anew (NIST SP 800-63B, 3.2.2, allows 100).
    pub failures_in_a_row: u32,
    /// How long a tally is kept.
    pub kept: Kept,
}

/// How long the tally of an account is kept, alike whether or not there is an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// After its lock, or after the last attempt where it is not locked.
    pub after_lock: Duration,
    /// How many failures in a row are a series, which is kept for longer.
    pub series: u32,
    /// After the last attempt of a series.
    pub after_series: Duration,
}

impl Default for Kept {
    fn default() -> Self {
        let day = Duration::from_hours(24);
        Self { after_lock: day, series: 20, after_series: day * 90 }
    }
}

/// How many different accounts one network may fail to log in to: more is the work of somebody who tries stolen passwords
/// (credential stuffing, OWASP).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkRule {
    /// The accounts that lock it out.
    pub accounts: usize,
    /// How far back one counts.
    pub window: Duration,
    /// How long it is locked out.
    pub lock: Duration,
}

/// How many failed refreshes lock the refresh of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRule {
    /// The failures that lock it.
    pub failures: u32,
    /// How far back one counts.
    pub window: Duration,
    /// How long it is locked.
    pub lock: Duration,
}

/// How the attempts at one password have gone since the last right one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountTally {
    /// When the recent ones were made, oldest first.
    pub attempts: Vec<DateTime<Utc>>,
    /// How many there were in a row.
    pub in_a_row: u32,
    /// How many of them led to a lock.
    pub locks: u32,
    /// Until when the account is locked by the last of these.
    pub locked_until: Option<DateTime<Utc>>,
    /// When nothing of it matters any more.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why an attempt may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The account is locked until then.
    Until(DateTime<Utc>),
    /// It failed too often in a row: only another password helps.
    UntilReset,
}

impl AccountRule {
    /// How many failures in a row are kept for long: a series, and in any case what locks until the password is set anew.
    #[must_use]
    pub fn series(&self) -> u32 {
        self.kept.series.min(self.failures_in_a_row)
    }
}

impl AccountTally {
    /// Counts an attempt before the password is looked at. It counts as failed until it is known not to be.
    ///
    /// # Errors
    /// [`Locked`]; nothing is counted then.
    pub fn reserve(&mut self, rule: &AccountRule, now: DateTime<Utc>) -> Result<(), Locked> {
        if self.expires_at.is_some_and(|end| end <= now) {
            *self = Self::default();
        }
        if self.in_a_row >= rule.failures_in_a_row {
            return Err(Locked::UntilReset);
        }
        match self.locked_until {
            Some(until) if now < until => return Err(Locked::Until(until)),
            // A lock that is over has settled what led to it.
            Some(_) => self.attempts.clear(),
            None => self.attempts.retain(|attempt| *attempt > clock::subtract(now, rule.window)),
        }
        self.attempts.push(now);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.locked_until = (self.attempts.len() >= rule.failures).then(|| {
            let until = clock::add(now, self.next_lock(rule));
            self.locks = self.locks.saturating_add(1);
            until
        });
        let end = clock::add(self.locked_until.unwrap_or(now), rule.kept.after_lock);
        let is_series = self.in_a_row >= rule.series();
        self.expires_at = Some(if is_series { end.max(clock::add(now, rule.kept.after_series)) } else { end });
        Ok(())
    }

    /// Takes back an attempt that says nothing of the password, and the lock that it may have led to.
    pub fn give_back(&mut self, at: DateTime<Utc>) {
        if let Some(place) = self.attempts.iter().rposition(|attempt| *attempt == at) {
            self.attempts.remove(place);
            self.in_a_row = self.in_a_row.saturating_sub(1);
            if self.locked_until.take().is_some() {
                self.locks = self.locks.saturating_sub(1);
            }
        }
    }

    fn next_lock(&self, rule: &AccountRule) -> Duration {
        let doubled = 2_u32.checked_pow(self.locks).and_then(|times| rule.lock.checked_mul(times));
        doubled.unwrap_or(rule.max_lock).min(rule.max_lock)
    }
}
