//! Throttles and lockouts in the memory of one replica: the rules of `policy::limits`, and a bound on what is kept.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use lru::LruCache;

use super::limits::{Locked, Question, Subject};
use crate::model::operation::{Limit, LimitKind, Operation, Scope};
use crate::policy::limits::{self, Refused, Tally};

/// How many devices, and how many addresses, are kept for each operation and kind of limit. Those that were not heard of for
/// longest are forgotten first. A tally takes 12 bytes for each request within its window and some 150 besides: a hundred
/// thousand invented devices or addresses at every operation, which the limits themselves make hard to get in, come to some
/// 250 MB; devices and addresses have room of their own, so that the ones cannot push out the others.
const KEPT: NonZeroUsize = NonZeroUsize::new(32_768).unwrap();

/// The tallies of one kind of limit, by whom they are counted against.
type Tallies = LruCache<Subject, Tally>;

/// What is counted for one operation. Behind one lock, so that all limits of a request are judged together.
#[derive(Debug, Default)]
struct Counts(HashMap<(LimitKind, Scope), Tallies>);

/// The store.
#[derive(Debug)]
pub struct Memory(HashMap<Operation, Mutex<Counts>>);

impl Default for Memory {
    fn default() -> Self {
        Self(Operation::ALL.into_iter().map(|operation| (operation, Mutex::default())).collect())
    }
}

impl Memory {
    /// Asks whether a request may go on, and counts it.
    ///
    /// # Errors
    /// [`Refused`] names the limit by its place in the question.
    pub fn admit(&self, question: &Question) -> Result<(), Refused> {
        let Some(mut counts) = self.counts(question.operation) else { return Ok(()) };
        let mut tallies: Vec<Tally> = Vec::with_capacity(question.limits.len());
        for (limit, subject) in &question.limits {
            let kept = counts.0.entry((limit.kind, limit.scope)).or_insert_with(|| LruCache::new(KEPT));
            tallies.push(kept.pop(subject).unwrap_or_default());
        }
        let asked = question.limits.iter().map(|(limit, _)| *limit).zip(&mut tallies);
        let outcome = limits::admit(&mut asked.collect::<Vec<_>>(), question.now);
        for ((limit, subject), tally) in question.limits.iter().zip(tallies) {
            let worth_keeping = !tally.is_over(limit, question.now);
            if let Some(kept) = counts.0.get_mut(&(limit.kind, limit.scope)).filter(|_| worth_keeping) {
                kept.put(*subject, tally);
            }
        }
        outcome
    }

    /// Takes note that what was counted at the time of the question has failed, and tells the places of the limits that begin
    /// to wait for it.
    #[must_use]
    pub fn fail(&self, question: &Question, now: DateTime<Utc>) -> Vec<usize> {
        self.each(question, |limit, tally| tally.fail(limit, question.now, now))
    }

    /// Takes back what was counted at the time of the question.
    pub fn give_back(&self, question: &Question, now: DateTime<Utc>) {
        self.each(question, |_, tally| {
            tally.give_back(question.now, now);
            false
        });
    }

    /// Takes back what has just been counted, and lets the limit wait that has refused the request elsewhere.
    pub fn refuse(&self, question: &Question, refused: Refused) {
        self.give_back(question, question.now);
        let Some(mut counts) = self.counts(question.operation) else { return };
        // Whether what locks elsewhere fails in the end is not known here.
        let throttle = question.limits.get(refused.limit).filter(|(limit, _)| limit.kind == LimitKind::Throttle);
        if let Some((limit, subject)) = throttle {
            let kept = counts.0.entry((limit.kind, limit.scope)).or_insert_with(|| LruCache::new(KEPT));
            kept.get_or_insert_mut(*subject, Tally::default).refuse_until(refused.until);
        }
    }

    /// Forgets what made a limit refuse, when that has been settled elsewhere.
    pub fn forget(&self, question: &Question, refused: Refused) {
        let Some(mut counts) = self.counts(question.operation) else { return };
        if let Some((limit, subject)) = question.limits.get(refused.limit)
            && let Some(kept) = counts.0.get_mut(&(limit.kind, limit.scope))
        {
            kept.pop(subject);
        }
    }

    /// What lockouts refuse now.
    #[must_use]
    pub fn locked(&self, now: DateTime<Utc>) -> Vec<Locked> {
        let mut locked = Vec::new();
        for operation in Operation::ALL {
            let Some(counts) = self.counts(operation) else { continue };
            for ((_, scope), tallies) in counts.0.iter().filter(|((kind, _), _)| *kind == LimitKind::Lockout) {
                let refused = tallies.iter().filter_map(|(subject, tally)| Some((*subject, tally.refused_until(now)?)));
                locked.extend(refused.map(|(subject, until)| Locked { operation, scope: *scope, subject, until }));
            }
        }
        locked
    }

    /// Lifts a lockout; `false` when there is none.
    #[must_use]
    pub fn clear(&self, operation: Operation, scope: Scope, subject: Subject, now: DateTime<Utc>) -> bool {
        let Some(mut counts) = self.counts(operation) else { return false };
        let taken = counts.0.get_mut(&(LimitKind::Lockout, scope)).and_then(|kept| kept.pop(&subject));
        taken.is_some_and(|tally| tally.refused_until(now).is_some())
    }

    /// Changes the tallies of a question, and tells the places of those for which that was so.
    fn each(&self, question: &Question, change: impl Fn(&Limit, &mut Tally) -> bool) -> Vec<usize> {
        let Some(mut counts) = self.counts(question.operation) else { return Vec::new() };
        let mut changed = Vec::new();
        for (place, (limit, subject)) in question.limits.iter().enumerate() {
            let kept = counts.0.get_mut(&(limit.kind, limit.scope));
            if kept.and_then(|kept| kept.get_mut(subject)).is_some_and(|tally| change(limit, tally)) {
                changed.push(place);
            }
        }
        changed
    }

    fn counts(&self, operation: Operation) -> Option<MutexGuard<'_, Counts>> {
        Some(self.0.get(&operation)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
