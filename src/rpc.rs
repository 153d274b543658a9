//! The gRPC server: services, and the interceptors in front of them. Protobuf stops here.

mod accept;
mod account;
mod admin;
mod attempts;
mod auth;
mod convert;
mod cursor;
mod drain;
mod fields;
mod health;
pub mod http;
mod interceptors;
mod listen;
pub mod methods;
mod page;
mod reflection;
mod server;
mod session;
mod status;
mod watch;

pub use listen::{Connections, TooFewFiles};
pub use server::{HEALTH_NAMES, ServeError, Services, serve};
