//! Which version of a table is the latest, for those who keep a copy of it in memory.

use diesel::OptionalExtension;
use diesel::sql_types::{Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::statement::statement;
use super::{Connection, StoreError};

/// A table that is copied into memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// `network_rules`.
    NetworkRules,
    /// `roles` and `role_permissions`.
    Roles,
    /// `service_keys`, but for their last use.
    ServiceKeys,
    /// `signing_keys`.
    SigningKeys,
}

impl Feed {
    fn name(self) -> String {
        match self {
            Self::NetworkRules => "network_rules".to_owned(),
            Self::Roles => "roles".to_owned(),
            Self::ServiceKeys => "service_keys".to_owned(),
            Self::SigningKeys => "signing_keys".to_owned(),
        }
    }
}

statement! {
    Find { feed: String => Text } -> (SqlUuid)
    "SELECT version FROM feed_versions WHERE feed = $1"
}

statement! {
    Update { feed: String => Text, version: Uuid => SqlUuid } -> ()
    "INSERT INTO feed_versions (feed, version) VALUES ($1, $2)
    ON CONFLICT ON CONSTRAINT feed_versions_pkey DO UPDATE SET version = $2"
}

/// The latest version; `None` before the first change. What is read after this is of this version or a later one.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut Connection, feed: Feed) -> Result<Option<Uuid>, StoreError> {
    let row: Option<(Uuid,)> = Find { feed: feed.name() }.get_result(conn).await.optional()?;
    Ok(row.map(|(version,)| version))
}

/// Gives the feed a new version, one that was never used before. Called last in the transaction that changes the table: of
/// several such transactions at once the others wait here.
///
/// # Errors
/// When the database fails.
pub async fn update(conn: &mut Connection, feed: Feed, version: Uuid) -> Result<(), StoreError> {
    Update { feed: feed.name(), version }.execute(conn).await?;
    Ok(())
}
