//! Codes that addresses were mailed, and wrong reset codes: the limits that are keyed by an address.
//!
//! Lock order: a row of this table is the last one that a transaction locks.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::prelude::Queryable;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Cidr, Integer, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use ipnet::IpNet;

use super::expired::delete_expired;
use super::statement::statement;
use super::user_devices::{knows_device, used_after};
use super::{Connection, StoreError};
use crate::clock;
use crate::model::email::Email;
use crate::policy::codes::{Asker, CodeHistory, CodeRule, SLOWED, WRONG_CODES_KEPT};

/// A code that is asked for.
#[derive(Clone, Debug)]
pub struct NewCode<'a> {
    /// The address, as its account has it.
    pub email: &'a Email,
    /// What the codes of the address are counted by.
    pub address_hash: Vec<u8>,
    /// The device that asks, and the keyed hash of its id.
    pub device: (String, Vec<u8>),
    /// The network that the device asks from, and its keyed hash.
    pub network: (IpNet, Vec<u8>),
    /// When.
    pub at: DateTime<Utc>,
}

statement! {
    Take {
        address_hash: Vec<u8> => Binary, // $1
        now: DateTime<Utc> => Timestamptz, // $2
        window_start: DateTime<Utc> => Timestamptz, // $3
        expires_at: DateTime<Utc> => Timestamptz, // $4
        network_hash: Vec<u8> => Binary, // $5
        device_hash: Vec<u8> => Binary, // $6
        email: String => Text, // $7
        device_id: String => Text, // $8
        network: IpNet => Cidr, // $9
        used_after: DateTime<Utc> => Timestamptz, // $10
        per_network: i64 => BigInt, // $11
        per_address: i64 => BigInt, // $12
        with_reserve: i64 => BigInt, // $13
        per_known_device: i64 => BigInt, // $14
        per_known_devices: i64 => BigInt, // $15
        slowed_from: i32 => Integer, // $16
        slowed_since: DateTime<Utc> => Timestamptz, // $17
        stopped_from: i32 => Integer, // $18
        stopped_since: DateTime<Utc> => Timestamptz, // $19
    } -> (Bool)
    // The conflicting row is locked before its condition is judged, so that codes asked for at once are counted one by one.
    "WITH asker AS (
        SELECT EXISTS (SELECT FROM users u WHERE u.email = $7 AND ", knows_device!("u.user_id", "$8", "$9", "$10"), ") AS known
    )
    INSERT INTO code_quotas AS q (address_hash, issued_at, issued_to, issued_known, stranger_at, expires_at)
    SELECT $1, ARRAY[$2], ARRAY[CASE WHEN known THEN $6 ELSE $5 END], ARRAY[known], CASE WHEN NOT known THEN $2 END, $4
    FROM asker
    ON CONFLICT ON CONSTRAINT code_quotas_pkey DO UPDATE SET
        issued_at = ARRAY(
            SELECT i.at FROM unnest(q.issued_at, q.issued_to, q.issued_known) WITH ORDINALITY AS i (at, id, known, place)
            WHERE i.at > $3 ORDER BY place
        ) || excluded.issued_at,
        issued_to = ARRAY(
            SELECT i.id FROM unnest(q.issued_at, q.issued_to, q.issued_known) WITH ORDINALITY AS i (at, id, known, place)
            WHERE i.at > $3 ORDER BY place
        ) || excluded.issued_to,
        issued_known = ARRAY(
            SELECT coalesce(i.known, false)
            FROM unnest(q.issued_at, q.issued_to, q.issued_known) WITH ORDINALITY AS i (at, id, known, place)
            WHERE i.at > $3 ORDER BY place
        ) || excluded.issued_known,
        stranger_at = coalesce(excluded.stranger_at, q.stranger_at),
        expires_at = greatest(q.expires_at, excluded.expires_at)
    WHERE CASE WHEN excluded.issued_known[1] THEN (
        SELECT count(*) FILTER (WHERE i.id = excluded.issued_to[1]) < $14 AND count(*) < $15
        FROM unnest(q.issued_at, q.issued_to, q.issued_known) AS i (at, id, known) WHERE i.at > $3 AND i.known
    ) ELSE (
        SELECT count(*) FILTER (WHERE i.id = excluded.issued_to[1]) < $11
            AND count(*) < CASE WHEN count(*) FILTER (WHERE i.id = excluded.issued_to[1]) = 0 THEN $13 ELSE $12 END
        FROM unnest(q.issued_at, q.issued_to, q.issued_known) AS i (at, id, known) WHERE i.at > $3 AND i.known IS NOT TRUE
    ) AND (q.stranger_at IS NULL OR q.wrong_codes < $16
        OR q.stranger_at <= CASE WHEN q.wrong_codes < $18 THEN $17 ELSE $19 END)
    END
    RETURNING true"
}

statement! {
    Find {
        address_hash: Vec<u8> => Binary,
        email: String => Text,
        device_id: String => Text,
        network: IpNet => Cidr,
        used_after: DateTime<Utc> => Timestamptz,
    } -> (
        Array<Timestamptz>,
        Array<Nullable<Binary>>,
        Array<Nullable<Bool>>,
        Nullable<Timestamptz>,
        Integer,
        Bool,
    )
    "SELECT issued_at, issued_to, issued_known, stranger_at, wrong_codes,
        EXISTS (SELECT FROM users u WHERE u.email = $2 AND ", knows_device!("u.user_id", "$3", "$4", "$5"), ")
    FROM code_quotas WHERE address_hash = $1"
}

