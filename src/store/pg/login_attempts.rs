//! Counting an attempt to log in before its password is looked at: against its account, and against the network that it comes
//! from.
//!
//! The rules are those of `policy::lockout`, spelt in the statement that reads the password, so that they cost no round trip
//! and cannot be raced. A statement that changes both tables changes the network's first: whoever did it the other way round
//! would wait for the one who waits for it.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Binary, Bool, Cidr, Double, Integer, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use ipnet::IpNet;

use super::statement::statement;
use super::user_devices::{self, knows_device};
use super::users::{Credentials, CredentialsRow, UserColumns, credentials, user_columns};
use super::{Connection, StoreError};
use crate::clock;
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::operation::AttemptTag;
use crate::policy::lockout::{AccountRule, NetworkRule};

/// What is known of an attempt before it is counted.
#[derive(Debug)]
pub struct NewAttempt<'a> {
    /// The address that somebody wants to log in with.
    pub email: &'a Email,
    /// The same, hashed.
    pub address_hash: Vec<u8>,
    /// The device that it comes from.
    pub device_id: String,
    /// The network that the device is on; none where it has a session, and so is known wherever it is.
    pub device_network: Option<IpNet>,
    /// The network that it is counted against, and by which rule; none when its network is allowed.
    pub network: Option<(IpNet, NetworkRule)>,
    /// Whether its address is locked out, so that only a device which the account knows may go on.
    pub address_locked: bool,
    /// The mark of its failure, should it be one.
    pub tag: AttemptTag,
    /// When it is made.
    pub at: DateTime<Utc>,
}

/// An attempt that has been counted, by which it is found again.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The address, hashed.
    pub address_hash: Vec<u8>,
    /// Whose tally it is in: that of a device which the account knows, or, empty, that of all strangers.
    pub device_id: String,
    /// The network whose failures a success takes back.
    pub network: Option<IpNet>,
    /// Whether the attempt was counted against the network, which a locked one spares a known device.
    pub counted_in_network: bool,
    /// How many accounts lock that out.
    pub network_accounts: i64,
    /// How many failures lock the account.
    pub account_failures: i64,
    /// The mark of its failure.
    pub tag: AttemptTag,
    /// When it was made.
    pub at: DateTime<Utc>,
}

/// What an attempt locks, unless it is given back, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// The account.
    pub account_until: Option<DateTime<Utc>>,
    /// The network.
    pub network_until: Option<DateTime<Utc>>,
}

/// What became of a new attempt.
#[derive(Debug)]
pub enum Reservation {
    /// It may be made.
    Reserved {
        /// By what it is found again.
        attempt: Attempt,
        /// What it locks, should it fail.
        locks: Locks,
        /// Whether the owner has been told of a lock.
        noticed: bool,
        /// The account.
        credentials: Option<Box<Credentials>>,
    },
    /// Its address or network is locked out, and the account does not know the device. With the user of the account, if there is
    /// one.
    NetworkLocked(Option<UserId>),
    /// The account is locked, with its user, if there is one. The attempt has been counted against its network and is to be
    /// given back.
    AccountLocked(Attempt, Option<UserId>),
}

