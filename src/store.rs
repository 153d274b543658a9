//! State: PostgreSQL for what must last; Redis, or memory, for what is counted and soon forgotten. SQL stops here, and so do
//! the drivers' types.
//!
//! Store functions take a connection, so that a flow decides what is one transaction. They decide nothing themselves.

pub mod limits;
pub mod memory;
pub mod pg;
pub mod redis;
