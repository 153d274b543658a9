//! Whether the service can serve: it can when the database answers and takes writes, and the clocks agree. Without Redis it
//! serves degraded.
//!
//! One job asks; everyone else is told the last answer, so that no number of questions can use up the jobs' connections.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::app::App;
use crate::error::Error;
use crate::flows::clocks;
use crate::store::limits::Standing;

/// The name under which health tells of Redis.
pub const REDIS: &str = "keyward.redis";

/// How long the database may take to answer a probe, connecting included.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// How old the answer to the last probe may be. An older one says that probes have stopped.
const LONGEST_AGE: Duration = Duration::from_secs(10);

/// Answer to the last probe of the database.
#[derive(Debug, Default)]
pub struct DatabaseHealth(Mutex<Option<(Instant, bool)>>);

impl DatabaseHealth {
    fn record(&self, good: bool, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, good));
    }

    fn is_good(&self, now: Instant) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|(at, good)| good && now.saturating_duration_since(at) <= LONGEST_AGE)
    }
}

/// Asks the database whether it answers and takes writes, compares the clocks, and records the answer for [`is_ready`].
///
/// # Errors
/// When it does not answer in time or is read-only, or when this machine's clock is wrong.
pub async fn probe(app: &App) -> Result<(), Error> {
    let answer = ask(app).await;
    app.database_health.record(answer.is_ok(), Instant::now());
    answer
}

async fn ask(app: &App) -> Result<(), Error> {
    app.job_pool.probe(PROBE_TIMEOUT).await?;
    let compared = async { clocks::ensure_agreed(&mut *app.job_pool.get().await?).await };
    let compared = tokio::time::timeout(PROBE_TIMEOUT, compared).await;
    compared.unwrap_or_else(|_elapsed| Err(Error::internal("the clocks could not be compared in time")))
}

/// Whether the last probe was answered well, and not too long ago. Asks nobody.
#[must_use]
pub fn is_ready(app: &App) -> bool {
    app.database_health.is_good(Instant::now())
}

/// Whether limits are counted by each replica alone because Redis is away; `None` where none is expected.
#[must_use]
pub fn limits_degraded(app: &App) -> Option<bool> {
    match app.limits.standing() {
        Standing::MemoryOnly => None,
        Standing::Redis => Some(false),
        Standing::Degraded => Some(true),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{DatabaseHealth, LONGEST_AGE};

    #[test]
    fn an_answer_is_believed_for_some_time() {
        let (health, start) = (DatabaseHealth::default(), Instant::now());
        assert!(!health.is_good(start), "nobody has asked");
        health.record(true, start);
        assert!(health.is_good(start + LONGEST_AGE));
        assert!(!health.is_good(start + LONGEST_AGE + Duration::from_millis(1)), "the probes have stopped");
        health.record(false, start);
        assert!(!health.is_good(start));
    }
}
