//! The keys that sign access tokens, sealed under the master key.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};

/// What a signing key is good for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, so that verifiers know it before it signs.
    Next,
    /// Signs.
    Active,
    /// Signs no more; verifies until the last token that it signed has expired.
    Retiring,
}

impl KeyState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "NEXT",
            Self::Active => "ACTIVE",
            Self::Retiring => "RETIRING",
        }
    }
}

/// A signing key as it is stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// The `kid` of its tokens.
    pub key_id: String,
    /// Its JWA name (RFC 7518).
    pub algorithm: String,
    /// What it is good for.
    pub state: KeyState,
    /// The private key, sealed.
    pub private_key: Vec<u8>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it started to sign; of the next one, when it was expected to as it was made.
    pub active_at: DateTime<Utc>,
    /// When it stops to verify, once it is retiring.
    pub retired_at: Option<DateTime<Utc>>,
}

statement! {
    FindAll { now: DateTime<Utc> => Timestamptz } -> (Text, Text, Text, Binary, Timestamptz, Timestamptz, Nullable<Timestamptz>)
    "SELECT key_id, algorithm, state, private_key, created_at, active_at, retired_at FROM signing_keys
    WHERE retired_at IS NULL OR retired_at > $1 ORDER BY created_at"
}

statement! {
    Insert {
        key_id: String => Text,
        algorithm: String => Text,
        state: String => Text,
        private_key: Vec<u8> => Binary,
        created_at: DateTime<Utc> => Timestamptz,
        active_at: DateTime<Utc> => Timestamptz,
    } -> ()
    "INSERT INTO signing_keys (key_id, algorithm, state, private_key, created_at, active_at)
    VALUES ($1, $2, $3, $4, $5, $6)"
}

statement! {
    Retire { retired_at: DateTime<Utc> => Timestamptz } -> (Text)
    "UPDATE signing_keys SET state = 'RETIRING', retired_at = $1 WHERE state = 'ACTIVE' RETURNING key_id"
}

statement! {
    Activate { algorithm: Option<String> => Nullable<Text>, now: DateTime<Utc> => Timestamptz } -> (Text)
    "UPDATE signing_keys SET state = 'ACTIVE', active_at = $2
    WHERE state = 'NEXT' AND ($1 IS NULL OR algorithm = $1) RETURNING key_id"
}

statement! {
    DeleteNext {} -> ()
    "DELETE FROM signing_keys WHERE state = 'NEXT'"
}

statement! {
    DeleteAll {} -> (Text)
    "DELETE FROM signing_keys RETURNING key_id"
}

statement! {
    Lock { key: i64 => BigInt } -> (Bool)
    "SELECT true FROM pg_advisory_xact_lock($1)"
}

type Row = (String, String, String, Vec<u8>, DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>);

/// Every key that signs or verifies, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn find_all(conn: &mut Connection, now: DateTime<Utc>) -> Result<Vec<StoredKey>, StoreError> {
    let rows: Vec<Row> = FindAll { now }.load(conn).await?;
    rows.into_iter()
        .map(|(key_id, algorithm, state, private_key, created_at, active_at, retired_at)| {
            let state = match state.as_str() {
                "NEXT" => KeyState::Next,
                "ACTIVE" => KeyState::Active,
                "RETIRING" => KeyState::Retiring,
                _ => return Err(StoreError::Corrupt { column: "signing_keys.state" }),
            };
            Ok(StoredKey { key_id, algorithm, state, private_key, created_at, active_at, retired_at })
        })
        .collect()
}

/// Stores a new key.
///
/// # Errors
/// When the database fails, or another key is in that state already.
pub async fn insert(conn: &mut Connection, key: &StoredKey) -> Result<(), StoreError> {
    let statement = Insert {
        key_id: key.key_id.clone(),
        algorithm: key.algorithm.clone(),
        state: key.state.as_str().to_owned(),
        private_key: key.private_key.clone(),
        created_at: key.created_at,
        active_at: key.active_at,
    };
    statement.execute(conn).await?;
    Ok(())
}

/// Makes the active key, if there is one, a retiring one that verifies until `retired_at`; returns which it was.
///
/// # Errors
/// When the database fails.
pub async fn update_retiring(conn: &mut Connection, retired_at: DateTime<Utc>) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> = Retire { retired_at }.get_result(conn).await.optional()?;
    Ok(row.map(|(key_id,)| key_id))
}

/// Makes the next key the active one, if it is of this algorithm, or of any; returns which it was.
///
/// # Errors
/// When the database fails, or another key is active.
pub async fn update_active(
    conn: &mut Connection,
    algorithm: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    let row: Option<(String,)> =
        Activate { algorithm: algorithm.map(str::to_owned), now }.get_result(conn).await.optional()?;
    Ok(row.map(|(key_id,)| key_id))
}

/// Deletes the next key, which has never signed.
///
/// # Errors
/// When the database fails.
pub async fn delete_next(conn: &mut Connection) -> Result<(), StoreError> {
    DeleteNext {}.execute(conn).await?;
    Ok(())
}

/// Deletes every key, whatever it is good for; returns which they were.
///
/// # Errors
/// When the database fails.
pub async fn delete_all(conn: &mut Connection) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = DeleteAll {}.load(conn).await?;
    Ok(rows.into_iter().map(|(key_id,)| key_id).collect())
}

/// Lets one replica at a time change the keys, until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn lock(conn: &mut Connection) -> Result<(), StoreError> {
    /// "keys" in ASCII.
    const SIGNING_KEYS_LOCK: i64 = 0x6b65_7973;
    Lock { key: SIGNING_KEYS_LOCK }.get_result::<(bool,)>(conn).await.optional()?;
    Ok(())
}

delete_expired! {
    /// Deletes keys whose tokens have all expired.
    DeleteExpired, delete_expired: "signing_keys", "key_id", "retired_at", "true"
}
