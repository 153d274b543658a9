//! The circuit breakers in front of Redis: after a few failures in a row nobody waits for it any more, until a probe has found
//! it back. One for each operation, since in a cluster each lives on one node.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::super::redis::RedisAway;
use crate::model::operation::Operation;

/// How many failures in a row open one.
const FAILURES: u32 = 5;

/// Whether Redis is to be asked.
#[derive(Debug, Default)]
pub(super) struct Breakers([Breaker; Operation::ALL.len()]);

#[derive(Debug, Default)]
struct Breaker {
    failures: AtomicU32,
    open: AtomicBool,
}

impl Breakers {
    /// Whether it is not to be asked about an operation.
    pub(super) fn is_open(&self, operation: Operation) -> bool {
        self.of(operation).is_some_and(|breaker| breaker.open.load(Ordering::Acquire))
    }

    /// Whether there is an operation that it is not to be asked about.
    pub(super) fn is_any_open(&self) -> bool {
        self.0.iter().any(|breaker| breaker.open.load(Ordering::Acquire))
    }

    /// Takes an outcome into account. The one that opens the first breaker is logged.
    pub(super) fn note<T>(&self, operation: Operation, outcome: Result<T, RedisAway>) -> Option<T> {
        let breaker = self.of(operation)?;
        match outcome {
            Ok(answer) => {
                breaker.failures.store(0, Ordering::Relaxed);
                Some(answer)
            }
            Err(away) => {
                tracing::debug!(error = away.with_causes(), operation = operation.as_str(), "Redis did not answer");
                let failures = breaker.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                let all_was_well = !self.is_any_open();
                if failures >= FAILURES && !breaker.open.swap(true, Ordering::AcqRel) && all_was_well {
                    tracing::warn!(
                        error = away.with_causes(),
                        "Redis is away: throttles and lockouts are counted in the memory of this replica until it is back"
                    );
                }
                None
            }
        }
    }

    /// It answers again for an operation. The one that closes the last breaker is logged.
    pub(super) fn close(&self, operation: Operation) {
        let Some(breaker) = self.of(operation) else { return };
        breaker.failures.store(0, Ordering::Relaxed);
        if breaker.open.swap(false, Ordering::AcqRel) && !self.is_any_open() {
            tracing::info!("Redis is back: throttles and lockouts are counted there again");
        }
    }

    fn of(&self, operation: Operation) -> Option<&Breaker> {
        self.0.get(Operation::ALL.iter().position(|one| *one == operation)?)
    }
}

#[cfg(test)]
mod tests {
    use super::{Breakers, FAILURES, Operation, RedisAway};

    #[test]
    fn only_failures_in_a_row_open_one_and_only_a_probe_closes_it() {
        let breakers = Breakers::default();
        let login = Operation::Login;
        let fail =
            |times: u32| (0..times).for_each(|_| assert_eq!(breakers.note::<()>(login, Err(RedisAway::Late)), None));
        fail(FAILURES - 1);
        assert_eq!(breakers.note(login, Ok(7)), Some(7));
        fail(FAILURES - 1);
        assert!(!breakers.is_open(login));
        // What other operations meet says nothing of this one.
        assert_eq!(breakers.note(Operation::Refresh, Ok(7)), Some(7));
        fail(1);
        assert!(breakers.is_open(login) && breakers.is_any_open() && !breakers.is_open(Operation::Refresh));
        // A call that was under way may still be answered.
        assert_eq!(breakers.note(login, Ok(7)), Some(7));
        assert!(breakers.is_open(login));
        breakers.close(login);
        assert!(!breakers.is_open(login) && !breakers.is_any_open());
        fail(FAILURES - 1);
        assert!(!breakers.is_open(login));
    }
}
