//! Listeners: every connection is counted, has a time for its handshake, and an age.
//!
//! One accept loop serves every listener. What calls a connection carries, and who answers them, is the business of the stack
//! that it is given.

mod acceptor;
mod connection;
mod connections;
mod handshake;
mod open_files;
mod shares;
mod table;

pub(super) use acceptor::{Acceptor, Stack};
pub use connections::{Connections, TooFewFiles};
pub(super) use shares::ConnectionShares;
