//! The SQL of a list: what is counted to choose the way, and the page that each way leads to.
//!
//! What stands behind `OFFSET 0` is found by itself before anything around it; so the query says the way, and the planner
//! takes it.

use super::user_columns;
use super::way::{NEAR, Way};
use crate::model::user::UserState;
use crate::model::user_list::{UserList, UserTime};

/// Counts what each filter leaves; the parameters are the limit, the pattern and the role.
pub(super) fn sizes(list: &UserList) -> String {
    let holders = "SELECT FROM user_roles r WHERE r.role = $3".to_owned();
    let found = "SELECT FROM users u WHERE u.email LIKE $2
        UNION ALL SELECT FROM users u WHERE u.search_name LIKE $2
        UNION ALL SELECT FROM users u WHERE u.search_name IS NULL AND lower(u.display_name) LIKE $2"
        .to_owned();
    let in_state = list.state.map(|state| format!("SELECT FROM users u WHERE u.state = '{}'", state.as_str()));
    let counts = [list.role.as_ref().map(|_| holders), list.prefix.as_ref().map(|_| found), in_state]
        .map(|what| what.map_or("NULL".to_owned(), |what| format!("(SELECT count(*) FROM ({what} LIMIT $1) counted)")));
    format!("SELECT {}", counts.join(", "))
}

/// A page; the parameters are the limit, the time and the identifier of the user before it, the pattern and the role.
pub(super) fn page(list: &UserList, way: Way, has_before: bool) -> String {
    let order = Order::of(list);
    let found = match way {
        Way::Order | Way::OrderByHeart => each_state(list, |state| along_order(list, way, state, has_before)),
        Way::Near => near(list, has_before),
        Way::Role => along_role(list, has_before),
        Way::Holders => holders(list, has_before),
        Way::Found | Way::FoundByHeart => searched(list, way, has_before),
    };
    let columns = user_columns!();
    format!(
        "SELECT {columns} FROM (SELECT at, user_id FROM ({found}) w {sorted} LIMIT $1) p
        JOIN users u ON u.user_id = p.user_id {sorted_page}",
        sorted = order.by("at", "user_id"),
        sorted_page = order.by("p.at", "p.user_id"),
    )
}

/// Those of the list's state, or of each by itself in the order of its index: merging two walks costs next to nothing, and
/// sorting all does not.
fn each_state(list: &UserList, found: impl Fn(UserState) -> String) -> String {
    list.state.map_or_else(|| UserState::ALL.map(&found).join(" UNION ALL "), &found)
}

/// Those in one state who fit.
fn along_order(list: &UserList, way: Way, state: UserState, has_before: bool) -> String {
    let order = Order::of(list);
    let mut conditions = conditions(list, Some(state), has_before);
    if list.role.is_some() {
        conditions.push(if way == Way::OrderByHeart { BY_HEART } else { LOOKED_UP }.to_owned());
    }
    let (found, sorted) = (all_of(&conditions), order.by(order.at, "u.user_id"));
    format!("(SELECT {} AS at, u.user_id FROM users u {found} {sorted} LIMIT $1)", order.at)
}

/// Those who fit among the next in the order.
fn near(list: &UserList, has_before: bool) -> String {
    let order = Order::of(list);
    let next = each_state(list, |state| {
        let (next, sorted) = (all_of(&placed(list, Some(state), has_before)), order.by(order.at, "u.user_id"));
        format!("(SELECT {} AS at, u.* FROM users u {next} {sorted} LIMIT {NEAR})", order.at)
    });
    let mut conditions = Vec::new();
    conditions.extend(list.prefix.as_ref().map(|_| SEARCHED.to_owned()));
    conditions.extend(list.role.as_ref().map(|_| LOOKED_UP.to_owned()));
    let (found, sorted) = (all_of(&conditions), order.by("at", "user_id"));
    format!("SELECT at, user_id FROM (SELECT * FROM ({next}) n {sorted} LIMIT {NEAR}) u {found} {sorted} LIMIT $1")
}

/// The holders of the role, in the order of their creation.
fn along_role(list: &UserList, has_before: bool) -> String {
    let order = Order::of(list);
    let mut conditions = vec!["r.role = $5".to_owned()];
    if has_before {
        conditions.push(order.beyond("r.user_created_at", "r.user_id"));
    }
    // One by one, so that no more of them are looked up than are wanted.
    let fitting = list.state.map_or(String::new(), |state| {
        let fits = all_of(&["u.user_id = r.user_id".to_owned(), in_state(state)]);
        format!("CROSS JOIN LATERAL (SELECT FROM users u {fits} OFFSET 0) u")
    });
    format!(
        "(SELECT r.user_created_at AS at, r.user_id FROM user_roles r {fitting} {found} {sorted} LIMIT $1)",
        found = all_of(&conditions),
        sorted = order.by("r.user_created_at", "r.user_id"),
    )
}

