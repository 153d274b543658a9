//! What the service does, one function for each RPC: free functions over [`App`](crate::app::App).
//!
//! A flow asks the store, applies a rule of `policy` and says what came of it. It knows neither protobuf nor SQL, and
//! checks no permissions: whoever may not call it never gets here.

pub mod account;
pub mod admins;
mod attempts;
pub mod audit;
pub mod authenticate;
pub mod cleanup;
pub mod clocks;
mod codes;
pub mod copied;
pub mod expiry;
pub mod health;
pub mod introspection;
pub mod limits;
pub mod lockouts;
pub mod login;
pub mod logout;
pub mod networks;
pub mod outbox;
pub mod password_reset;
pub mod passwords;
pub mod refresh;
pub mod register;
pub mod revocations;
pub mod roles;
pub mod service_keys;
pub mod sessions;
pub mod signing_keys;
mod tokens;
pub mod transfer;
pub mod users;
pub mod verify_email;

pub use tokens::Tokens;

/// Several names as one detail of an audit event.
fn names(names: impl IntoIterator<Item = impl ToString>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(",")
}
