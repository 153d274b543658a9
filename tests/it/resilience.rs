//! What happens when the parts that the service stands on fail, or the service itself is ended.

mod connections;
mod database;
mod failover;
mod language;
mod log;
mod mail;
mod restart;
mod shutdown;
mod silence;
mod start;
