//! What the service does, one function for each RPC: free functions over [`App`](crate::app::App).
//!
//! A flow asks the store, applies a rule of `policy` and says what came of it. It knows neither protobuf nor SQL, and
//! checks no permissions: whoever may not call it never gets here.

pub mod account;
pub mod admins;
pub mod authenticate;
mod codes;
pub mod health;
pub mod limits;
pub mod lockouts;
pub mod login;
pub mod logout;
pub mod networks;
pub mod outbox;
pub mod password_reset;
mod passwords;
pub mod refresh;
pub mod register;
pub mod revocations;
pub mod roles;
pub mod sessions;
pub mod signing_keys;
mod tokens;
pub mod verify_email;

pub use tokens::Tokens;
