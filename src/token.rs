//! What clients carry and how it is proved: access tokens, refresh tokens, and the keys behind them.
//!
//! Nothing here touches the database; flows and jobs bring what is stored.

pub mod access;
pub mod cache;
pub mod keys;
pub mod master;
pub mod refresh;
pub mod reset;
pub mod revocations;
pub mod service_key;
