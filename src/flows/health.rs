//! Whether the service can serve: it can when the database can. Without Redis it serves degraded.

use crate::app::App;
use crate::error::Error;
use crate::flows::clocks;
use crate::store::limits::Standing;

/// The name under which health tells of Redis.
pub const REDIS: &str = "keyward.redis";

/// Asks the database something simple, and compares the clocks.
///
/// # Errors
/// When it does not answer, or when this machine's clock is wrong.
pub async fn check(app: &App) -> Result<(), Error> {
    clocks::ensure_agreed(&mut *app.job_pool.get().await?).await
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
