//! ListSigningKeys: the keys as administrators see them, without their private parts.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{KeyState, active_since};
use crate::app::App;
use crate::error::Error;
use crate::policy::signing;
use crate::store::pg::signing_keys::{self, StoredKey};
use crate::token::master::sha256;

/// A signing key as administrators see it.
#[derive(Clone, Debug)]
pub struct KnownKey {
    /// Its `kid`.
    pub key_id: String,
    /// Its JWA name.
    pub algorithm: String,
    /// What it is good for.
    pub state: KeyState,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it starts, or started, to sign.
    pub active_at: DateTime<Utc>,
    /// When the last token that it signed has expired.
    pub retired_at: Option<DateTime<Utc>>,
}

/// Every key that signs, has signed tokens that may be good still, or signs next; the newest first, from the one after the
/// [place](KnownKey::place) `before`.
///
/// # Errors
/// A failure of ours.
pub async fn list_after(app: &App, before: Option<Uuid>) -> Result<Vec<KnownKey>, Error> {
    let stored = signing_keys::find_all(&mut *app.pool.get().await?, app.clock.now()).await?;
    let since = active_since(&stored);
    let active_at = |key: &StoredKey| match (key.state, since) {
        // It was stored under settings that may have changed.
        (KeyState::Next, Some(since)) => {
            signing::takes_over_at(since, key.created_at, app.config.tokens.signing_key_rotation)
        }
        _ => key.active_at,
    };
    let mut known: Vec<_> =
        stored.into_iter().map(|key| KnownKey { active_at: active_at(&key), ..key.into() }).collect();
    known.retain(|key| before.is_none_or(|before| key.place() < before));
    known.sort_by_key(|key| std::cmp::Reverse(key.place()));
    Ok(known)
}

impl KnownKey {
    /// Its place among all keys, which sorts as they are to be shown: by when they sign, and of two of the same moment the
    /// later one in the life of a key. In the form of a UUID of version 7, made at that moment.
    #[must_use]
    pub fn place(&self) -> Uuid {
        let millis = u128::try_from(self.active_at.timestamp_millis()).unwrap_or_default();
        let rest = sha256(self.key_id.as_bytes()).first_chunk::<16>().copied().unwrap_or_default();
        let turn: u128 = match self.state {
            KeyState::Next => 2,
            KeyState::Active => 1,
            KeyState::Retiring => 0,
        };
        Uuid::from_u128((millis << 80) | (turn << 78) | (u128::from_be_bytes(rest) >> 50))
    }
}

impl From<StoredKey> for KnownKey {
    fn from(key: StoredKey) -> Self {
        let StoredKey { key_id, algorithm, state, created_at, active_at, retired_at, .. } = key;
        Self { key_id, algorithm, state, created_at, active_at, retired_at }
    }
}
