//! Writing a login: the new session, the device limit, what that ends, the notice and the audit trail, in one statement.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Binary, Bool, Cidr, Inet, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use ipnet::IpNet;
use uuid::Uuid;

use super::{Connection, SessionColumns, SessionRow, StoreError, inet, session, session_columns, statement};
use crate::model::id::AuditEventId;
use crate::model::operation::counted_network;
use crate::model::password::PasswordHash;
use crate::model::session::{EndReason, Session};
use crate::store::pg::login_attempts::Attempt;
use crate::store::pg::mail_outbox::OutboxMail;
use crate::store::pg::user_devices::{knows_device, used_after};

/// A login whose password has been found right.
#[derive(Debug)]
pub struct NewLogin {
    /// The session to be.
    pub session: Session,
    /// The user's revision when the password was looked at.
    pub revision: i64,
    /// The password hashed anew, when its parameters were not the current ones.
    pub rehash: Option<PasswordHash>,
    /// When the session ends however much it is used.
    pub absolute_expires_at: DateTime<Utc>,
    /// How many devices the user may have.
    pub max_devices: u32,
    /// When the access tokens of a session that this ends have expired.
    pub revocation_expires_at: DateTime<Utc>,
    /// The request id of the call, for the audit trail.
    pub request_id: String,
    /// The notice to the owner, sent when the device is new to the account.
    pub notice: OutboxMail,
    /// What wrong reset codes of the address are counted by.
    pub code_address_hash: Vec<u8>,
    /// The attempt that this is the success of.
    pub attempt: Option<Attempt>,
}

/// What became of a login.
#[derive(Debug)]
pub enum LoginOutcome {
    /// It is written.
    LoggedIn {
        /// Sessions that made room for it.
        evicted: Vec<Session>,
        /// An earlier session of the same device.
        replaced: Vec<Session>,
        /// Whether the notice was put into the outbox.
        noticed: bool,
    },
    /// The user's row is not what it was when the password was looked at: nothing was written.
    Outdated,
}

