//! Export: users as lines, a page at a time, in the order of their identifiers.

use super::record::Record;
use crate::app::App;
use crate::error::Error;
use crate::flows::audit::{self, Event};
use crate::model::audit::{Act, EventKind, Subject};
use crate::model::id::UserId;
use crate::store::pg::users;

/// An export under way.
#[derive(Debug)]
pub struct Export {
    with_password_hashes: bool,
    after: Option<UserId>,
    /// How many users there were when it began.
    pub users: u64,
}

impl Export {
    /// Begins one, and puts it on record before anything leaves.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn begin(app: &App, by: &Act, with_password_hashes: bool) -> Result<Self, Error> {
        let mut tx = app.pool.begin().await?;
        let outcome: Result<_, Error> = async {
            let users = users::count(&mut tx).await?;
            let event = Event::new(EventKind::UsersExported, Subject::Nothing)
                .with("users", users)
                .with("password_hashes", with_password_hashes);
            audit::record(&mut tx, by, event, app.clock.now()).await?;
            Ok(users)
        }
        .await;
        let users = tx.end(outcome).await?;
        Ok(Self { with_password_hashes, after: None, users })
    }

    /// The next lines; none when there are no more.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn next(&mut self, app: &App) -> Result<Vec<String>, Error> {
        let mut conn = app.pool.get().await?;
        let page = users::find_after(&mut conn, self.after, self.with_password_hashes).await?;
        drop(conn);
        self.after = page.last().map(|credentials| credentials.user.user_id).or(self.after);
        let line = |credentials| serde_json::to_string(&Record::from(credentials)).map_err(Error::internal);
        page.into_iter().map(line).collect()
    }
}