statement! {
    Reserve {
        email: String => Text,
        address_hash: Vec<u8> => Binary,
        device_id: String => Text,
        now: DateTime<Utc> => Timestamptz,
        window_start: DateTime<Utc> => Timestamptz,
        failures: i64 => BigInt,
        lock_us: f64 => Double,
        max_lock_us: f64 => Double,
        failures_in_a_row: i32 => Integer,
        kept_after_lock_us: f64 => Double,
        kept_after_series_us: f64 => Double,
        network: Option<IpNet> => Nullable<Cidr>,
        network_window_start: DateTime<Utc> => Timestamptz,
        network_accounts: i64 => BigInt,
        network_locked_until: DateTime<Utc> => Timestamptz,
        network_expires_at: DateTime<Utc> => Timestamptz,
        device_network: Option<IpNet> => Nullable<Cidr>,
        used_after: DateTime<Utc> => Timestamptz,
        tag: Vec<u8> => Binary,
        address_locked: bool => Bool,
        series: i32 => Integer,
    } -> (Text, Bool, Bool, Bool, Nullable<Timestamptz>, Nullable<Timestamptz>, Bool, Nullable<(UserColumns, Nullable<Text>, BigInt)>)
    // The device's own tally if the account knows it, else that of strangers (an empty id).
    "WITH tally AS (
        SELECT coalesce((
            SELECT $3 FROM users u WHERE u.email = $1 AND ($17 IS NULL OR ", knows_device!("u.user_id", "$3", "$17", "$18"), ")
        ), '') AS device_id, (SELECT u.user_id FROM users u WHERE u.email = $1) AS user_id
    ), network AS (
        INSERT INTO login_networks AS n (network, address_hashes, attempted_at, tags, locked_until, expires_at)
        SELECT $12, ARRAY[$2], ARRAY[$4], ARRAY[$19], CASE WHEN $14 <= 1 THEN $15 END, $16
        FROM tally WHERE $12 IS NOT NULL AND (NOT $20 OR tally.device_id <> '')
        ON CONFLICT ON CONSTRAINT login_networks_pkey DO UPDATE
        SET (address_hashes, attempted_at, tags, locked_until, expires_at) = (
            SELECT recent.hashes || $2, recent.times || $4, recent.tags || $19,
                CASE WHEN (SELECT count(DISTINCT h) FROM unnest(recent.hashes || $2) AS h) >= $14 THEN $15 END, $16
            FROM (
                SELECT coalesce(array_agg(h ORDER BY place), '{}') AS hashes,
                    coalesce(array_agg(t ORDER BY place), '{}') AS times,
                    coalesce(array_agg(coalesce(tag, '') ORDER BY place), '{}') AS tags
                FROM unnest(n.address_hashes, n.attempted_at, n.tags) WITH ORDINALITY AS tried (h, t, tag, place)
                WHERE t > $13 AND n.locked_until IS NULL
            ) AS recent
        )
        WHERE n.locked_until IS NULL OR n.locked_until <= $4
        RETURNING n.network, n.locked_until
    ), reserved AS (
        INSERT INTO account_lockouts AS l (address_hash, device_id, user_id, attempted_at, tags, failures_in_a_row, locks,
            locked_until, expires_at)
        SELECT $2, tally.device_id, tally.user_id, ARRAY[$4], ARRAY[$19], 1, ($6 <= 1)::integer, lock.until,
            coalesce(lock.until, $4) + $10 * interval '1 microsecond'
        FROM tally, LATERAL (SELECT CASE WHEN $6 <= 1 THEN $4 + $7 * interval '1 microsecond' END AS until) AS lock
        WHERE tally.device_id <> '' OR (NOT $20 AND ($12 IS NULL OR EXISTS (SELECT FROM network)))
        ON CONFLICT ON CONSTRAINT account_lockouts_pkey DO UPDATE
        SET (user_id, attempted_at, tags, failures_in_a_row, locks, locked_until, expires_at, noticed_at) = (
            SELECT excluded.user_id, recent.attempts || $4, recent.tags || $19, recent.in_a_row + 1,
                recent.locks + recent.are_enough::integer, lock.until,
                CASE WHEN recent.in_a_row + 1 >= $21
                    THEN greatest(coalesce(lock.until, $4) + $10 * interval '1 microsecond', $4 + $11 * interval '1 microsecond')
                    ELSE coalesce(lock.until, $4) + $10 * interval '1 microsecond'
                END, recent.noticed_at
            FROM (
                SELECT attempts, tags, in_a_row, locks, noticed_at, cardinality(attempts) + 1 >= $6 AS are_enough
                FROM (
                    SELECT coalesce(array_agg(t ORDER BY place), '{}') AS attempts,
                        coalesce(array_agg(coalesce(tag, '') ORDER BY place), '{}') AS tags
                    FROM unnest(l.attempted_at, l.tags) WITH ORDINALITY AS tried (t, tag, place)
                    -- A lock that is over has settled what led to it.
                    WHERE t > $5 AND l.locked_until IS NULL AND l.expires_at > $4
                ) AS kept, LATERAL (
                    SELECT l.failures_in_a_row, l.locks, l.noticed_at WHERE l.expires_at > $4
                    UNION ALL SELECT 0, 0, NULL WHERE l.expires_at <= $4
                ) AS series (in_a_row, locks, noticed_at)
            ) AS recent, LATERAL (
                SELECT CASE WHEN recent.are_enough THEN
                    $4 + least($7 * power(2, least(recent.locks, 60)), $8) * interval '1 microsecond'
                END AS until
            ) AS lock
        )
        WHERE l.expires_at <= $4 OR (l.failures_in_a_row < $9 AND (l.locked_until IS NULL OR l.locked_until <= $4))
        RETURNING l.locked_until, l.noticed_at
    )
    SELECT tally.device_id, EXISTS (SELECT FROM network),
        tally.device_id <> '' OR (NOT $20 AND ($12 IS NULL OR EXISTS (SELECT FROM network))), EXISTS (SELECT FROM reserved),
        (SELECT locked_until FROM reserved), (SELECT locked_until FROM network), EXISTS (SELECT FROM reserved WHERE noticed_at IS NOT NULL),
        ", user_columns!(), ", u.password_hash, u.revision
    FROM tally LEFT JOIN users u ON u.email = $1"
}

