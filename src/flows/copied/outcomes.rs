//! How the latest of several equal look-ups ended, for the callers who waited for them: in a queue of callers that each look
//! for themselves, the last one would wait for all the timeouts before its own.

use std::sync::{PoisonError, RwLock};

use tokio::time::Instant;

use crate::error::Error;
use crate::store::pg::StoreError;

/// The outcomes of look-ups that run one at a time.
#[derive(Debug, Default)]
pub(in crate::flows) struct Outcomes(RwLock<Latest>);

#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    /// When the last successful look-up began: what it found is what there was then, or later.
    succeeded: Option<Instant>,
    /// When the last failed look-up ended: what it depends on was away then.
    failed: Option<Instant>,
}

impl Outcomes {
    /// Records how a look-up ended that began at `begun`.
    pub(in crate::flows) fn note<T>(&self, begun: Instant, outcome: &Result<T, Error>) {
        let mut latest = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(_) => latest.succeeded = Some(begun),
            Err(_) => latest.failed = Some(Instant::now()),
        }
    }

    /// The outcome that a caller shares who has waited since `asked`: that of a look-up which began since and succeeded, or of
    /// one which failed since. Without either, the caller has to look for itself.
    #[must_use]
    pub(in crate::flows) fn since(&self, asked: Instant) -> Option<Result<(), Error>> {
        let latest = *self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_since = |moment: Option<Instant>| moment.is_some_and(|moment| moment >= asked);
        if is_since(latest.succeeded) {
            return Some(Ok(()));
        }
        is_since(latest.failed)
            .then(|| Err(StoreError::Unavailable("a look-up that this call waited for has failed".into()).into()))
    }

    /// When the last successful look-up began.
    #[must_use]
    pub(in crate::flows) fn succeeded_at(&self) -> Option<Instant> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).succeeded
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Error, Instant, Outcomes};

    #[test]
    fn a_waiting_caller_shares_what_was_begun_since_or_failed_since() {
        let outcomes = Outcomes::default();
        let begun = Instant::now();
        let late = begun + Duration::from_nanos(1);
        outcomes.note(begun, &Ok(()));
        assert!(matches!(outcomes.since(begun), Some(Ok(()))));
        assert!(outcomes.since(late).is_none(), "what it found may be older than the question");
        outcomes.note::<()>(begun, &Err(Error::MethodUnknown));
        assert!(matches!(outcomes.since(late), Some(Err(Error::DatabaseUnavailable(_)))));
        let after = Instant::now() + Duration::from_secs(1);
        assert!(outcomes.since(after).is_none(), "the next caller looks for itself");
    }
}
