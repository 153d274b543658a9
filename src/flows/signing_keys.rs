//! The keys that sign access tokens: made when there is none of the configured algorithm, and put on the ring.

use chrono::{DateTime, Utc};

use crate::config::Tokens;
use crate::error::Error;
use crate::store::pg::signing_keys::{self, KeyState, StoredKey};
use crate::store::pg::{Connection, Pool};
use crate::token::access;
use crate::token::keys::{self, Keys, SealedKey};
use crate::token::master::Master;

/// Opens the stored keys, after making one that signs if there is none, or none of the configured algorithm.
///
/// # Errors
/// When the database fails, or a key was sealed under a master key that is not given.
pub async fn load(pool: &Pool, master: &Master, settings: &Tokens, now: DateTime<Utc>) -> Result<Keys, Error> {
    let mut stored = signing_keys::find_all(&mut *pool.get().await?, now).await?;
    if !signs(&stored, settings) {
        let mut tx = pool.begin().await?;
        let outcome = make(&mut tx, master, settings, now).await;
        stored = tx.end(outcome).await?;
    }
    let sealed = stored.iter().map(|key| SealedKey {
        key_id: &key.key_id,
        algorithm: &key.algorithm,
        private_key: &key.private_key,
        active: key.state == KeyState::Active,
    });
    Keys::open(sealed, master).map_err(Error::internal)
}

fn signs(stored: &[StoredKey], settings: &Tokens) -> bool {
    let algorithm = keys::name(settings.algorithm);
    stored.iter().any(|key| key.state == KeyState::Active && key.algorithm == algorithm)
}

async fn make(
    conn: &mut Connection,
    master: &Master,
    settings: &Tokens,
    now: DateTime<Utc>,
) -> Result<Vec<StoredKey>, Error> {
    signing_keys::lock(conn).await?;
    // Another replica may have made it while this one waited.
    if !signs(&signing_keys::find_all(conn, now).await?, settings) {
        let (key_id, private_key) = keys::generate(settings.algorithm, master).map_err(Error::internal)?;
        signing_keys::update_retiring(conn, access::all_expired_at(settings, now)).await?;
        let key = StoredKey {
            key_id,
            algorithm: keys::name(settings.algorithm).to_owned(),
            state: KeyState::Active,
            private_key,
            created_at: now,
            active_at: now,
            retired_at: None,
        };
        signing_keys::insert(conn, &key).await?;
    }
    Ok(signing_keys::find_all(conn, now).await?)
}
