//! Throttles and lockouts in the memory of one replica: the rules of `policy::limits`, and a bound on what is kept.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use lru::LruCache;

use super::limits::{Locked, Question, Sealed, Subject};
use crate::model::operation::{LimitKind, Operation, Scope};
use crate::policy::limits::{self, Admitted, Change, Conclusion, Refused, Tally};

/// How many devices, and how many addresses, are kept for each operation and kind of limit. Those that were not heard of for
/// longest are forgotten first. A tally takes 24 bytes for each request within its window, some 200 besides, and 200 at most for the
/// name of what is locked out: a hundred thousand invented devices or addresses at every operation, which the limits themselves
/// make hard to get in, come to some 350 MB; devices and addresses have room of their own, so that the ones cannot push out the others.
const KEPT: NonZeroUsize = NonZeroUsize::new(32_768).unwrap();

/// A tally, and what the one it is counted against is called, once that has been locked out.
#[derive(Debug, Default)]
struct Kept {
    tally: Tally,
    name: Sealed,
}

/// What is kept for one kind of limit, by whom it is counted against.
type Tallies = LruCache<Subject, Kept>;

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
    pub fn admit(&self, question: &Question) -> Result<Admitted, Refused> {
        let Some(mut counts) = self.counts(question.operation) else { return Ok(Admitted::default()) };
        let now = question.attempt.at;
        let mut asked: Vec<Kept> = Vec::with_capacity(question.limits.len());
        for (limit, subject) in &question.limits {
            let tallies = counts.0.entry((limit.kind, limit.scope)).or_insert_with(|| LruCache::new(KEPT));
            asked.push(tallies.pop(subject).unwrap_or_default());
        }
        let tallies = asked.iter_mut().map(|kept| &mut kept.tally);
        let tallies = question.limits.iter().map(|(limit, _)| *limit).zip(tallies);
        let outcome = limits::admit(&mut tallies.collect::<Vec<_>>(), question.attempt);
        for ((limit, subject), kept) in question.limits.iter().zip(asked) {
            let worth_keeping = !kept.tally.is_over(limit, now);
            if let Some(tallies) = counts.0.get_mut(&(limit.kind, limit.scope)).filter(|_| worth_keeping) {
                tallies.put(*subject, kept);
            }
        }
        outcome
    }

    /// Concludes an attempt, and returns the places of the limits that lock out from now on. What these lock out has the name at
    /// the same place.
    #[must_use]
    pub fn conclude(
        &self,
        question: &Question,
        conclusion: Conclusion,
        names: &[Sealed],
        now: DateTime<Utc>,
    ) -> Vec<usize> {
        let Some(mut counts) = self.counts(question.operation) else { return Vec::new() };
        let mut locked = Vec::new();
        for (place, (limit, subject)) in question.limits.iter().enumerate() {
            let tallies = counts.0.entry((limit.kind, limit.scope)).or_insert_with(|| LruCache::new(KEPT));
            let mut kept = tallies.pop(subject).unwrap_or_default();
            if kept.tally.conclude(limit, question.attempt, conclusion, now) == Change::Locked {
                kept.name = names.get(place).cloned().unwrap_or_default();
                locked.push(place);
            }
            if !kept.tally.is_over(limit, now) {
                tallies.put(*subject, kept);
            }
        }
        locked
    }

    /// Takes back what has just been counted, and lets the limit wait that has refused the request elsewhere.
    pub fn refuse(&self, question: &Question, refused: Refused) {
        let Some(mut counts) = self.counts(question.operation) else { return };
        for (limit, subject) in &question.limits {
            let tallies = counts.0.get_mut(&(limit.kind, limit.scope));
            if let Some(kept) = tallies.and_then(|tallies| tallies.get_mut(subject)) {
                kept.tally.take_back(limit, question.attempt);
            }
        }
        // Whether what locks elsewhere fails in the end is not known here.
        let throttle = question.limits.get(refused.limit).filter(|(limit, _)| limit.kind == LimitKind::Throttle);
        if let Some((limit, subject)) = throttle {
            let kept = counts.0.entry((limit.kind, limit.scope)).or_insert_with(|| LruCache::new(KEPT));
            kept.get_or_insert_mut(*subject, Kept::default).tally.refuse_until(refused.until);
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

    /// What is locked out of an operation now, in the order of scopes and hashes, from what comes after `after`; at most `limit`.
    #[must_use]
    pub fn locked(
        &self,
        operation: Operation,
        after: Option<(Scope, Subject)>,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Vec<Locked> {
        let Some(counts) = self.counts(operation) else { return Vec::new() };
        let place = |scope: Scope, subject: Subject| (scope.as_str(), subject.0);
        let after = after.map(|(scope, subject)| place(scope, subject));
        let mut found = Vec::new();
        for ((_, scope), tallies) in counts.0.iter().filter(|((kind, _), _)| *kind == LimitKind::Lockout) {
            let rest = tallies.iter().filter(|(subject, _)| after.is_none_or(|after| place(*scope, **subject) > after));
            found.extend(rest.filter_map(|(subject, kept)| {
                let (name, until) = (&kept.name, kept.tally.refused_until(now)?);
                Some((*scope, *subject, name, until))
            }));
        }
        found.sort_unstable_by_key(|(scope, subject, ..)| place(*scope, *subject));
        let locked = found.into_iter().take(limit).map(|(scope, subject, name, until)| {
            let name = name.clone();
            Locked { operation, scope, subject, name, until }
        });
        locked.collect()
    }

    /// Whether something is locked out of an operation now.
    #[must_use]
    pub fn is_locked(&self, operation: Operation, scope: Scope, subject: Subject, now: DateTime<Utc>) -> bool {
        let Some(counts) = self.counts(operation) else { return false };
        let kept = counts.0.get(&(LimitKind::Lockout, scope)).and_then(|tallies| tallies.peek(&subject));
        kept.is_some_and(|kept| kept.tally.refused_until(now).is_some())
    }

    /// Lifts a lockout, if there is one, and forgets what led to it.
    pub fn clear(&self, operation: Operation, scope: Scope, subject: Subject) {
        let Some(mut counts) = self.counts(operation) else { return };
        if let Some(tallies) = counts.0.get_mut(&(LimitKind::Lockout, scope)) {
            tallies.pop(&subject);
        }
    }

    fn counts(&self, operation: Operation) -> Option<MutexGuard<'_, Counts>> {
        Some(self.0.get(&operation)?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
