//! What the protos generate: messages, services, their validation, and the descriptors that reflection serves.

#![expect(
    clippy::all,
    clippy::pedantic,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    missing_docs,
    rustdoc::invalid_html_tags,
    rustdoc::bare_urls,
    reason = "generated"
)]

include!(concat!(env!("OUT_DIR"), "/all.rs"));
include!(concat!(env!("OUT_DIR"), "/validate_impl.rs"));
include!(concat!(env!("OUT_DIR"), "/validate_rest_impl.rs"));
include!(concat!(env!("OUT_DIR"), "/debug_impl.rs"));

/// The descriptor set of every proto, with imports and comments, as the compiler wrote it.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