statement! {
    CountWrong {
        address_hash: Vec<u8> => Binary,
        expires_at: DateTime<Utc> => Timestamptz,
    } -> (Integer)
    "INSERT INTO code_quotas AS q (address_hash, issued_at, wrong_codes, expires_at) VALUES ($1, '{}', 1, $2)
    ON CONFLICT ON CONSTRAINT code_quotas_pkey DO UPDATE
    SET wrong_codes = least(q.wrong_codes, 1000000) + 1, expires_at = greatest(q.expires_at, $2)
    RETURNING wrong_codes"
}

statement! {
    ClearWrong { address_hash: Vec<u8> => Binary } -> ()
    "UPDATE code_quotas SET wrong_codes = 0 WHERE address_hash = $1 AND wrong_codes > 0"
}

#[derive(Queryable)]
struct QuotaRow {
    issued_at: Vec<DateTime<Utc>>,
    issued_to: Vec<Option<Vec<u8>>>,
    issued_known: Vec<Option<bool>>,
    stranger_at: Option<DateTime<Utc>>,
    wrong_codes: i32,
    known: bool,
}

/// Counts a code that an address is to be mailed; `false`, and nothing is counted, when the rule does not allow the code.
///
/// # Errors
/// When the database fails.
pub async fn take(conn: &mut Connection, code: &NewCode<'_>, rule: &CodeRule) -> Result<bool, StoreError> {
    let now = code.at;
    let [slowed, stopped] = SLOWED;
    let count = |count: u32| i64::from(count);
    let statement = Take {
        address_hash: code.address_hash.clone(),
        now,
        window_start: clock::subtract(now, rule.window),
        expires_at: clock::add(now, rule.window),
        network_hash: code.network.1.clone(),
        device_hash: code.device.1.clone(),
        email: code.email.as_str().to_owned(),
        device_id: code.device.0.clone(),
        network: code.network.0,
        used_after: used_after(now),
        per_network: count(rule.per_network),
        per_address: count(rule.per_address),
        with_reserve: count(rule.per_address.saturating_add(rule.reserve)),
        per_known_device: count(rule.per_known_device),
        per_known_devices: count(rule.per_known_devices()),
        slowed_from: i32::try_from(slowed.wrong_codes).unwrap_or(i32::MAX),
        slowed_since: clock::subtract(now, slowed.pause),
        stopped_from: i32::try_from(stopped.wrong_codes).unwrap_or(i32::MAX),
        stopped_since: clock::subtract(now, stopped.pause),
    };
    Ok(statement.get_result::<(bool,)>(conn).await.optional()?.is_some())
}

/// Returns what a code that was not allowed is judged by: the history of the address, and the client as the rule sees it.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Connection, code: &NewCode<'_>) -> Result<Option<(CodeHistory, Asker)>, StoreError> {
    let statement = Find {
        address_hash: code.address_hash.clone(),
        email: code.email.as_str().to_owned(),
        device_id: code.device.0.clone(),
        network: code.network.0,
        used_after: used_after(code.at),
    };
    let row: Option<QuotaRow> = statement.get_result(conn).await.optional()?;
    Ok(row.map(|row| {
        let hash = if row.known { &code.device.1 } else { &code.network.1 };
        let asker = Asker { id: hash.clone(), known: row.known };
        (row.into(), asker)
    }))
}

/// Counts a wrong reset code of an address, and returns how many there have been.
///
/// # Errors
/// When the database fails.
pub async fn count_wrong(conn: &mut Connection, address_hash: &[u8], now: DateTime<Utc>) -> Result<u32, StoreError> {
    let expires_at = clock::add(now, WRONG_CODES_KEPT);
    let statement = CountWrong { address_hash: address_hash.to_vec(), expires_at };
    let (count,): (i32,) = statement.get_result(conn).await?;
    Ok(u32::try_from(count).unwrap_or_default())
}

/// Forgets the wrong reset codes of an address.
///
/// # Errors
/// When the database fails.
pub async fn clear_wrong(conn: &mut Connection, address_hash: &[u8]) -> Result<(), StoreError> {
    ClearWrong { address_hash: address_hash.to_vec() }.execute(conn).await?;
    Ok(())
}

impl From<QuotaRow> for CodeHistory {
    fn from(row: QuotaRow) -> Self {
        // Codes of the version before were issued to strangers whose network is not known.
        let id = row.issued_to.into_iter().map(Option::unwrap_or_default).chain(std::iter::repeat_with(Vec::new));
        let known = row.issued_known.into_iter().map(Option::unwrap_or_default).chain(std::iter::repeat(false));
        let askers = id.zip(known).map(|(id, known)| Asker { id, known });
        Self {
            issued: row.issued_at.into_iter().zip(askers).collect(),
            stranger_at: row.stranger_at,
            wrong_codes: u32::try_from(row.wrong_codes).unwrap_or_default(),
        }
    }
}

delete_expired! {
    /// Deletes what is no longer of use to count with.
    DeleteExpired, delete_expired: "code_quotas", "address_hash", "expires_at", "true"
}