// One attempt and no other: one that failed at the same account stays. What locks the network stays locked as long as enough
// accounts are left.
macro_rules! give_back_to_network {
    () => {
        "UPDATE login_networks n
        SET (address_hashes, attempted_at, tags, locked_until) = (
            SELECT coalesce(array_agg(h ORDER BY place), '{}'), coalesce(array_agg(t ORDER BY place), '{}'),
                coalesce(array_agg(coalesce(tag, '') ORDER BY place), '{}'),
                CASE WHEN count(DISTINCT h) >= $4 THEN n.locked_until END
            FROM unnest(n.address_hashes, n.attempted_at, n.tags) WITH ORDINALITY AS tried (h, t, tag, place)
            WHERE place <> (
                SELECT max(place)
                FROM unnest(n.address_hashes, n.attempted_at, n.tags) WITH ORDINALITY AS tried (h, t, tag, place)
                WHERE h = $1 AND t = $3 AND tag = $5
            )
        )
        WHERE n.network = $2 AND EXISTS (
            SELECT FROM unnest(n.address_hashes, n.attempted_at, n.tags) AS tried (h, t, tag)
            WHERE h = $1 AND t = $3 AND tag = $5
        )
        RETURNING n.network"
    };
}

statement! {
    GiveBackToNetwork {
        address_hash: Vec<u8> => Binary,
        network: Option<IpNet> => Nullable<Cidr>,
        at: DateTime<Utc> => Timestamptz,
        network_accounts: i64 => BigInt,
        tag: Vec<u8> => Binary,
    } -> (Cidr)
    give_back_to_network!()
}

statement! {
    GiveBack {
        address_hash: Vec<u8> => Binary,
        network: Option<IpNet> => Nullable<Cidr>,
        at: DateTime<Utc> => Timestamptz,
        network_accounts: i64 => BigInt,
        tag: Vec<u8> => Binary,
        device_id: String => Text,
    } -> ()
    "WITH network AS (", give_back_to_network!(), ")
    UPDATE account_lockouts l
    SET (attempted_at, tags) = (
            SELECT coalesce(array_agg(t ORDER BY place), '{}'), coalesce(array_agg(coalesce(tag, '') ORDER BY place), '{}')
            FROM unnest(l.attempted_at, l.tags) WITH ORDINALITY AS tried (t, tag, place)
            WHERE place <> (
                SELECT max(place) FROM unnest(l.attempted_at, l.tags) WITH ORDINALITY AS tried (t, tag, place)
                WHERE t = $3 AND tag = $5
            )
        ),
        failures_in_a_row = greatest(l.failures_in_a_row - 1, 0),
        locks = greatest(l.locks - (l.locked_until IS NOT NULL)::integer, 0), locked_until = NULL
    FROM (SELECT count(*) FROM network) AS network_first
    WHERE l.address_hash = $1 AND l.device_id = $6
        AND EXISTS (SELECT FROM unnest(l.attempted_at, l.tags) AS tried (t, tag) WHERE t = $3 AND tag = $5)"
}