statement! {
    InsertLogin {
        session_id: Uuid => SqlUuid,
        user_id: Uuid => SqlUuid,
        revision: i64 => BigInt,
        device_id: String => Text,
        device_name: String => Text,
        ip_address: IpNet => Inet,
        user_agent: String => Text,
        now: DateTime<Utc> => Timestamptz,
        expires_at: DateTime<Utc> => Timestamptz,
        absolute_expires_at: DateTime<Utc> => Timestamptz,
        max_devices: i64 => BigInt,
        rehash: Option<String> => Nullable<Text>,
        revocation_expires_at: DateTime<Utc> => Timestamptz,
        mail_id: Uuid => SqlUuid,
        mail_kind: String => Text,
        mail_payload: Vec<u8> => Binary,
        address_hash: Option<Vec<u8>> => Nullable<Binary>,
        tally: Option<String> => Nullable<Text>,
        network: Option<IpNet> => Nullable<Cidr>,
        audit_event_id: Uuid => SqlUuid,
        request_id: String => Text,
        device_network: IpNet => Cidr,
        known_since: DateTime<Utc> => Timestamptz,
        code_address_hash: Vec<u8> => Binary,
        network_accounts: i64 => BigInt,
        tag: Option<Vec<u8>> => Nullable<Binary>,
        account_failures: i64 => BigInt,
    } -> (Bool, Nullable<Text>, Nullable<SessionColumns>)
    // A concurrent login of the same user waits here for the other's commit, then finds another revision and writes
    // nothing. One that does match has seen every earlier login in its snapshot, so the limit cannot be raced.
    "WITH logged_in AS (
        UPDATE users SET last_login_at = $8, revision = revision + 1, password_hash = coalesce($12, password_hash)
        WHERE user_id = $2 AND revision = $3 AND state = 'ACTIVE'
        RETURNING user_id
    ), other AS (
        SELECT session_id, row_number() OVER (ORDER BY last_used_at DESC, session_id DESC) AS place
        FROM sessions WHERE user_id = $2 AND device_id <> $4 AND ended_at IS NULL AND expires_at > $8
    ), ended AS (
        UPDATE sessions s
        SET ended_at = $8, end_reason = CASE WHEN s.device_id = $4 THEN 'REPLACED' ELSE 'EVICTED' END
        FROM logged_in l
        WHERE s.user_id = l.user_id AND s.ended_at IS NULL
            AND (s.device_id = $4 OR s.session_id IN (SELECT session_id FROM other WHERE place >= $11))
        RETURNING s.end_reason, ", session_columns!(), "
    ), revoked AS (
        INSERT INTO revocations (session_id, created_at, expires_at) SELECT session_id, $8, $13 FROM ended
    ), created AS (
        INSERT INTO sessions (session_id, user_id, device_id, device_name, ip_address, user_agent, generation,
            created_at, last_used_at, rotated_at, expires_at, absolute_expires_at)
        -- Counting them makes the device's earlier session end before this one begins.
        SELECT $1, l.user_id, $4, $5, $6, $7, 1, $8, $8, $8, $9, $10 FROM logged_in l, (SELECT count(*) FROM ended) e
    ), known AS (
        -- From wherever: a phone that moves is not new to its owner.
        SELECT device_id FROM user_devices WHERE user_id = $2 AND device_id = $4
    ), device AS (
        INSERT INTO user_devices (user_id, device_id, network, first_used_at, last_used_at)
        SELECT user_id, $4, $22, $8, $8 FROM logged_in
        ON CONFLICT ON CONSTRAINT user_devices_pkey DO UPDATE SET last_used_at = $8
    ), noticed AS (
        INSERT INTO mail_outbox (mail_id, kind, payload, attempts, due_at, created_at)
        SELECT $14, $15, $16, 0, $8, $8 FROM logged_in WHERE NOT EXISTS (SELECT FROM known)
        RETURNING mail_id
    ), cleared_network AS (
        -- The failures of this device at this account. What locks the network stays locked as long as enough accounts are left.
        UPDATE login_networks n
        SET (address_hashes, attempted_at, tags, locked_until) = (
            SELECT coalesce(array_agg(h ORDER BY place), '{}'), coalesce(array_agg(t ORDER BY place), '{}'),
                coalesce(array_agg(coalesce(tag, '') ORDER BY place), '{}'),
                CASE WHEN count(DISTINCT h) >= $25 THEN n.locked_until END
            FROM unnest(n.address_hashes, n.attempted_at, n.tags) WITH ORDINALITY AS tried (h, t, tag, place)
            WHERE tag IS DISTINCT FROM $26 AND h IS NOT NULL
        )
        FROM logged_in WHERE n.network = $19 AND $26 = ANY (n.tags)
        RETURNING n.network
    ), cleared_of_strangers AS (
        -- Those of the device from before the account knew it, or from where it does not. Counting makes the network's row come
        -- first, as everywhere.
        UPDATE account_lockouts a
        SET (attempted_at, tags, failures_in_a_row, locks, locked_until) = (
            SELECT coalesce(array_agg(t ORDER BY place) FILTER (WHERE stays), '{}'),
                coalesce(array_agg(coalesce(tag, '') ORDER BY place) FILTER (WHERE stays), '{}'),
                greatest(a.failures_in_a_row - count(*) FILTER (WHERE NOT stays), 0)::integer,
                greatest(a.locks - (a.locked_until IS NOT NULL AND count(*) FILTER (WHERE stays) < $27)::integer, 0),
                CASE WHEN count(*) FILTER (WHERE stays) >= $27 THEN a.locked_until END
            FROM (
                SELECT t, tag, place, tag IS DISTINCT FROM $26 AS stays
                FROM unnest(a.attempted_at, a.tags) WITH ORDINALITY AS tried (t, tag, place) WHERE t IS NOT NULL
            ) AS split
        )
        FROM logged_in, (SELECT count(*) FROM cleared_network) AS network_first
        WHERE $18 <> '' AND a.address_hash = $17 AND a.device_id = '' AND $26 = ANY (a.tags)
        RETURNING a.device_id
    ), cleared AS (
        DELETE FROM account_lockouts a USING logged_in, (SELECT count(*) FROM cleared_network) AS network_first,
            (SELECT count(*) FROM cleared_of_strangers) AS strangers_first
        WHERE a.address_hash = $17 AND a.device_id = $18
    ), forgiven AS (
        UPDATE code_quotas q SET wrong_codes = 0 FROM logged_in
        WHERE q.address_hash = $24 AND q.wrong_codes > 0 AND ", knows_device!("$2", "$4", "$22", "$23"), "
    ), audited AS (
        INSERT INTO audit_events (audit_event_id, created_at, kind, actor_type, actor_id, subject_type, subject_id,
            ip_address, device_id, request_id, details)
        SELECT $20, $8, 'LOGIN_SUCCEEDED', 'USER', user_id, 'USER', user_id::text, $6, $4, $21,
            jsonb_build_object('session_id', $1)
        FROM logged_in
        UNION ALL
        -- Of the same millisecond, and random otherwise, as version 7 has it.
        SELECT overlay(gen_random_uuid()::text PLACING left($20::text, 15) FROM 1)::uuid, $8,
            CASE end_reason WHEN 'EVICTED' THEN 'SESSION_EVICTED' ELSE 'SESSION_REVOKED' END, 'USER', user_id,
            'SESSION', session_id::text, $6, $4, $21, jsonb_build_object('user_id', user_id, 'reason', end_reason)
        FROM ended
    )
    SELECT EXISTS (SELECT FROM noticed), s.end_reason, ", session_columns!(), "
    FROM logged_in LEFT JOIN ended s ON true"
}

