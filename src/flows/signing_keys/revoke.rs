//! Revocation of all signing keys at once, for when one of them may have leaked.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Keeping, KeyState, generate, insert, make_next};
use crate::error::Error;
use crate::flows::{audit, clocks, names};
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::store::pg::feed_versions::{self, Feed};
use crate::store::pg::signing_keys;

/// Deletes every key that there is, and makes one that signs and one that signs next. Tokens of the old keys verify nowhere as
/// soon as a replica has read the keys again.
pub(super) async fn revoke_all(keeping: Keeping<'_>, by: &Act, now: DateTime<Utc>) -> Result<(), Error> {
    // Made before anything is locked: it may take its time.
    let [active, next] = generate(keeping.settings.algorithm).await?;
    let mut tx = keeping.pool.begin().await?;
    let outcome: Result<(), Error> = async {
        // A key made by a wrong clock would be due at once, or never.
        clocks::ensure_agreed(&mut tx).await?;
        signing_keys::lock(&mut tx).await?;
        let revoked = signing_keys::delete_all(&mut tx).await?;
        insert(&mut tx, keeping, &active, (KeyState::Active, now), now).await?;
        make_next(&mut tx, keeping, &next, (now, now)).await?;
        let event = Event::new(EventKind::SigningKeysRotated, Subject::SigningKey(active.key_id));
        audit::record(&mut tx, by, event.with("revoked_key_ids", names(revoked)), now).await?;
        Ok(feed_versions::update(&mut tx, Feed::SigningKeys, Uuid::new_v4()).await?)
    }
    .await;
    tx.end(outcome).await
}
