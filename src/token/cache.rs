//! Access tokens whose signature has been verified, remembered by their hash: a client presents the same one many times.
//!
//! Holds what a token says, never whether it may be used: expiry, device, revocation, and whether its key verifies still are
//! looked at on every call.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;

use super::access::AccessClaims;
use super::keys::Keys;
use super::master::sha256;

/// How many tokens are remembered; a few hundred bytes each, allocated as they come.
const CAPACITY: usize = 100_000;

/// Verified access tokens by SHA-256 of their text.
#[derive(Debug)]
pub struct VerifiedTokens(Cache<[u8; 32], Arc<AccessClaims>>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl VerifiedTokens {
    /// The claims of `token` if it was verified before with a key that verifies at `now` still, else those that `verify` finds,
    /// remembered.
    ///
    /// # Errors
    /// Those of `verify`; a token that is not good is not remembered.
    pub fn get_or_verify<E>(
        &self,
        token: &str,
        (keys, now): (&Keys, DateTime<Utc>),
        verify: impl FnOnce() -> Result<AccessClaims, E>,
    ) -> Result<Arc<AccessClaims>, E> {
        let hash = sha256(token.as_bytes());
        if let Some(claims) = self.0.get(&hash) {
            if keys.verify_with(&claims.key_id, now) {
                return Ok(claims);
            }
            self.0.remove(&hash);
        }
        let claims = Arc::new(verify()?);
        self.0.insert(hash, claims.clone());
        Ok(claims)
    }
}
