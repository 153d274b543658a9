//! The lock that a migrating process holds, and the wait for it.

use std::time::Duration;

use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use tokio::time::Instant;

use super::super::server::{Server, ServerError, as_row};
use super::super::statement::statement;
use super::super::{Connection, MigrateError};

/// How soon a lock that was not free is tried again.
const PAUSE: Duration = Duration::from_millis(250);

/// How often the log says that this process waits.
const TOLD_EVERY: Duration = Duration::from_secs(5);

statement! {
    // "keyward" in ASCII: earlier versions take the same lock for their session.
    TryTake {} -> (Bool)
    "SELECT pg_try_advisory_xact_lock(x'006b657977617264'::bigint)"
}

statement! {
    HasHistory {} -> (Bool)
    "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL"
}

/// The halves of the number, as the server's view of locks has them.
const HOLDER: &str = "SELECT a.pid, a.application_name, a.state, date_trunc('second', a.state_change)
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.classid::bigint = x'006b6579'::bigint AND l.objid::bigint = x'77617264'::bigint
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Takes the lock for the transaction that is open; `false` when another process has it.
pub(super) async fn try_take(conn: &mut Connection) -> Result<bool, diesel::result::Error> {
    let (taken,): (bool,) = TryTake {}.get_result(conn).await?;
    Ok(taken)
}

/// Whether there is a table of applied migrations.
pub(super) async fn has_history(conn: &mut Connection) -> Result<bool, diesel::result::Error> {
    let (exists,): (bool,) = HasHistory {}.get_result(conn).await?;
    Ok(exists)
}

/// Says who holds the lock, and how an operator ends a session that should not.
async fn describe_holder(server: &Server) -> Result<String, ServerError> {
    let client = server.client().await?;
    let rows = server.bounded(client.simple_query(HOLDER)).await?;
    let Some(row) = rows.iter().find_map(as_row) else {
        return Ok("a process that has ended meanwhile".to_owned());
    };
    let [process, application, state, since] =
        [0, 1, 2, 3].map(|column| row.get(column).filter(|text| !text.is_empty()).unwrap_or("unknown"));
    Ok(format!(
        "the server process {process} (application {application}, {state} since {since}); if that is a session left behind \
         by an earlier version, end it with SELECT pg_terminate_backend({process})"
    ))
}

/// How long this process has waited for the lock.
pub(super) struct LockWait {
    limit: Duration,
    began: Option<Instant>,
    told: Option<Instant>,
}

impl LockWait {
    pub(super) const fn new(limit: Duration) -> Self {
        Self { limit, began: None, told: None }
    }

    /// Waits a moment and tells of it in the log, or fails when the time is over.
    pub(super) async fn pause(&mut self, server: &Server) -> Result<(), MigrateError> {
        let waited = self.began.get_or_insert_with(Instant::now).elapsed();
        let over = waited >= self.limit;
        if over || self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            let holder = describe_holder(server).await?;
            if over {
                return Err(MigrateError::Locked { waited: self.limit, holder });
            }
            self.told = Some(Instant::now());
            tracing::warn!(
                waited_seconds = waited.as_secs(),
                holder,
                "waiting while another process migrates the schema"
            );
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}