/// All holders of the role who fit.
fn holders(list: &UserList, has_before: bool) -> String {
    let mut conditions = conditions(list, list.state, has_before);
    conditions.push("u.user_id = r.user_id".to_owned());
    format!(
        "SELECT f.at, f.user_id FROM user_roles r
        CROSS JOIN LATERAL (SELECT {at} AS at, u.user_id FROM users u {found} OFFSET 0) f WHERE r.role = $5",
        at = Order::of(list).at,
        found = all_of(&conditions),
    )
}

/// All that the search fits.
fn searched(list: &UserList, way: Way, has_before: bool) -> String {
    let order = Order::of(list);
    let mut conditions = conditions(list, list.state, has_before);
    let looked_up = list.role.is_some() && way == Way::Found;
    if list.role.is_some() && !looked_up {
        conditions.push(BY_HEART.to_owned());
    }
    let found = format!("SELECT {at} AS at, u.user_id FROM users u {}", all_of(&conditions), at = order.at);
    if looked_up {
        // Sorted first: the page is full when a few have been looked up.
        let sorted = order.by("at", "user_id");
        format!("SELECT at, user_id FROM ({found} {sorted} OFFSET 0) u WHERE {LOOKED_UP} {sorted} LIMIT $1")
    } else {
        format!("{found} OFFSET 0")
    }
}

const SEARCHED: &str =
    "(u.email LIKE $4 OR u.search_name LIKE $4 OR (u.search_name IS NULL AND lower(u.display_name) LIKE $4))";

const LOOKED_UP: &str = "EXISTS (SELECT FROM user_roles r WHERE r.user_id = u.user_id AND r.role = $5 OFFSET 0)";

/// Said so, it is not made a join of: the holders are read once, and kept in a table of hashes.
const BY_HEART: &str = "(u.user_id IN (SELECT r.user_id FROM user_roles r WHERE r.role = $5)) IS TRUE";

/// What is asked of a user, but for its role.
fn conditions(list: &UserList, state: Option<UserState>, has_before: bool) -> Vec<String> {
    let mut conditions = placed(list, state, has_before);
    conditions.extend(list.prefix.as_ref().map(|_| SEARCHED.to_owned()));
    conditions
}

/// Which part of the order of a state is looked at.
fn placed(list: &UserList, state: Option<UserState>, has_before: bool) -> Vec<String> {
    let order = Order::of(list);
    let mut conditions = Vec::new();
    conditions.extend(state.map(in_state));
    conditions.extend(has_before.then(|| order.beyond(order.at, "u.user_id")));
    conditions
}

fn in_state(state: UserState) -> String {
    format!("u.state = '{}'", state.as_str())
}

fn all_of(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) }
}

/// The order of a list, in SQL.
struct Order {
    /// The time that decides, of the user `u`.
    at: &'static str,
    /// The same time, of the user before the page.
    after_at: &'static str,
    direction: &'static str,
    beyond: &'static str,
}

impl Order {
    const fn of(list: &UserList) -> Self {
        let (at, after_at) = match list.order.by {
            UserTime::Created => ("u.created_at", "$2"),
            // As the index has it.
            UserTime::LastLogin => {
                ("coalesce(u.last_login_at, '-infinity'::timestamptz)", "coalesce($2, '-infinity'::timestamptz)")
            }
        };
        let (direction, beyond) = if list.order.descending { ("DESC", "<") } else { ("ASC", ">") };
        Self { at, after_at, direction, beyond }
    }

    fn by(&self, at: &str, user_id: &str) -> String {
        format!("ORDER BY {at} {direction}, {user_id} {direction}", direction = self.direction)
    }

    /// Whether a user comes after the one before the page.
    fn beyond(&self, at: &str, user_id: &str) -> String {
        format!("({at}, {user_id}) {} ({}, $3)", self.beyond, self.after_at)
    }
}

/// What begins with `prefix`, none of whose characters mean anything else.
pub(super) fn pattern(prefix: &str) -> String {
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
    use super::pattern;

    #[test]
    fn a_pattern_has_no_wild_cards_but_its_own() {
        assert_eq!(pattern("ann"), "ann%");
        assert_eq!(pattern(r"100%_a\b"), r"100\%\_a\\b%");
    }
}
