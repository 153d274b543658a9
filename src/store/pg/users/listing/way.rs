//! Which way leads to the users of a list.
//!
//! The planner takes those who fit a filter for evenly spread over time. Users who came together are not: it would walk by all
//! others first. So what is near is looked at; if that is not enough, the filters are counted, as far as it matters, and the query
//! says which way to go, such that none takes long however the users are spread.

use crate::model::user_list::{UserList, UserTime};

/// Up to how many users are looked up one by one, wherever in the order they stand.
pub(super) const FEW: i64 = 2_500;

/// Up to how many users are taken from an index at once, whose pages they share.
pub(super) const MANY: i64 = 20_000;

/// Up to how many holders of a role are learnt by heart to walk by all others: with more, the hashes may not fit into a `work_mem`
/// of 4 MB, and Postgres would go through all of them for each user.
pub(super) const LEARNT: i64 = 50_000;

/// How many users of the order are looked at before the filters are counted.
pub(super) const NEAR: i64 = 2_000;

/// The way to the users of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Along the order, each user that fits; whether it has the role is looked up.
    Order,
    /// Along the order, each user that fits; the holders of the role are known by heart.
    OrderByHeart,
    /// Among the next [`NEAR`] users of the order, each that fits. Tried before the filters are counted: where they fit many, that
    /// fills the page.
    Near,
    /// Along the holders of the role, who are in the order themselves.
    Role,
    /// All holders of the role, sorted in the end.
    Holders,
    /// All that the search fits, sorted in the end; those of them without the role are then passed by.
    Found,
    /// All that the search fits and who are among the holders of the role, known by heart; sorted in the end.
    FoundByHeart,
}

/// How many users each filter alone leaves, counted no further than one more than [`LEARNT`]; `None` for a filter that the list
/// does not have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sizes {
    /// Holders of the role.
    pub holders: Option<i64>,
    /// Addresses and names that the search fits.
    pub found: Option<i64>,
    /// Users in the state.
    pub in_state: Option<i64>,
}

impl Way {
    /// Whether the way to this list is another for other sizes.
    pub(super) const fn depends_on_sizes(list: &UserList) -> bool {
        let in_its_order = matches!(list.order.by, UserTime::Created) && list.state.is_none();
        list.prefix.is_some() || (list.role.is_some() && !in_its_order)
    }

    /// The way to this list, whose filters leave so many.
    pub(super) fn choose(list: &UserList, sizes: Sizes) -> Self {
        let at_most = |size: Option<i64>, limit| size.is_some_and(|size| size <= limit);
        let role_in_order = list.role.is_some() && list.prefix.is_none() && matches!(list.order.by, UserTime::Created);
        if at_most(sizes.in_state, FEW) {
            Self::Order
        } else if at_most(sizes.holders, FEW) {
            Self::Holders
        } else if at_most(sizes.found, MANY) {
            if at_most(sizes.holders, MANY) { Self::FoundByHeart } else { Self::Found }
        } else if role_in_order && !at_most(sizes.in_state, MANY) {
            Self::Role
        } else if at_most(sizes.holders, LEARNT) {
            Self::OrderByHeart
        } else {
            Self::Order
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{FEW, LEARNT, MANY, Sizes, Way};
    use crate::model::role::RoleName;
    use crate::model::user::UserState;
    use crate::model::user_list::{SearchPrefix, UserList, UserOrder, UserTime};

    const BY_LOGIN: UserOrder = UserOrder { by: UserTime::LastLogin, descending: true };

    /// The way to a list with these filters, which leave so many.
    fn way(order: UserOrder, holders: Option<i64>, found: Option<i64>, in_state: Option<i64>) -> Way {
        let list = UserList {
            prefix: found.and_then(|_| SearchPrefix::new("a")),
            state: in_state.map(|_| UserState::Suspended),
            role: holders.map(|_| "support".parse::<RoleName>().unwrap()),
            order,
        };
        Way::choose(&list, Sizes { holders, found, in_state })
    }

    #[test]
    fn without_filters_or_with_a_state_alone_the_way_is_the_order() {
        for order in [UserOrder::default(), BY_LOGIN] {
            assert_eq!(way(order, None, None, None), Way::Order);
            assert_eq!(way(order, None, None, Some(MANY + 1)), Way::Order);
        }
    }

    #[test]
    fn the_holders_of_a_role_are_in_the_order_of_their_creation() {
        assert_eq!(way(UserOrder::default(), Some(MANY), None, None), Way::Role);
        assert_eq!(way(UserOrder::default(), Some(MANY + 1), None, Some(MANY + 1)), Way::Role);
        assert_eq!(way(UserOrder::default(), Some(MANY + 1), None, Some(MANY)), Way::OrderByHeart);
        assert_eq!(
            [0, FEW, FEW + 1, LEARNT, LEARNT + 1].map(|holders| way(BY_LOGIN, Some(holders), None, None)),
            [Way::Holders, Way::Holders, Way::OrderByHeart, Way::OrderByHeart, Way::Order]
        );
    }

    #[test]
    fn what_a_search_fits_is_sorted_unless_it_is_too_much() {
        for order in [UserOrder::default(), BY_LOGIN] {
            assert_eq!(
                [0, MANY, MANY + 1].map(|found| way(order, None, Some(found), None)),
                [Way::Found, Way::Found, Way::Order]
            );
            assert_eq!(way(order, Some(FEW), Some(MANY), None), Way::Holders);
            assert_eq!(way(order, Some(MANY), Some(MANY), None), Way::FoundByHeart);
            assert_eq!(way(order, Some(MANY + 1), Some(MANY), None), Way::Found);
            assert_eq!(way(order, Some(MANY), Some(MANY + 1), None), Way::OrderByHeart);
            assert_eq!(way(order, Some(MANY), Some(MANY), Some(FEW)), Way::Order);
        }
    }
}
