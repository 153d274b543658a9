//! State: PostgreSQL for what must last. SQL stops here, and so do the drivers' types.
//!
//! Store functions take a connection, so that a flow decides what is one transaction. They decide nothing themselves.

pub mod pg;
