//! The ring of this replica: what it signs and verifies with, kept up to date with what any replica has changed.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Due, due};
use crate::app::App;
use crate::error::Error;
use crate::flows::copied::Copied;
use crate::store::pg::feed_versions::Feed;
use crate::store::pg::signing_keys::{self, KeyState, StoredKey};
use crate::token::keys::{Keys, SealedKey};
use crate::token::master::Master;

/// Within which time every replica refuses the tokens of a revoked key.
const FELT_WITHIN: Duration = Duration::from_secs(1);

/// The signing keys as they are stored, which say when something is due. The ring is made of them whenever they change.
pub type SigningKeys = Copied<Vec<StoredKey>>;

/// Opens stored keys.
pub(super) fn open(stored: &[StoredKey], master: &Master) -> Result<Keys, Error> {
    let sealed = stored.iter().map(|key| SealedKey {
        key_id: &key.key_id,
        algorithm: &key.algorithm,
        private_key: &key.private_key,
        active: key.state == KeyState::Active,
        retired_at: key.retired_at,
    });
    Keys::open(sealed, master).map_err(Error::internal)
}

/// Reads the keys again if they have changed; one round trip when they have not. Takes those off the ring that have retired
/// since: that is a matter of time and changes nothing in the table.
///
/// # Errors
/// When the database fails, or a key was sealed under a master key that is not given; the ring then stays as it is.
pub async fn follow(app: &App) -> Result<(), Error> {
    let following = app.signing_keys.follow(&app.job_pool, Feed::SigningKeys, |mut conn| async move {
        let stored = signing_keys::find_all(&mut conn, app.clock.now()).await?;
        app.keys.replace(open(&stored, &app.master)?);
        tracing::info!(signing_keys = stored.len(), "the signing keys were read");
        Ok(stored)
    });
    following.await?;
    drop_retired(app).await
}

async fn drop_retired(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    if !app.signing_keys.current().iter().any(|key| has_retired(key, now)) {
        return Ok(());
    }
    let without_retired = |stored: &Vec<StoredKey>| {
        let left: Vec<_> = stored.iter().filter(|key| !has_retired(key, now)).cloned().collect();
        app.keys.replace(open(&left, &app.master)?);
        tracing::info!(signing_keys = left.len(), "signing keys have retired");
        Ok(Some(left))
    };
    app.signing_keys.revise(without_retired).await
}

fn has_retired(key: &StoredKey, now: DateTime<Utc>) -> bool {
    key.retired_at.is_some_and(|retired_at| retired_at <= now)
}

/// Whether a key is to be made or to take over, as far as this replica knows; at no cost.
#[must_use]
pub fn is_due(app: &App) -> bool {
    due(&app.signing_keys.current(), None, &app.config.tokens, app.clock.now()) != Due::Nothing
}

/// Looks whether there is a key that this replica has not heard of; [bounded](Copied::look_up), however many ask.
///
/// # Errors
/// A failure of ours.
pub async fn look_up(app: &App) -> Result<(), Error> {
    app.signing_keys.look_up(follow(app)).await
}

/// Reads the keys again when they were read longer ago than the bound for revocations: a key may have been revoked since. A bound
/// below a second does not count, because the feed's job reads the keys a few times a second.
///
/// # Errors
/// When the database fails while it is needed.
pub async fn be_fresh(app: &App) -> Result<(), Error> {
    let bound = app.config.revocations.max_age.max(FELT_WITHIN);
    if app.signing_keys.is_fresh(bound) { Ok(()) } else { follow(app).await }
}

/// Makes a change felt here that has been committed. It stands even if this fails: the feed's job brings it then.
pub(super) async fn take_in(app: &App) {
    if let Err(error) = follow(app).await {
        tracing::debug!(error = %error, "the signing keys could not be read after a change");
    }
}
