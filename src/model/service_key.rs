//! A service key: what an internal service authenticates with. Its secret is made elsewhere and known to nobody here.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::id::ServiceKeyId;
use super::line::Line;
use super::permission::Permission;

/// A service key as administrators see it.
#[derive(Clone, Debug)]
pub struct ServiceKey {
    /// Its identifier.
    pub service_key_id: ServiceKeyId,
    /// What it is called.
    pub name: ServiceKeyName,
    /// Its first characters, to find it by in a configuration.
    pub key_prefix: String,
    /// What it permits.
    pub permissions: BTreeSet<Permission>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; `None` when it is good until it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, true to a minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What a key is called, for people to recognise it by.
pub type ServiceKeyName = Line<1, 100>;
