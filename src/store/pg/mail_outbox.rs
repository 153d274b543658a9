//! Mail to deliver: written with what causes it, claimed by one replica at a time.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::id::MailId;

/// A mail in the outbox, its payload sealed.
#[derive(Debug)]
pub struct OutboxMail {
    /// Its identifier.
    pub mail_id: MailId,
    /// What it tells, for logs.
    pub kind: String,
    /// The sealed mail.
    pub payload: Vec<u8>,
}

/// A mail that this replica is to deliver now.
#[derive(Debug)]
pub struct ClaimedMail {
    /// The mail.
    pub mail: OutboxMail,
    /// Which attempt this is, the first being 1.
    pub attempt: u16,
}

statement! {
    Insert {
        mail_id: Uuid => SqlUuid,
        kind: String => Text,
        payload: Vec<u8> => Binary,
        now: DateTime<Utc> => Timestamptz,
        delivered_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    } -> ()
    "INSERT INTO mail_outbox (mail_id, kind, payload, attempts, due_at, created_at, delivered_at)
    VALUES ($1, $2, CASE WHEN $5::timestamptz IS NULL THEN $3 ELSE ''::bytea END, 0, $4, $4, $5)"
}

statement! {
    Claim {
        now: DateTime<Utc> => Timestamptz,
        lease_ends_at: DateTime<Utc> => Timestamptz,
        limit: i64 => BigInt,
    } -> (SqlUuid, Text, Binary, SmallInt)
    "UPDATE mail_outbox SET attempts = least(attempts::integer + 1, 1000)::smallint, due_at = $2
    WHERE mail_id IN (
        SELECT mail_id FROM mail_outbox
        WHERE delivered_at IS NULL AND dead_at IS NULL AND due_at <= $1
        ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
    )
    RETURNING mail_id, kind, payload, attempts"
}

statement! {
    SetDelivered { mail_id: Uuid => SqlUuid, now: DateTime<Utc> => Timestamptz } -> ()
    "UPDATE mail_outbox SET delivered_at = $2, payload = '' WHERE mail_id = $1"
}

statement! {
    SetDue { mail_id: Uuid => SqlUuid, due_at: DateTime<Utc> => Timestamptz } -> ()
    "UPDATE mail_outbox SET due_at = $2 WHERE mail_id = $1"
}

statement! {
    SetDead { mail_id: Uuid => SqlUuid, now: DateTime<Utc> => Timestamptz } -> ()
    "UPDATE mail_outbox SET dead_at = $2, payload = '' WHERE mail_id = $1"
}

/// Puts a mail into the outbox. One that is `for_nobody` is delivered already, and nothing is kept of it; it costs the same as
/// any other.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    conn: &mut Connection,
    mail: OutboxMail,
    for_nobody: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let OutboxMail { mail_id, kind, payload } = mail;
    let statement = Insert { mail_id: mail_id.uuid(), kind, payload, now, delivered_at: for_nobody.then_some(now) };
    statement.execute(conn).await?;
    Ok(())
}

/// Claims up to `limit` mails that are due, until `lease_ends_at`: should this replica die, another takes them up then.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    conn: &mut Connection,
    now: DateTime<Utc>,
    lease_ends_at: DateTime<Utc>,
    limit: u16,
) -> Result<Vec<ClaimedMail>, StoreError> {
    let statement = Claim { now, lease_ends_at, limit: i64::from(limit) };
    let rows: Vec<(Uuid, String, Vec<u8>, i16)> = statement.load(conn).await?;
    Ok(rows
        .into_iter()
        .map(|(mail_id, kind, payload, attempts)| ClaimedMail {
            mail: OutboxMail { mail_id: mail_id.into(), kind, payload },
            attempt: u16::try_from(attempts).unwrap_or_default(),
        })
        .collect())
}

/// Marks a mail as delivered and forgets what it said.
///
/// # Errors
/// When the database fails.
pub async fn update_delivered(conn: &mut Connection, mail_id: MailId, now: DateTime<Utc>) -> Result<(), StoreError> {
    SetDelivered { mail_id: mail_id.uuid(), now }.execute(conn).await?;
    Ok(())
}

/// Puts off the next attempt.
///
/// # Errors
/// When the database fails.
pub async fn update_due(conn: &mut Connection, mail_id: MailId, due_at: DateTime<Utc>) -> Result<(), StoreError> {
    SetDue { mail_id: mail_id.uuid(), due_at }.execute(conn).await?;
    Ok(())
}

/// Gives a mail up and forgets what it said.
///
/// # Errors
/// When the database fails.
pub async fn update_dead(conn: &mut Connection, mail_id: MailId, now: DateTime<Utc>) -> Result<(), StoreError> {
    SetDead { mail_id: mail_id.uuid(), now }.execute(conn).await?;
    Ok(())
}

delete_expired! {
    /// Deletes what is left of mails that were delivered or given up. They count by when they were made, an hour or two
    /// before.
    DeleteExpired, delete_expired: "mail_outbox", "mail_id", "created_at", "(delivered_at IS NOT NULL OR dead_at IS NOT NULL)"
}
