//! Service keys: what internal services authenticate with. Made and revoked here; every replica knows them all.

mod known;
mod uses;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use uuid::Uuid;

use super::{audit, expiry};
use crate::app::App;
use crate::error::Error;
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::model::id::ServiceKeyId;
use crate::model::permission::Permission;
use crate::model::service_key::{ServiceKey, ServiceKeyName};
use crate::store::pg::feed_versions::{self, Feed};
use crate::store::pg::service_keys;
use crate::token::service_key;

pub use known::{ServiceKeys, follow, is_known};
pub(super) use known::{authenticate, still_good};
pub use uses::{KeyUses, note_administration, note_use, record_uses};

/// A key to make.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is called.
    pub name: ServiceKeyName,
    /// What it permits.
    pub permissions: BTreeSet<Permission>,
    /// When it is to end by itself, if ever.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a key. This process takes it from now on, every other one after its next look at the feed. The key itself is in the
/// answer and nowhere else.
///
/// # Errors
/// No permission, an end that is not in the future, or a failure of ours.
pub async fn create(app: &App, by: &Act, new: NewKey) -> Result<(ServiceKey, SecretString), Error> {
    let now = app.clock.now();
    expiry::check("expire_time", new.expires_at, now)?;
    let NewKey { name, permissions, expires_at } = new;
    if permissions.is_empty() {
        return Err(Error::invalid("permissions", "must have at least 1 item"));
    }
    let service_key_id = ServiceKeyId::new(now);
    let secret = service_key::issue(&app.master)?;
    let key_prefix = secret.prefix;
    let key =
        ServiceKey { service_key_id, name, key_prefix, permissions, created_at: now, expires_at, last_used_at: None };
    let mut tx = app.pool.begin().await?;
    let outcome: Result<(), Error> = async {
        service_keys::insert(&mut tx, &key, secret.hash).await?;
        let event = Event::new(EventKind::ServiceKeyCreated, Subject::ServiceKey(service_key_id));
        audit::record(&mut tx, by, event.with("permissions", super::names(&key.permissions)), now).await?;
        Ok(feed_versions::update(&mut tx, Feed::ServiceKeys, Uuid::new_v4()).await?)
    }
    .await;
    tx.end(outcome).await?;
    known::take_in(app).await;
    Ok((key, secret.key))
}

/// Revokes a key and returns what it was. This process refuses it at once, every other one after its next look at the feed.
///
/// # Errors
/// No such key, or a failure of ours.
pub async fn revoke(app: &App, by: &Act, service_key_id: ServiceKeyId) -> Result<ServiceKey, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome: Result<_, Error> = async {
        let revoked = service_keys::revoke(&mut tx, service_key_id, now).await?;
        let key = revoked.ok_or(Error::ServiceKeyNotFound)?;
        let event = Event::new(EventKind::ServiceKeyRevoked, Subject::ServiceKey(service_key_id));
        audit::record(&mut tx, by, event, now).await?;
        feed_versions::update(&mut tx, Feed::ServiceKeys, Uuid::new_v4()).await?;
        Ok(key)
    }
    .await;
    let key = tx.end(outcome).await?;
    known::take_in(app).await;
    Ok(key)
}

/// The keys that are not revoked, the newest first, from the one after `before`; at most `limit`.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, before: Option<ServiceKeyId>, limit: u32) -> Result<Vec<ServiceKey>, Error> {
    Ok(service_keys::find_page(&mut *app.pool.get().await?, before, limit).await?)
}
