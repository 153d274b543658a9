//! Throttles and lockouts of devices and addresses: whether a request may go on, and what is counted for it.
//!
//! The store in memory applies these functions; the script in Redis spells the same rules, and a test holds the two against
//! a naive model.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock;
use crate::model::operation::{Limit, LimitKind};

/// What is told to whom a lockout refuses because as many attempts as it allows are under way, of which nobody knows yet
/// whether they fail.
pub const UNDER_WAY: Duration = Duration::from_secs(1);

/// What has been counted against one subject by one limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// When, oldest first; never more than the limit allows.
    counted: VecDeque<DateTime<Utc>>,
    /// Until when everything is refused.
    refused_until: Option<DateTime<Utc>>,
}

/// A request that is refused: by which of its limits, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The place of the limit among those that were asked.
    pub limit: usize,
    /// When the same request is worth another try.
    pub until: DateTime<Utc>,
    /// Whether it was waiting before it was asked.
    pub waited: bool,
}

/// Judges a request by all of its limits together, and counts it against all of them or against none: what is refused for
/// its device takes nothing away from its address.
///
/// Of several limits that refuse, the one that does so longest is told.
///
/// # Errors
/// [`Refused`]. A throttle that refuses because it is used up begins its wait with that; one that waits already is not
/// prolonged. A lockout begins its wait with a [failure](Tally::fail).
pub fn admit(asked: &mut [(Limit, &mut Tally)], now: DateTime<Utc>) -> Result<(), Refused> {
    for (_, tally) in asked.iter_mut() {
        tally.begin_anew_after_wait(now);
    }
    let longest = |waits: &mut dyn Iterator<Item = (usize, Option<DateTime<Utc>>)>, waited| {
        let refused = waits.filter_map(|(limit, until)| Some(Refused { limit, until: until?, waited }));
        // The first of equals, as the script has it.
        refused.reduce(|longest, other| if other.until > longest.until { other } else { longest })
    };
    let waiting = longest(&mut asked.iter().map(|(_, tally)| tally.refused_until).enumerate(), true);
    let refused = waiting.or_else(|| {
        let begun =
            asked.iter_mut().map(|(limit, tally)| tally.is_used_up(limit, now).then(|| tally.refuse(limit, now)));
        longest(&mut begun.enumerate(), false)
    });
    if let Some(refused) = refused {
        return Err(refused);
    }
    for (limit, tally) in asked.iter_mut() {
        tally.count(limit, now);
    }
    Ok(())
}

impl Tally {
    /// Takes back what was counted at `at`, and with it the wait that it may have begun. What is not counted any more
    /// changes nothing.
    pub fn give_back(&mut self, at: DateTime<Utc>, now: DateTime<Utc>) {
        self.begin_anew_after_wait(now);
        if let Some(place) = self.counted.iter().rposition(|time| *time == at) {
            self.counted.remove(place);
            self.refused_until = None;
        }
    }

    /// Takes note that what was counted at `at` has failed. The failure that reaches the limit begins the wait; tells whether
    /// it did.
    pub fn fail(&mut self, limit: &Limit, at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.begin_anew_after_wait(now);
        let locks = self.counted.contains(&at) && self.is_used_up(limit, now);
        locks && self.refused_until.replace(clock::add(now, limit.wait)).is_none()
    }

    /// Until when everything is refused, if it is.
    #[must_use]
    pub fn refused_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.refused_until.filter(|until| now < *until)
    }

    /// Refuses everything until then, for a reason that is counted elsewhere.
    pub fn refuse_until(&mut self, until: DateTime<Utc>) {
        self.refused_until = Some(until);
    }

    /// Whether nothing of it matters any more.
    #[must_use]
    pub fn is_over(&self, limit: &Limit, now: DateTime<Utc>) -> bool {
        let waits = self.refused_until.is_some_and(|until| now < until);
        let counts = self.counted.back().is_some_and(|last| is_within(*last, limit, now));
        !waits && !counts
    }

    fn begin_anew_after_wait(&mut self, now: DateTime<Utc>) {
        if self.refused_until.is_some_and(|until| until <= now) {
            *self = Self::default();
        }
    }

    /// Whether as many as the limit allows were counted within the window.
    fn is_used_up(&self, limit: &Limit, now: DateTime<Utc>) -> bool {
        let first = self.counted.len().checked_sub(limit.count).and_then(|place| self.counted.get(place));
        first.is_some_and(|first| is_within(*first, limit, now))
    }

    /// Refuses for being used up, and tells until when.
    fn refuse(&mut self, limit: &Limit, now: DateTime<Utc>) -> DateTime<Utc> {
        if limit.kind == LimitKind::Lockout {
            return clock::add(now, UNDER_WAY);
        }
        let until = clock::add(now, limit.wait);
        // The wait says it all.
        *self = Self { counted: VecDeque::new(), refused_until: Some(until) };
        until
    }

    fn count(&mut self, limit: &Limit, now: DateTime<Utc>) {
        self.counted.push_back(now);
        while self.counted.len() > limit.count {
            self.counted.pop_front();
        }
    }
}

/// A window takes in its end and not its beginning: what happened exactly a window ago counts no more.
fn is_within(time: DateTime<Utc>, limit: &Limit, now: DateTime<Utc>) -> bool {
    time > clock::subtract(now, limit.window)
}
