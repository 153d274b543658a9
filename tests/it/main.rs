//! The tests of the service as a whole: the production stack, called over the network.
//!
//! `harness` is what they stand on; `contract` tests rules that hold for the whole code base; every other folder is a
//! service, with a file for each of its methods. Tests of pure functions stand beside these in `src/`.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod account;
mod admin;
mod auth;
mod configuration;
mod contract;
mod harness;
mod interceptors;
mod limits;
mod resilience;
mod session;
mod story;
