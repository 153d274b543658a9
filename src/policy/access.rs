//! What roles may do.

use std::collections::{HashMap, HashSet};

use crate::model::user::ADMIN;

/// The permissions that each role carries; `admin` holds all there are.
#[derive(Clone, Debug, Default)]
pub struct Permissions(HashMap<String, HashSet<String>>);

impl FromIterator<(String, String)> for Permissions {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        let mut roles: HashMap<String, HashSet<String>> = HashMap::new();
        for (role, permission) in pairs {
            roles.entry(role).or_default().insert(permission);
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
}

#[cfg(test)]
mod tests {
    use super::Permissions;

    fn roles(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_role_carries_its_own_permissions_and_admin_all() {
        let permissions: Permissions = [("support".to_owned(), "users.read".to_owned())].into_iter().collect();
        assert!(permissions.allow(&roles(&["normal_user", "support"]), "users.read"));
        assert!(!permissions.allow(&roles(&["normal_user", "support"]), "users.write"));
        assert!(!permissions.allow(&roles(&["normal_user"]), "users.read"));
        assert!(!permissions.allow(&[], "users.read"));
        assert!(permissions.allow(&roles(&["admin"]), "users.write"));
    }
}
