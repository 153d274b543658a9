//! The circuit breaker in front of Redis: after a few failures in a row nobody waits for it any more, until a probe has found
//! it back.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::super::redis::RedisAway;

/// How many failures in a row open it.
const FAILURES: u32 = 5;

/// Whether Redis is to be asked.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: AtomicU32,
    open: AtomicBool,
}

impl Breaker {
    /// Whether it is not to be asked.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Takes an outcome into account; the one that opens it is the one to log.
    pub(super) fn note<T>(&self, outcome: Result<T, RedisAway>) -> Option<T> {
        match outcome {
            Ok(answer) => {
                self.failures.store(0, Ordering::Relaxed);
                Some(answer)
            }
            Err(away) => {
                tracing::debug!(error = %away, "Redis did not answer");
                let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                if failures >= FAILURES && !self.open.swap(true, Ordering::AcqRel) {
                    tracing::warn!(
                        error = away.with_causes(),
                        "Redis is away: throttles and lockouts are counted in the memory of this replica until it is back"
                    );
                }
                None
            }
        }
    }

    /// It answers again.
    pub(super) fn close(&self) {
        self.failures.store(0, Ordering::Relaxed);
        if self.open.swap(false, Ordering::AcqRel) {
            tracing::info!("Redis is back: throttles and lockouts are counted there again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, FAILURES, RedisAway};

    #[test]
    fn only_failures_in_a_row_open_it_and_only_a_probe_closes_it() {
        let breaker = Breaker::default();
        let fail = |times: u32| (0..times).for_each(|_| assert_eq!(breaker.note::<()>(Err(RedisAway::Late)), None));
        fail(FAILURES - 1);
        assert_eq!(breaker.note(Ok(7)), Some(7));
        fail(FAILURES - 1);
        assert!(!breaker.is_open());
        fail(1);
        assert!(breaker.is_open());
        // A call that was under way may still be answered.
        assert_eq!(breaker.note(Ok(7)), Some(7));
        assert!(breaker.is_open());
        breaker.close();
        assert!(!breaker.is_open());
        fail(FAILURES - 1);
        assert!(!breaker.is_open());
    }
}
