//! Throttles and lockouts of devices and addresses: whether a request may go on, and what is counted for it.
//!
//! The store in memory applies these functions; the scripts in Redis spell the same rules, and a test holds the two against
//! a naive model.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock;
use crate::model::operation::{AttemptId, AttemptTag, Limit, LimitKind};

/// Retry delay when all attempts that a lockout allows are in flight and it is not known yet whether they fail.
pub const IN_FLIGHT_RETRY: Duration = Duration::from_secs(1);

/// Counter of one limit for one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests of a throttle, or failures of a lockout, oldest first.
    counted: VecDeque<Counted>,
    /// Attempts whose outcome is not known yet, oldest first.
    in_flight: VecDeque<AttemptId>,
    /// Until when everything is refused.
    refused_until: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    at: DateTime<Utc>,
    tag: Option<AttemptTag>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// It failed. The tag lets a later success take the failure back.
    Failed(Option<AttemptTag>),
    /// It succeeded: the failures with this tag are taken back.
    Succeeded(AttemptTag),
    /// It says nothing of any secret.
    GivenBack,
}

/// What a conclusion did to a tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It began a lockout.
    Locked,
    /// It ended one.
    Lifted,
    /// Neither.
    None,
}

/// A request that is refused: by which of its limits, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The place of the limit among those that were asked.
    pub limit: usize,
    /// When the same request is worth another try.
    pub until: DateTime<Utc>,
    /// Whether the limit refused everything before it was asked.
    pub waited: bool,
}

/// A request that may go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// The refusal of a limit that [spares](Limit::spares_known) devices which the account knows. The flow decides.
    pub unless_known: Option<Refused>,
}

/// Judges a request by all of its limits together, and counts it against all of them or against none: what is refused for
/// its device takes nothing away from its address.
///
/// Of several limits that refuse, the longest refusal is returned. A limit that spares known devices refuses nothing here and
/// counts nothing when it would refuse.
///
/// # Errors
/// [`Refused`]. A throttle that refuses because it is used up begins its wait with that; one that waits already is not
/// prolonged. A lockout begins its wait with a [failure](Tally::conclude).
pub fn admit(asked: &mut [(Limit, &mut Tally)], attempt: AttemptId) -> Result<Admitted, Refused> {
    let now = attempt.at;
    for (limit, tally) in asked.iter_mut() {
        tally.begin_anew_after_wait(now);
        tally.forget(limit, now);
    }
    let waits =
        asked.iter().enumerate().map(|(place, (limit, tally))| (place, limit.spares_known, tally.refused_until));
    let [waiting, spared_waiting] = longest(waits, true);
    if let Some(refused) = waiting {
        return Err(refused);
    }
    let begun = asked.iter_mut().enumerate().map(|(place, (limit, tally))| {
        let used_up = tally.refused_until.is_none() && tally.is_used_up(limit);
        (place, limit.spares_known, used_up.then(|| tally.refuse(limit, now)))
    });
    let [refusing, spared_refusing] = longest(begun, false);
    if let Some(refused) = refusing {
        return Err(refused);
    }
    for (limit, tally) in asked.iter_mut() {
        tally.count(limit, attempt);
    }
    let unless_known = [spared_waiting, spared_refusing].into_iter().flatten().reduce(longer);
    Ok(Admitted { unless_known })
}

/// The longest refusal of limits that spare nobody, and of those that spare known devices.
fn longest(refusals: impl Iterator<Item = (usize, bool, Option<DateTime<Utc>>)>, waited: bool) -> [Option<Refused>; 2] {
    let mut found = [None, None];
    for (limit, spares_known, until) in refusals {
        let Some(until) = until else { continue };
        let [strict, sparing] = &mut found;
        let place = if spares_known { sparing } else { strict };
        let refused = Refused { limit, until, waited };
        *place = Some(place.map_or(refused, |longest| longer(longest, refused)));
    }
    found
}

/// The longer of two refusals; the first of equals, as the script has it.
fn longer(one: Refused, other: Refused) -> Refused {
    if other.until > one.until { other } else { one }
}

impl Tally {
    /// Takes back what was counted for a request when it was admitted. What is not counted any more changes nothing.
    pub fn take_back(&mut self, limit: &Limit, attempt: AttemptId) {
        match limit.kind {
            LimitKind::Throttle => {
                if let Some(place) = self.counted.iter().rposition(|counted| counted.at == attempt.at) {
                    self.counted.remove(place);
                }
            }
            LimitKind::Lockout => self.land(attempt),
        }
    }

