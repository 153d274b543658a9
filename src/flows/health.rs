//! Whether the service can serve: it can when the database can.

use crate::app::App;
use crate::error::Error;
use crate::store::pg;

/// Asks the database something simple.
///
/// # Errors
/// When it does not answer.
pub async fn check(app: &App) -> Result<(), Error> {
    Ok(pg::ping(&mut *app.job_pool.get().await?).await?)
}
