//! Users as JSON lines: in from another system, and out.

pub mod export;
pub mod import;
mod record;
