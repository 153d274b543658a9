//! The service keys in memory, by their hash: whether one is good costs no I/O while the copy is fresh.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::error::{Error, TokenRefusal};
use crate::flows::copied::Copied;
use crate::model::caller::ServiceCaller;
use crate::store::pg::feed_versions::Feed;
use crate::store::pg::service_keys::{self, StoredKey};
use crate::token::service_key;

/// The service keys that this replica knows, by their hash.
pub type ServiceKeys = Copied<HashMap<[u8; 32], Known>>;

/// A key, revoked or not.
#[derive(Debug)]
pub struct Known {
    caller: ServiceCaller,
    expires_at: Option<DateTime<Utc>>,
    revoked: bool,
}

impl Known {
    fn good(&self, now: DateTime<Utc>) -> Result<ServiceCaller, TokenRefusal> {
        if self.revoked {
            return Err(TokenRefusal::Revoked);
        }
        if self.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(TokenRefusal::Expired);
        }
        Ok(self.caller.clone())
    }
}

impl From<StoredKey> for Known {
    fn from(key: StoredKey) -> Self {
        let caller = ServiceCaller { service_key_id: key.service_key_id, permissions: key.permissions.into() };
        Self { caller, expires_at: key.expires_at, revoked: key.revoked_at.is_some() }
    }
}

/// Who presents this service key. It is looked for by its hash, so that how long that takes says nothing of any key.
///
/// Asks the database only when the copy is too old to be trusted, or does not hold the key: another replica may have made it a
/// moment ago.
///
/// # Errors
/// `Invalid`, `Expired` or `Revoked`; the database away while it is needed.
pub(in crate::flows) async fn authenticate(app: &App, key: &str) -> Result<ServiceCaller, Error> {
    let hash = service_key::hash(key).ok_or(TokenRefusal::Invalid)?;
    be_fresh(app).await?;
    if let Some(good) = find(app, hash) {
        return Ok(good?);
    }
    app.service_keys.look_up(follow(app)).await?;
    Ok(find(app, hash).ok_or(TokenRefusal::Invalid)??)
}

/// Whether this replica knows a service key as a good one, without any I/O.
#[must_use]
pub fn is_known(app: &App, key: &str) -> bool {
    service_key::hash(key).and_then(|hash| find(app, hash)).is_some_and(|good| good.is_ok())
}

fn find(app: &App, hash: [u8; 32]) -> Option<Result<ServiceCaller, TokenRefusal>> {
    Some(app.service_keys.current().get(&hash)?.good(app.clock.now()))
}

/// Whether who authenticated with a service key before could do so again.
///
/// # Errors
/// As [`authenticate`].
pub(in crate::flows) async fn still_good(app: &App, caller: &ServiceCaller) -> Result<(), Error> {
    be_fresh(app).await?;
    let known = app.service_keys.current();
    let key = known.values().find(|known| known.caller.service_key_id == caller.service_key_id);
    key.ok_or(TokenRefusal::Invalid)?.good(app.clock.now())?;
    Ok(())
}

/// Reads the keys again if they have changed; one round trip when they have not. Called at start, it loads them.
///
/// # Errors
/// When the database fails.
pub async fn follow(app: &App) -> Result<(), Error> {
    let following = app.service_keys.follow(&app.job_pool, Feed::ServiceKeys, |mut conn| async move {
        let stored = service_keys::find_all(&mut conn).await?;
        tracing::info!(service_keys = stored.len(), "the service keys were read");
        Ok(stored.into_iter().map(|key| (key.key_hash, key.into())).collect())
    });
    following.await
}

/// Makes a change felt here that has been committed. It stands even if this fails: the feed's job brings it then.
pub(super) async fn take_in(app: &App) {
    if let Err(error) = follow(app).await {
        tracing::debug!(error = %error, "the service keys could not be read after a change");
    }
}

/// A copy that is older than the bound for revocations is read again first: what it does not say may have happened.
async fn be_fresh(app: &App) -> Result<(), Error> {
    if app.service_keys.is_fresh(app.config.revocations.max_age) { Ok(()) } else { follow(app).await }
}
