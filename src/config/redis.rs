//! `[redis]`: where throttles and lockouts are counted for all replicas.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::problems::Problems;
use super::{RedisUrl, duration, optional_path, secret};

/// Redis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Where it is, `redis://..`; without it limits are kept in memory.
    #[serde(deserialize_with = "secret::optional")]
    pub url: Option<SecretString>,
    /// The file that `url` was read from, if it was.
    #[serde(deserialize_with = "optional_path")]
    pub url_file: Option<PathBuf>,
    /// What every key begins with.
    pub key_prefix: String,
    /// How many connections a replica keeps at most.
    pub max_connections: NonZeroU32,
    /// How long one round trip may take before Redis counts as away.
    #[serde(deserialize_with = "duration::deserialize")]
    pub timeout: Duration,
}

impl Redis {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(Err(invalid)) = self.url.as_ref().map(|url| RedisUrl::parse(url.expose_secret())) {
            problems.add("redis.url", invalid.to_string());
        }
        // No braces: a Redis cluster takes what is between them for the whole key.
        let plain = self.key_prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte));
        let fits = (1..=64).contains(&self.key_prefix.len());
        let reason = "must have 1 to 64 of the characters A-Z, a-z, 0-9, `.`, `_`, `-` and `:`";
        problems.require(plain && fits, "redis.key_prefix", reason);
        problems.number("redis.max_connections", self.max_connections.get(), 1..=10_000);
        problems.span("redis.timeout", self.timeout, Duration::from_millis(1)..=Duration::from_secs(10));
    }
}
