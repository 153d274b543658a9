//! Pages of users, in any of the orders and through any of the filters.
//!
//! The one query whose SQL varies. It is planned anew each time, with the values in view: a role may have three holders or all
//! users, a search may fit one or half of them, and each wants its own way through the indexes.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Connection, StoreError, UserColumns, UserRow, user, user_columns};
use crate::model::user::{User, UserState};
use crate::model::user_list::{UserList, UserPlace, UserTime};

/// The query, with its parameters in the order of their numbers. Those that a list has no use for are not named in its SQL.
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

/// How many have a role, as far as they need to be counted. Planned anew, too: a plan that is good for any role reads all of them.
struct CountHolders {
    role: String,
    limit: i64,
}

impl QueryId for CountHolders {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for CountHolders {
    type SqlType = (BigInt,);
}

impl QueryFragment<Pg> for CountHolders {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> diesel::QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql("SELECT count(*) FROM (SELECT FROM user_roles WHERE role = $1 LIMIT $2) h");
        out.push_bind_param_value_only::<Text, _>(&self.role)?;
        out.push_bind_param_value_only::<BigInt, _>(&self.limit)
    }
}

/// Up to how many holders of a role are looked at one by one, wherever in the order they stand.
const FEW: i64 = 5_000;

/// Up to how many holders of a role are known by heart while the order is walked; beyond, every user walked by is looked up,
/// and one of the first must be a holder.
const SOME: i64 = 30_000;

/// The way to the users of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Along the order, each user that fits.
    Walk,
    /// Along the order, past those who are not among the holders of the role.
    WalkByHeart,
    /// From the holders of the role, each that fits, sorted in the end.
    Gather,
}

/// The planner takes the holders of a role for evenly spread over time, which users who came together are not: it would walk by
/// all others first. So it is told which way to go.
const fn way(holders: i64, searched: bool) -> Way {
    if holders <= FEW || (holders <= SOME && searched) {
        Way::Gather
    } else if holders <= SOME {
        Way::WalkByHeart
    } else {
        Way::Walk
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
    let role = list.role.as_ref().map(ToString::to_string);
    let mut way = Way::Walk;
    if let Some(role) = role.clone() {
        let (holders,) = CountHolders { role, limit: SOME + 1 }.get_result::<(i64,)>(conn).await?;
        way = self::way(holders, list.prefix.is_some());
    }
    let query = FindPage {
        sql: sql(list, way, after.is_some()),
        limit: i64::from(limit),
        after_at: after.and_then(|after| after.at),
        after_id: after.map(|after| after.user_id.uuid()),
        pattern: list.prefix.as_ref().map(|prefix| pattern(prefix.as_str())),
        role,
    };
    let rows: Vec<(UserRow,)> = query.load(conn).await?;
    rows.into_iter().map(|(row,)| user(row)).collect()
}

fn sql(list: &UserList, way: Way, has_before: bool) -> String {
    let order = if list.order.descending { "DESC" } else { "ASC" };
    let found = match (way, list.state) {
        (Way::Gather, state) => first(list, way, state, has_before),
        (_, Some(state)) => first(list, way, Some(state), has_before),
        // Each state by itself, in the order of its index: merging two walks costs next to nothing, and sorting all does not.
        (_, None) => UserState::ALL.map(|state| first(list, way, Some(state), has_before)).join(" UNION ALL "),
    };
    let columns = user_columns!();
    format!(
        "SELECT {columns} FROM (SELECT at, user_id FROM ({found}) w ORDER BY at {order}, user_id {order} LIMIT $1) p
        JOIN users u ON u.user_id = p.user_id ORDER BY p.at {order}, p.user_id {order}"
    )
}

/// The first users that fit.
fn first(list: &UserList, way: Way, state: Option<UserState>, has_before: bool) -> String {
    let (at, after_at) = match list.order.by {
        UserTime::Created => ("u.created_at", "$2"),
        // As the index has it.
        UserTime::LastLogin => {
            ("coalesce(u.last_login_at, '-infinity'::timestamptz)", "coalesce($2, '-infinity'::timestamptz)")
        }
    };
    let (order, beyond) = if list.order.descending { ("DESC", "<") } else { ("ASC", ">") };
    let mut conditions = Vec::new();
    if let Some(state) = state {
        conditions.push(format!("u.state = '{}'", state.as_str()));
    }
    if has_before {
        conditions.push(format!("({at}, u.user_id) {beyond} ({after_at}, $3)"));
    }
    if list.prefix.is_some() {
        conditions.push("(u.email LIKE $4 OR coalesce(u.search_name, lower(u.display_name)) LIKE $4)".to_owned());
    }
    if list.role.is_some() {
        let holds = match way {
            Way::Walk => "EXISTS (SELECT FROM user_roles r WHERE r.user_id = u.user_id AND r.role = $5)",
            // Said so, it is not made a join of.
            Way::WalkByHeart => "(u.user_id IN (SELECT r.user_id FROM user_roles r WHERE r.role = $5)) IS TRUE",
            Way::Gather => "u.user_id IN (SELECT r.user_id FROM user_roles r WHERE r.role = $5)",
        };
        conditions.push(holds.to_owned());
    }
    // What is behind OFFSET 0 is found before it is sorted, and not along an order.
    let (found, fence) = (conditions.join(" AND "), if way == Way::Gather { "OFFSET 0" } else { "" });
    format!(
        "(SELECT at, user_id FROM (SELECT {at} AS at, u.user_id FROM users u WHERE {found} {fence}) f
        ORDER BY at {order}, user_id {order} LIMIT $1)"
    )
}

/// What begins with `prefix`, none of whose characters mean anything else.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for character in prefix.chars() {
        if matches!(character, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::{Way, pattern, way};

    #[test]
    fn the_way_to_a_list_goes_by_how_many_hold_the_role() {
        assert_eq!(
            [0, 5_000, 5_001, 30_000, 30_001].map(|holders| way(holders, false)),
            [Way::Gather, Way::Gather, Way::WalkByHeart, Way::WalkByHeart, Way::Walk]
        );
        assert_eq!([5_001, 30_000, 30_001].map(|holders| way(holders, true)), [Way::Gather, Way::Gather, Way::Walk]);
    }

    #[test]
    fn a_pattern_has_no_wild_cards_but_its_own() {
        assert_eq!(pattern("ann"), "ann%");
        assert_eq!(pattern(r"100%_a\b"), r"100\%\_a\\b%");
    }
}
