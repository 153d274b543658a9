//! Ends of what operators make: network rules and service keys.

use chrono::{DateTime, Utc};

use crate::error::Error;

/// Checks the end of something that is about to begin, if it has one; `field` is where it stands in the request.
///
/// # Errors
/// When the end is not in the future.
pub fn check(field: &'static str, expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), Error> {
    let over = expires_at.is_some_and(|expires_at| expires_at <= now);
    if over { Err(Error::invalid(field, "must be in the future")) } else { Ok(()) }
}
