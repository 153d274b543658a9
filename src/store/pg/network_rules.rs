//! The networks that operators block or allow. Rules that have expired are as good as gone here.

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bool, Cidr, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use ipnet::IpNet;
use uuid::Uuid;

use super::expired::delete_expired;
use super::statement::statement;
use super::{Connection, StoreError};
use crate::model::id::NetworkRuleId;
use crate::model::line::Remark;
use crate::model::network::{Network, NetworkAction, NetworkEffect, NetworkRule};

type Row = (Uuid, IpNet, String, String, DateTime<Utc>, Option<DateTime<Utc>>);

statement! {
    Insert {
        network_rule_id: Uuid => SqlUuid,
        cidr: IpNet => Cidr,
        action: String => Text,
        reason: String => Text,
        created_at: DateTime<Utc> => Timestamptz,
        expires_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
    } -> (Bool)
    "INSERT INTO network_rules AS r (network_rule_id, cidr, action, reason, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT ON CONSTRAINT network_rules_cidr_key DO UPDATE
    SET network_rule_id = $1, action = $3, reason = $4, created_at = $5, expires_at = $6 WHERE r.expires_at <= $5
    RETURNING true"
}

statement! {
    Take { network_rule_id: Uuid => SqlUuid, now: DateTime<Utc> => Timestamptz } -> (SqlUuid, Cidr, Text, Text, Timestamptz, Nullable<Timestamptz>)
    "DELETE FROM network_rules WHERE network_rule_id = $1 AND (expires_at IS NULL OR expires_at > $2)
    RETURNING network_rule_id, cidr, action, reason, created_at, expires_at"
}

statement! {
    TakeByNetwork { cidr: IpNet => Cidr, now: DateTime<Utc> => Timestamptz } -> (SqlUuid, Cidr, Text, Text, Timestamptz, Nullable<Timestamptz>)
    "DELETE FROM network_rules WHERE cidr = $1 AND (expires_at IS NULL OR expires_at > $2)
    RETURNING network_rule_id, cidr, action, reason, created_at, expires_at"
}

statement! {
    FindAll { now: DateTime<Utc> => Timestamptz } -> (SqlUuid, Cidr, Text, Text, Timestamptz, Nullable<Timestamptz>)
    "SELECT network_rule_id, cidr, action, reason, created_at, expires_at FROM network_rules
    WHERE expires_at IS NULL OR expires_at > $1 ORDER BY network_rule_id DESC"
}

statement! {
    FindPage {
        now: DateTime<Utc> => Timestamptz,
        before: Option<Uuid> => Nullable<SqlUuid>,
        limit: i64 => BigInt,
    } -> (SqlUuid, Cidr, Text, Text, Timestamptz, Nullable<Timestamptz>)
    "SELECT network_rule_id, cidr, action, reason, created_at, expires_at FROM network_rules
    WHERE (expires_at IS NULL OR expires_at > $1) AND ($2 IS NULL OR network_rule_id < $2)
    ORDER BY network_rule_id DESC LIMIT $3"
}

statement! {
    FindEffects { now: DateTime<Utc> => Timestamptz } -> (Cidr, Bool, Nullable<Timestamptz>)
    "SELECT cidr, action = 'BLOCK', expires_at FROM network_rules WHERE expires_at IS NULL OR expires_at > $1"
}

/// Stores a rule; `false` when its network has one that has not expired.
///
/// # Errors
/// When the database fails.
pub async fn insert(conn: &mut Connection, rule: &NetworkRule) -> Result<bool, StoreError> {
    let statement = Insert {
        network_rule_id: rule.network_rule_id.uuid(),
        cidr: rule.network.net(),
        action: rule.action.as_str().to_owned(),
        reason: rule.reason.as_str().to_owned(),
        created_at: rule.created_at,
        expires_at: rule.expires_at,
    };
    Ok(statement.get_result::<(bool,)>(conn).await.optional()?.is_some())
}

/// Deletes a rule and returns it, if it was in force.
///
/// # Errors
/// When the database fails.
pub async fn take(
    conn: &mut Connection,
    network_rule_id: NetworkRuleId,
    now: DateTime<Utc>,
) -> Result<Option<NetworkRule>, StoreError> {
    let row = Take { network_rule_id: network_rule_id.uuid(), now }.get_result(conn).await.optional()?;
    row.map(rule).transpose()
}

/// Deletes the rule of a network and returns it, if it was in force.
///
/// # Errors
/// When the database fails.
pub async fn take_by_network(
    conn: &mut Connection,
    network: Network,
    now: DateTime<Utc>,
) -> Result<Option<NetworkRule>, StoreError> {
    let row = TakeByNetwork { cidr: network.net(), now }.get_result(conn).await.optional()?;
    row.map(rule).transpose()
}

/// Every rule in force, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn find_all(conn: &mut Connection, now: DateTime<Utc>) -> Result<Vec<NetworkRule>, StoreError> {
    FindAll { now }.load::<Row>(conn).await?.into_iter().map(rule).collect()
}

/// The rules in force, the newest first, from the one after `before`.
///
/// # Errors
/// When the database fails.
pub async fn find_page(
    conn: &mut Connection,
    before: Option<NetworkRuleId>,
    limit: u32,
    now: DateTime<Utc>,
) -> Result<Vec<NetworkRule>, StoreError> {
    let statement = FindPage { now, before: before.map(NetworkRuleId::uuid), limit: i64::from(limit) };
    statement.load::<Row>(conn).await?.into_iter().map(rule).collect()
}

/// What every rule in force does, and no more of it: replicas read them all after each change.
///
/// # Errors
/// When the database fails.
pub async fn find_effects(
    conn: &mut Connection,
    now: DateTime<Utc>,
) -> Result<Vec<(Network, NetworkEffect)>, StoreError> {
    let rows: Vec<(IpNet, bool, Option<DateTime<Utc>>)> = FindEffects { now }.load(conn).await?;
    rows.into_iter()
        .map(|(cidr, blocks, expires_at)| {
            let action = if blocks { NetworkAction::Block } else { NetworkAction::Allow };
            Ok((network(cidr)?, NetworkEffect { action, expires_at }))
        })
        .collect()
}

fn rule((network_rule_id, cidr, action, reason, created_at, expires_at): Row) -> Result<NetworkRule, StoreError> {
    Ok(NetworkRule {
        network_rule_id: network_rule_id.into(),
        network: network(cidr)?,
        action: NetworkAction::from_name(&action).ok_or(StoreError::Corrupt { column: "network_rules.action" })?,
        reason: Remark::parse(&reason).map_err(|_| StoreError::Corrupt { column: "network_rules.reason" })?,
        created_at,
        expires_at,
    })
}

fn network(cidr: IpNet) -> Result<Network, StoreError> {
    cidr.try_into().map_err(|_| StoreError::Corrupt { column: "network_rules.cidr" })
}

delete_expired! {
    /// Deletes rules that have expired, and so have no effect already.
    DeleteExpired, delete_expired: "network_rules", "network_rule_id", "expires_at", "true"
}
