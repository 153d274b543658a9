//! The nouns of the service, each valid once it exists: parsing is the only way in.
//!
//! No protobuf, no SQL and no decisions here; nothing of ours is imported.

pub mod caller;
pub mod code;
pub mod device;
pub mod display_name;
pub mod email;
pub mod id;
pub mod locale;
pub mod network;
pub mod operation;
pub mod origin;
pub mod password;
pub mod session;
pub mod user;
