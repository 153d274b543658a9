//! Roles: named sets of permissions that users are given.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::line::Remark;
use super::permission::{NameInvalid, Permission, name};
use super::user::{ADMIN, NORMAL_USER};

/// The roles that always exist, as the first migration makes them.
const STANDING: [&str; 4] = [NORMAL_USER, "education_user", "business_user", ADMIN];

/// The name of a role, whether or not there is such a role.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleName(String);

impl RoleName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of those that cannot be deleted.
    #[must_use]
    pub fn is_standing(&self) -> bool {
        STANDING.contains(&self.as_str())
    }

    /// Whether it is the one that holds every permission.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.0 == ADMIN
    }
}

impl FromStr for RoleName {
    type Err = NameInvalid;

    fn from_str(text: &str) -> Result<Self, NameInvalid> {
        name(text).map(Self)
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// What it is for.
    pub description: Remark,
    /// What its holders may do; those of `admin` may do everything besides.
    pub permissions: BTreeSet<Permission>,
}

/// What of a role is to change; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct RoleChange {
    /// What it is for.
    pub description: Option<Remark>,
    /// All that its holders may do.
    pub permissions: Option<BTreeSet<Permission>>,
}

/// What is to become of a user's roles.
#[derive(Clone, Debug)]
pub enum RolesChange {
    /// It has exactly these.
    Exactly(BTreeSet<RoleName>),
    /// It gets some and loses some; one that is named twice is lost.
    By {
        /// What it gets.
        given: BTreeSet<RoleName>,
        /// What it loses.
        taken: BTreeSet<RoleName>,
    },
}

impl RolesChange {
    /// What a user with the roles `before` has after it.
    #[must_use]
    pub fn applied_to(&self, before: &BTreeSet<RoleName>) -> BTreeSet<RoleName> {
        match self {
            Self::Exactly(roles) => roles.clone(),
            Self::By { given, taken } => before.union(given).filter(|role| !taken.contains(role)).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn roles(names: &[&str]) -> BTreeSet<RoleName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn roles_are_replaced_or_given_and_taken() {
        let before = roles(&["normal_user", "support"]);
        assert_eq!(RolesChange::Exactly(roles(&["admin"])).applied_to(&before), roles(&["admin"]));
        let change = RolesChange::By { given: roles(&["admin", "support"]), taken: roles(&["normal_user", "editor"]) };
        assert_eq!(change.applied_to(&before), roles(&["admin", "support"]));
    }

    #[test]
    fn four_roles_stand() {
        assert!(roles(&["normal_user", "education_user", "business_user", "admin"]).iter().all(RoleName::is_standing));
        assert!(!roles(&["support"]).iter().any(RoleName::is_standing));
        assert!(roles(&["admin"]).iter().all(RoleName::is_admin));
    }
}
