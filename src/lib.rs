//! Keyward: a gRPC authentication service.
#![doc = "draft"]

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod flows;
pub mod hashing;
pub mod jobs;
pub mod mail;
pub mod model;
pub mod policy;
pub mod proto;
pub mod rpc;
pub mod store;
pub mod token;