/// Writes a login. The least recently used sessions beyond the device limit end, as does an earlier one of the device.
///
/// # Errors
/// When the database fails.
pub async fn insert_login(conn: &mut Connection, login: NewLogin) -> Result<LoginOutcome, StoreError> {
    let NewLogin { session: new, notice, .. } = login;
    let address: IpAddr = new.ip_address;
    let statement = InsertLogin {
        session_id: new.session_id.uuid(),
        user_id: new.user_id.uuid(),
        revision: login.revision,
        device_id: new.device_id.as_str().to_owned(),
        device_name: new.device_name.as_str().to_owned(),
        ip_address: inet(address),
        user_agent: new.user_agent,
        now: new.created_at,
        expires_at: new.expires_at,
        absolute_expires_at: login.absolute_expires_at,
        max_devices: i64::from(login.max_devices),
        rehash: login.rehash.map(|hash| hash.as_str().to_owned()),
        revocation_expires_at: login.revocation_expires_at,
        mail_id: notice.mail_id.uuid(),
        mail_kind: notice.kind,
        mail_payload: notice.payload,
        network: login.attempt.as_ref().and_then(|attempt| attempt.network),
        network_accounts: login.attempt.as_ref().map_or(i64::MAX, |attempt| attempt.network_accounts),
        account_failures: login.attempt.as_ref().map_or(i64::MAX, |attempt| attempt.account_failures),
        tag: login.attempt.as_ref().map(|attempt| attempt.tag.0.to_vec()),
        tally: login.attempt.as_ref().map(|attempt| attempt.device_id.clone()),
        address_hash: login.attempt.map(|attempt| attempt.address_hash),
        audit_event_id: AuditEventId::new(new.created_at).uuid(),
        request_id: login.request_id,
        device_network: counted_network(address),
        known_since: used_after(new.created_at),
        code_address_hash: login.code_address_hash,
    };
    let rows: Vec<(bool, Option<String>, Option<SessionRow>)> = statement.load(conn).await?;
    let Some((noticed, ..)) = rows.as_slice().first() else { return Ok(LoginOutcome::Outdated) };
    let noticed = *noticed;
    let (mut evicted, mut replaced) = (Vec::new(), Vec::new());
    for (_, reason, ended) in rows {
        let Some(ended) = ended else { continue };
        let same_device = reason.as_deref() == Some(EndReason::Replaced.as_str());
        if same_device { &mut replaced } else { &mut evicted }.push(session(ended)?);
    }
    Ok(LoginOutcome::LoggedIn { evicted, replaced, noticed })
}
