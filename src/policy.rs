//! Decisions: pure functions of their arguments, the time among them. No async, no I/O, no clock.

pub mod access;
pub mod audit;
pub mod clock_skew;
pub mod codes;
pub mod limits;
pub mod lockout;
pub mod network;
pub mod password;
pub mod rotation;
pub mod signing;