    /// Concludes an attempt at something that a lockout guards. The failure that reaches the limit begins the lockout; one
    /// during a lockout is not counted. A success that leaves fewer failures than the limit ends the lockout.
    pub fn conclude(
        &mut self,
        limit: &Limit,
        attempt: AttemptId,
        conclusion: Conclusion,
        now: DateTime<Utc>,
    ) -> Change {
        self.begin_anew_after_wait(now);
        self.land(attempt);
        match conclusion {
            Conclusion::Failed(tag) if self.refused_until.is_none() => {
                self.forget(limit, now);
                self.counted.push_back(Counted { at: now, tag });
                if self.counted.len() < limit.count {
                    return Change::None;
                }
                self.refused_until = Some(clock::add(now, limit.wait));
                Change::Locked
            }
            Conclusion::Succeeded(tag) => {
                self.counted.retain(|counted| counted.tag != Some(tag));
                if self.counted.len() < limit.count && self.refused_until.take().is_some() {
                    Change::Lifted
                } else {
                    Change::None
                }
            }
            Conclusion::Failed(_) | Conclusion::GivenBack => Change::None,
        }
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

    /// Whether the tally does not matter any more.
    #[must_use]
    pub fn is_over(&self, limit: &Limit, now: DateTime<Utc>) -> bool {
        let waits = self.refused_until.is_some_and(|until| now < until);
        let counts = self.counted.back().is_some_and(|last| is_within(last.at, limit, now));
        let flies = self.in_flight.back().is_some_and(|last| is_in_flight(*last, limit, now));
        !waits && !counts && !flies
    }

    fn begin_anew_after_wait(&mut self, now: DateTime<Utc>) {
        if self.refused_until.is_some_and(|until| until <= now) {
            self.refused_until = None;
            self.counted.clear();
        }
    }

    /// Drops what is older than the window, and attempts whose conclusion was lost. What led to a lockout stays with it.
    fn forget(&mut self, limit: &Limit, now: DateTime<Utc>) {
        while self.in_flight.front().is_some_and(|first| !is_in_flight(*first, limit, now)) {
            self.in_flight.pop_front();
        }
        if self.refused_until.is_none() {
            while self.counted.front().is_some_and(|first| !is_within(first.at, limit, now)) {
                self.counted.pop_front();
            }
        }
    }

    /// Whether as many as the limit allows were counted. A lockout whose attempts hold nothing up refuses by its wait alone.
    fn is_used_up(&self, limit: &Limit) -> bool {
        let counts = limit.kind == LimitKind::Throttle || limit.in_flight.is_some();
        counts && self.counted.len().saturating_add(self.in_flight.len()) >= limit.count
    }

    /// Refuses for being used up, and returns until when.
    fn refuse(&mut self, limit: &Limit, now: DateTime<Utc>) -> DateTime<Utc> {
        if limit.kind == LimitKind::Lockout {
            return clock::add(now, IN_FLIGHT_RETRY);
        }
        let until = clock::add(now, limit.wait);
        // The wait says it all.
        *self = Self { refused_until: Some(until), ..Self::default() };
        until
    }

    fn count(&mut self, limit: &Limit, attempt: AttemptId) {
        match limit.kind {
            LimitKind::Throttle => self.counted.push_back(Counted { at: attempt.at, tag: None }),
            LimitKind::Lockout if limit.in_flight.is_some() => {
                // Not beside a refusal that a known device is spared.
                if self.refused_until.is_none() && !self.is_used_up(limit) {
                    self.in_flight.push_back(attempt);
                }
            }
            LimitKind::Lockout => {}
        }
    }

    fn land(&mut self, attempt: AttemptId) {
        self.in_flight.retain(|other| *other != attempt);
    }
}

/// A window takes in its end and not its beginning: what happened exactly a window ago counts no more.
fn is_within(time: DateTime<Utc>, limit: &Limit, now: DateTime<Utc>) -> bool {
    time > clock::subtract(now, limit.window)
}

fn is_in_flight(attempt: AttemptId, limit: &Limit, now: DateTime<Utc>) -> bool {
    limit.in_flight.is_some_and(|longest| attempt.at > clock::subtract(now, longest))
}