type Row = (String, bool, bool, bool, Option<DateTime<Utc>>, Option<DateTime<Utc>>, bool, Option<CredentialsRow>);

/// Counts an attempt and reads the account that it is made at, if there is one: however many arrive at once, no more are
/// reserved than the rules allow.
///
/// # Errors
/// When the database fails.
pub async fn reserve(
    conn: &mut Connection,
    new: NewAttempt<'_>,
    rule: &AccountRule,
) -> Result<Reservation, StoreError> {
    let NewAttempt { email, address_hash, device_id, device_network, network, address_locked, tag, at } = new;
    let network_rule = network.map(|(_, rule)| rule).unwrap_or_default();
    let network = network.map(|(network, _)| network);
    let network_accounts = i64::try_from(network_rule.accounts).unwrap_or(i64::MAX);
    let account_failures = i64::try_from(rule.failures).unwrap_or(i64::MAX);
    let statement = Reserve {
        email: email.as_str().to_owned(),
        address_hash: address_hash.clone(),
        device_id,
        now: at,
        window_start: clock::subtract(at, rule.window),
        failures: account_failures,
        lock_us: rule.lock.as_secs_f64() * 1e6,
        max_lock_us: rule.max_lock.as_secs_f64() * 1e6,
        failures_in_a_row: i32::try_from(rule.failures_in_a_row).unwrap_or(i32::MAX),
        kept_after_lock_us: rule.kept.after_lock.as_secs_f64() * 1e6,
        kept_after_series_us: rule.kept.after_series.as_secs_f64() * 1e6,
        network,
        network_window_start: clock::subtract(at, network_rule.window),
        network_accounts,
        network_locked_until: clock::add(at, network_rule.lock),
        network_expires_at: clock::add(at, network_rule.lock.max(network_rule.window)),
        device_network,
        used_after: user_devices::used_after(at),
        tag: tag.0.to_vec(),
        address_locked,
        series: i32::try_from(rule.series()).unwrap_or(i32::MAX),
    };
    let (device_id, counted_in_network, let_through, reserved, account_until, network_until, noticed, row): Row =
        statement.get_result(conn).await?;
    let credentials = row.map(credentials).transpose()?.map(Box::new);
    let user_id = credentials.as_ref().map(|credentials| credentials.user.user_id);
    if !let_through {
        return Ok(Reservation::NetworkLocked(user_id));
    }
    let attempt =
        Attempt { address_hash, device_id, network, counted_in_network, network_accounts, account_failures, tag, at };
    if !reserved {
        return Ok(Reservation::AccountLocked(attempt, user_id));
    }
    let locks = Locks { account_until, network_until };
    Ok(Reservation::Reserved { attempt, locks, noticed, credentials })
}

/// Takes back an attempt that said nothing of the password, with the locks that it may have led to.
///
/// # Errors
/// When the database fails.
pub async fn give_back(conn: &mut Connection, attempt: &Attempt) -> Result<(), StoreError> {
    let network = attempt.counted_network();
    let Attempt { address_hash, device_id, network_accounts, at, tag, .. } = attempt.clone();
    GiveBack { address_hash, network, at, network_accounts, tag: tag.0.to_vec(), device_id }.execute(conn).await?;
    Ok(())
}

/// Takes back from its network an attempt that its account did not let happen.
///
/// # Errors
/// When the database fails.
pub async fn give_back_to_network(conn: &mut Connection, attempt: &Attempt) -> Result<(), StoreError> {
    let network = attempt.counted_network();
    let Attempt { address_hash, network_accounts, at, tag, .. } = attempt.clone();
    GiveBackToNetwork { address_hash, network, at, network_accounts, tag: tag.0.to_vec() }.execute(conn).await?;
    Ok(())
}

impl Attempt {
    /// The network that the attempt was counted against.
    fn counted_network(&self) -> Option<IpNet> {
        self.network.filter(|_| self.counted_in_network)
    }
}
