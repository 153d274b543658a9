//! Mail to deliver: written with what causes it, claimed by one replica at a time.

use chrono::{DateTime, Utc};
use diesel::Queryable;
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
    /// When it is not worth sending any more: the end of the code that it holds.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A mail that this replica is to deliver now.
#[derive(Debug)]
pub struct ClaimedMail {
    /// The mail.
    pub mail: OutboxMail,
    /// Which attempt this is, the first being 1.
    pub attempt: u16,
    /// When it was put into the outbox.
    pub created_at: DateTime<Utc>,
}

/// How much mail waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many mails.
    pub pending: i64,
    /// Since when the oldest of them waits.
    pub oldest_created_at: Option<DateTime<Utc>>,
}

statement! {
    Insert {
        mail_id: Uuid => SqlUuid,
        kind: String => Text,
        payload: Vec<u8> => Binary,
        now: DateTime<Utc> => Timestamptz,
        delivered_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        expires_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    } -> ()
    "INSERT INTO mail_outbox (mail_id, kind, payload, attempts, due_at, created_at, delivered_at, expires_at)
    VALUES ($1, $2, CASE WHEN $5::timestamptz IS NULL THEN $3 ELSE ''::bytea END, 0, $4, $4, $5, $6)"
}

statement! {
    Claim {
        now: DateTime<Utc> => Timestamptz,
        lease_ends_at: DateTime<Utc> => Timestamptz,
        limit: i64 => BigInt,
    } -> (SqlUuid, Text, Binary, Nullable<Timestamptz>, SmallInt, Timestamptz)
    "UPDATE mail_outbox SET attempts = least(attempts::integer + 1, 1000)::smallint, due_at = $2
    WHERE mail_id IN (
        SELECT mail_id FROM mail_outbox
        WHERE delivered_at IS NULL AND dead_at IS NULL AND due_at <= $1
        ORDER BY created_at DESC LIMIT $3 FOR UPDATE SKIP LOCKED
    )
    RETURNING mail_id, kind, payload, expires_at, attempts, created_at"
}

statement! {
    Release { mail_id: Uuid => SqlUuid, due_at: DateTime<Utc> => Timestamptz } -> ()
    "UPDATE mail_outbox SET due_at = $2, attempts = greatest(attempts::integer - 1, 0)::smallint WHERE mail_id = $1"
}

statement! {
    FindBacklog {} -> (BigInt, Nullable<Timestamptz>)
    "SELECT count(*), min(created_at) FROM mail_outbox WHERE delivered_at IS NULL AND dead_at IS NULL"
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
    let OutboxMail { mail_id, kind, payload, expires_at } = mail;
    let delivered_at = for_nobody.then_some(now);
    let statement = Insert { mail_id: mail_id.uuid(), kind, payload, now, delivered_at, expires_at };
    statement.execute(conn).await?;
    Ok(())
}

/// Claims up to `limit` mails that are due, the newest first, until `lease_ends_at`: should this replica die, another takes them
/// up then.
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
    let rows: Vec<ClaimedRow> = statement.load(conn).await?;
    Ok(rows.into_iter().map(ClaimedMail::from).collect())
}

/// A row of [`Claim`].
#[derive(Queryable)]
struct ClaimedRow {
    mail_id: Uuid,
    kind: String,
    payload: Vec<u8>,
    expires_at: Option<DateTime<Utc>>,
    attempts: i16,
    created_at: DateTime<Utc>,
}

impl From<ClaimedRow> for ClaimedMail {
    fn from(row: ClaimedRow) -> Self {
        let ClaimedRow { mail_id, kind, payload, expires_at, attempts, created_at } = row;
        Self {
            mail: OutboxMail { mail_id: mail_id.into(), kind, payload, expires_at },
            attempt: u16::try_from(attempts).unwrap_or_default(),
            created_at,
        }
    }
}

/// Gives a claimed mail back, to be claimed again at `due_at`; the attempt that the claim counted does not count.
///
/// # Errors
/// When the database fails.
pub async fn release(conn: &mut Connection, mail_id: MailId, due_at: DateTime<Utc>) -> Result<(), StoreError> {
    Release { mail_id: mail_id.uuid(), due_at }.execute(conn).await?;
    Ok(())
}

/// Returns how much mail waits to be delivered.
///
/// # Errors
/// When the database fails.
pub async fn find_backlog(conn: &mut Connection) -> Result<Backlog, StoreError> {
    let (pending, oldest_created_at) = FindBacklog {}.get_result(conn).await?;
    Ok(Backlog { pending, oldest_created_at })
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
