//! What roles may do.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::model::user::ADMIN;

/// The permissions of the service itself. Other services may define more.
pub const OWN_PERMISSIONS: [&str; 15] = [
    "audit.read",
    "lockouts.read",
    "lockouts.write",
    "maintenance.run",
    "networks.read",
    "networks.write",
    "roles.read",
    "roles.write",
    "service_keys.read",
    "service_keys.write",
    "signing_keys.read",
    "signing_keys.write",
    "tokens.introspect",
    "users.read",
    "users.write",
];

/// The permissions that each role carries; `admin` holds all there are.
#[derive(Clone, Debug, Default)]
pub struct Permissions(HashMap<String, HashSet<String>>);

/// From pairs of a role and a permission; a role that carries none comes without one.
impl FromIterator<(String, Option<String>)> for Permissions {
    fn from_iter<I: IntoIterator<Item = (String, Option<String>)>>(pairs: I) -> Self {
        let mut roles: HashMap<String, HashSet<String>> = HashMap::new();
        for (role, permission) in pairs {
            roles.entry(role).or_default().extend(permission);
        }
        Self(roles)
    }
}

impl Permissions {
    /// Whether one of `roles` carries `permission`.
    #[must_use]
    pub fn allow(&self, roles: &[String], permission: &str) -> bool {
        roles
            .iter()
            .any(|role| role == ADMIN || self.0.get(role).is_some_and(|permissions| permissions.contains(permission)))
    }

    /// Whether every one of `roles` is among these.
    #[must_use]
    pub fn know(&self, roles: &[String]) -> bool {
        roles.iter().all(|role| self.0.contains_key(role))
    }

    /// All that `roles` permit: for `admin`, the permissions of the service and whatever any role carries.
    #[must_use]
    pub fn of(&self, roles: &[String]) -> BTreeSet<String> {
        let every = roles.iter().any(|role| role == ADMIN);
        let held =
            self.0.iter().filter(|(role, _)| every || roles.contains(role)).flat_map(|(_, held)| held.iter().cloned());
        let own = OWN_PERMISSIONS.iter().filter(|_| every).map(ToString::to_string);
        held.chain(own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{OWN_PERMISSIONS, Permissions};

    fn roles(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_role_carries_its_own_permissions_and_admin_all() {
        let permissions: Permissions =
            [("support".to_owned(), Some("users.read".to_owned())), ("guest".to_owned(), None)].into_iter().collect();
        assert!(permissions.know(&roles(&["support", "guest"])) && !permissions.know(&roles(&["guest", "host"])));
        assert!(permissions.allow(&roles(&["normal_user", "support"]), "users.read"));
        assert!(!permissions.allow(&roles(&["normal_user", "support"]), "users.write"));
        assert!(!permissions.allow(&roles(&["normal_user"]), "users.read"));
        assert!(!permissions.allow(&[], "users.read"));
        assert!(permissions.allow(&roles(&["admin"]), "users.write"));
    }

    #[test]
    fn what_roles_permit_is_what_each_carries_and_for_admin_everything() {
        let pairs = [("teacher", "courses.write"), ("teacher", "courses.read"), ("pupil", "courses.read")];
        let permissions: Permissions =
            pairs.into_iter().map(|(role, permission)| (role.to_owned(), Some(permission.to_owned()))).collect();
        let of = |names: &[&str]| permissions.of(&roles(names)).into_iter().collect::<Vec<_>>();
        assert_eq!(of(&["normal_user", "pupil", "teacher"]), ["courses.read", "courses.write"]);
        assert!(of(&["normal_user"]).is_empty());
        assert_eq!(of(&["admin"]).len(), OWN_PERMISSIONS.len() + 2);
        assert!(of(&["admin"]).iter().all(|permission| permissions.allow(&roles(&["admin"]), permission)));
    }
}
