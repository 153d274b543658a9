//! Pages of users, in any of the orders and through any of the filters.
//!
//! The one query whose SQL varies. It is planned anew each time, with the values in view: a role may have three holders or all
//! users, a search may fit one or half of them, and each wants its own [`way`] through the indexes.

mod sql;
mod way;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use self::way::{LEARNT, Sizes, Way};
use super::{Connection, StoreError, UserColumns, UserRow, user, user_columns};
use crate::model::user::User;
use crate::model::user_list::{UserList, UserPlace};

/// A page, with its parameters in the order of their numbers. Those that a list has no use for are not named in its SQL.
struct FindPage {
    sql: String,
    limit: i64,
    after_at: Option<DateTime<Utc>>,
    after_id: Option<Uuid>,
    pattern: Option<String>,
    role: Option<String>,
}

impl QueryId for FindPage {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for FindPage {
    type SqlType = (UserColumns,);
}

impl QueryFragment<Pg> for FindPage {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> diesel::QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(&self.sql);
        out.push_bind_param_value_only::<BigInt, _>(&self.limit)?;
        out.push_bind_param_value_only::<Nullable<Timestamptz>, _>(&self.after_at)?;
        out.push_bind_param_value_only::<Nullable<SqlUuid>, _>(&self.after_id)?;
        out.push_bind_param_value_only::<Nullable<Text>, _>(&self.pattern)?;
        out.push_bind_param_value_only::<Nullable<Text>, _>(&self.role)
    }
}

/// How many each filter alone would leave, counted no further than the limit. Planned anew, too: a plan that is good for any
/// role reads all of them.
struct CountSizes {
    sql: String,
    limit: i64,
    pattern: Option<String>,
    role: Option<String>,
}

impl QueryId for CountSizes {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for CountSizes {
    type SqlType = (Nullable<BigInt>, Nullable<BigInt>, Nullable<BigInt>);
}

impl QueryFragment<Pg> for CountSizes {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> diesel::QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(&self.sql);
        out.push_bind_param_value_only::<BigInt, _>(&self.limit)?;
        out.push_bind_param_value_only::<Nullable<Text>, _>(&self.pattern)?;
        out.push_bind_param_value_only::<Nullable<Text>, _>(&self.role)
    }
}

/// Users in the order of the list, from the one after `after`.
///
/// # Errors
/// When the database fails.
pub async fn find_page(
    conn: &mut Connection,
    list: &UserList,
    after: Option<UserPlace>,
    limit: u32,
) -> Result<Vec<User>, StoreError> {
    let pattern = list.prefix.as_ref().map(|prefix| sql::pattern(prefix.as_str()));
    let role = list.role.as_ref().map(ToString::to_string);
    let page = |way| FindPage {
        sql: sql::page(list, way, after.is_some()),
        limit: i64::from(limit),
        after_at: after.and_then(|after| after.at),
        after_id: after.map(|after| after.user_id.uuid()),
        pattern: pattern.clone(),
        role: role.clone(),
    };
    let mut sizes = Sizes::default();
    if Way::depends_on_sizes(list) {
        let near: Vec<(UserRow,)> = page(Way::Near).load(conn).await?;
        if near.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return near.into_iter().map(|(row,)| user(row)).collect();
        }
        let (pattern, role) = (pattern.clone(), role.clone());
        let count = CountSizes { sql: sql::sizes(list), limit: LEARNT + 1, pattern, role };
        let (holders, found, in_state) = count.get_result::<(Option<i64>, Option<i64>, Option<i64>)>(conn).await?;
        sizes = Sizes { holders, found, in_state };
    }
    let rows: Vec<(UserRow,)> = page(Way::choose(list, sizes)).load(conn).await?;
    rows.into_iter().map(|(row,)| user(row)).collect()
}
