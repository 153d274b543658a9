//! What the tests stand on: the production stack on a real port, a PostgreSQL database of its own for every test, a real
//! SMTP server as mailbox, a Redis for those that need one, a clock that moves when told to, and actors whose calls read as a story.
//!
//! Nothing here knows what a method should answer, except that every refusal has the details that all of them must have.

mod administration;
mod app;
mod at_once;
mod calls;
mod database;
mod device;
mod mailbox;
mod person;
mod pooler;
mod program;
pub(crate) mod proxy;
mod redis;
mod refusal;
mod replica;
mod settings;

pub(crate) use app::TestApp;
pub(crate) use at_once::{at_once, because, sort};
pub(crate) use calls::PASSWORD;
pub(crate) use database::Database;
pub(crate) use device::Device;
pub(crate) use person::{Person, SignedIn};
pub(crate) use pooler::Pooler;
pub(crate) use program::Program;
pub(crate) use redis::{RedisServer, free_port};
pub(crate) use refusal::{Refusal, answer, refused};
pub(crate) use replica::Replica;
pub(crate) use settings::Settings;

use std::time::Duration;

/// How long a test waits for what must happen before it fails. Nothing waits this long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for what must happen, and fails the test, naming `what`, when it does not.
pub(crate) async fn within_patience<T>(what: &str, event: impl Future<Output = T>) -> T {
    let happened = tokio::time::timeout(PATIENCE, event).await;
    happened.unwrap_or_else(|_elapsed| panic!("waited {PATIENCE:?} in vain for {what}"))
}
