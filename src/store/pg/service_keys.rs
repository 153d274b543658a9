//! Service keys, by what is stored of them: their hash. Revoked ones stay for a while.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::id::ServiceKeyId;
use crate::model::permission::Permission;
use crate::model::service_key::{ServiceKey, ServiceKeyName};

macro_rules! columns {
    () => {
        "service_key_id, name, key_prefix, permissions, created_at, expires_at, last_used_at"
    };
}

type Columns = (SqlUuid, Text, Text, Array<Text>, Timestamptz, Nullable<Timestamptz>, Nullable<Timestamptz>);
type Row = (Uuid, String, String, Vec<String>, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// A key as replicas keep it in memory.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Its identifier.
    pub service_key_id: ServiceKeyId,
    /// SHA-256 of its random part.
    pub key_hash: [u8; 32],
    /// What it permits.
    pub permissions: BTreeSet<Permission>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

statement! {
    Insert {
        service_key_id: Uuid => SqlUuid,
        name: String => Text,
        key_prefix: String => Text,
        key_hash: Vec<u8> => Binary,
        permissions: Vec<String> => Array<Text>,
        created_at: DateTime<Utc> => Timestamptz,
        expires_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    } -> ()
    "INSERT INTO service_keys (service_key_id, name, key_prefix, key_hash, permissions, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)"
}

statement! {
    Revoke { service_key_id: Uuid => SqlUuid, now: DateTime<Utc> => Timestamptz } -> (Columns)
    "UPDATE service_keys SET revoked_at = $2 WHERE service_key_id = $1 AND revoked_at IS NULL RETURNING ", columns!()
}

statement! {
    FindPage { before: Option<Uuid> => Nullable<SqlUuid>, limit: i64 => BigInt } -> (Columns)
    "SELECT ", columns!(), " FROM service_keys
    WHERE revoked_at IS NULL AND ($1 IS NULL OR service_key_id < $1) ORDER BY service_key_id DESC LIMIT $2"
}

statement! {
    FindAll {} -> (SqlUuid, Binary, Array<Text>, Nullable<Timestamptz>, Nullable<Timestamptz>)
    "SELECT service_key_id, key_hash, permissions, expires_at, revoked_at FROM service_keys"
}

statement! {
    UpdateUsed { service_key_ids: Vec<Uuid> => Array<SqlUuid>, used_at: Vec<DateTime<Utc>> => Array<Timestamptz> } -> ()
    "UPDATE service_keys AS k SET last_used_at = u.used_at
    FROM unnest($1, $2) AS u (service_key_id, used_at)
    WHERE k.service_key_id = u.service_key_id AND (k.last_used_at IS NULL OR k.last_used_at < u.used_at)"
}

/// Stores a key.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut Connection, key: &ServiceKey, key_hash: [u8; 32]) -> Result<(), StoreError> {
    let statement = Insert {
        service_key_id: key.service_key_id.uuid(),
        name: key.name.as_str().to_owned(),
        key_prefix: key.key_prefix.clone(),
        key_hash: key_hash.to_vec(),
        permissions: key.permissions.iter().map(ToString::to_string).collect(),
        created_at: key.created_at,
        expires_at: key.expires_at,
    };
    statement.execute(conn).await?;
    Ok(())
}

/// Revokes a key and returns it, unless it was revoked before.
///
/// # Errors
/// When the database fails.
pub async fn revoke(
    conn: &mut Connection,
    service_key_id: ServiceKeyId,
    now: DateTime<Utc>,
) -> Result<Option<ServiceKey>, StoreError> {
    let row = Revoke { service_key_id: service_key_id.uuid(), now }.get_result::<(Row,)>(conn).await.optional()?;
    row.map(|(row,)| key(row)).transpose()
}

/// The keys that are not revoked, the newest first, from the one after `before`.
///
/// # Errors
/// When the database fails.
pub async fn find_page(
    conn: &mut Connection,
    before: Option<ServiceKeyId>,
    limit: u32,
) -> Result<Vec<ServiceKey>, StoreError> {
    let statement = FindPage { before: before.map(ServiceKeyId::uuid), limit: i64::from(limit) };
    statement.load::<(Row,)>(conn).await?.into_iter().map(|(row,)| key(row)).collect()
}

/// What authentication needs of every key, revoked or not.
///
/// # Errors
/// When the database fails.
pub async fn find_all(conn: &mut Connection) -> Result<Vec<StoredKey>, StoreError> {
    type Row = (Uuid, Vec<u8>, Vec<String>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    let rows: Vec<Row> = FindAll {}.load(conn).await?;
    rows.into_iter()
        .map(|(service_key_id, key_hash, names, expires_at, revoked_at)| {
            let key_hash = key_hash.try_into().map_err(|_| StoreError::Corrupt { column: "service_keys.key_hash" })?;
            let service_key_id = service_key_id.into();
            Ok(StoredKey { service_key_id, key_hash, permissions: permissions(&names)?, expires_at, revoked_at })
        })
        .collect()
}

/// Notes when keys were last used.
///
/// # Errors
/// When the database fails.
pub async fn update_used(
    conn: &mut Connection,
    uses: impl IntoIterator<Item = (ServiceKeyId, DateTime<Utc>)>,
) -> Result<(), StoreError> {
    let (service_key_ids, used_at) = uses.into_iter().map(|(id, used_at)| (id.uuid(), used_at)).unzip();
    UpdateUsed { service_key_ids, used_at }.execute(conn).await?;
    Ok(())
}

fn key(row: Row) -> Result<ServiceKey, StoreError> {
    let (service_key_id, name, key_prefix, names, created_at, expires_at, last_used_at) = row;
    Ok(ServiceKey {
        service_key_id: service_key_id.into(),
        name: ServiceKeyName::parse(&name).map_err(|_| StoreError::Corrupt { column: "service_keys.name" })?,
        key_prefix,
        permissions: permissions(&names)?,
        created_at,
        expires_at,
        last_used_at,
    })
}

fn permissions(names: &[String]) -> Result<BTreeSet<Permission>, StoreError> {
    let corrupt = |_| StoreError::Corrupt { column: "service_keys.permissions" };
    names.iter().map(|name| name.parse().map_err(corrupt)).collect()
}

delete_expired! {
    /// Deletes keys that have expired.
    DeleteExpired, delete_expired: "service_keys", "service_key_id", "expires_at", "true"
}

delete_expired! {
    /// Deletes keys that were revoked.
    DeleteRevoked, delete_revoked: "service_keys", "service_key_id", "revoked_at", "true"
}
