//! The nouns of the service, each valid once it exists: parsing is the only way in.
//!
//! No protobuf, no SQL and no decisions here; nothing of ours is imported.

pub mod audit;
pub mod caller;
pub mod cleanup;
pub mod code;
pub mod device;
pub mod display_name;
pub mod email;
pub mod id;
pub mod line;
pub mod locale;
pub mod lockout;
pub mod network;
pub mod operation;
pub mod origin;
pub mod password;
pub mod permission;
pub mod revocation;
pub mod role;
pub mod service_key;
pub mod session;
pub mod user;
pub mod user_list;
