//! `[tokens]`: access and refresh tokens.

use std::time::Duration;

use serde::Deserialize;

use super::duration::{self, days};
use super::problems::Problems;

/// The largest `tokens.access_ttl`. No access token that claims to live longer is believed, whatever is configured.
pub const MAX_ACCESS_TTL: Duration = Duration::from_hours(1);

/// Access and refresh tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// How long an access token lives.
    #[serde(deserialize_with = "duration::deserialize")]
    pub access_ttl: Duration,
    /// How long a session lives without a refresh.
    #[serde(deserialize_with = "duration::deserialize")]
    pub refresh_idle_ttl: Duration,
    /// How long a session lives, however often it is refreshed.
    #[serde(deserialize_with = "duration::deserialize")]
    pub refresh_absolute_ttl: Duration,
    /// How long the previous refresh token still yields the same successor.
    #[serde(deserialize_with = "duration::deserialize")]
    pub refresh_grace: Duration,
    /// The `iss` claim.
    pub issuer: String,
    /// The `aud` claim.
    pub audience: String,
    /// The `client_id` claim.
    pub client_id: String,
    /// The signature of access tokens.
    pub algorithm: Algorithm,
    /// How long a key signs before the next one takes over.
    #[serde(deserialize_with = "duration::deserialize")]
    pub signing_key_rotation: Duration,
}

/// The signatures of access tokens, by their names in RFC 7518 and RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// HMAC with SHA-256; no public key for others to check with.
    #[serde(rename = "HS256")]
    Hs256,
}

impl Tokens {
    pub(super) fn check(&self, problems: &mut Problems) {
        let second = Duration::from_secs(1);
        problems.span("tokens.access_ttl", self.access_ttl, second..=MAX_ACCESS_TTL);
        problems.span("tokens.refresh_idle_ttl", self.refresh_idle_ttl, second..=days(3650));
        problems.span("tokens.refresh_absolute_ttl", self.refresh_absolute_ttl, second..=days(3650));
        problems.span("tokens.refresh_grace", self.refresh_grace, Duration::ZERO..=Duration::from_mins(5));
        let ordered = self.refresh_idle_ttl <= self.refresh_absolute_ttl;
        problems.require(ordered, "tokens.refresh_idle_ttl", "must be at most tokens.refresh_absolute_ttl");
        // The next key is published a day before it signs.
        problems.span("tokens.signing_key_rotation", self.signing_key_rotation, days(2)..=days(3650));
        problems.text("tokens.issuer", &self.issuer, 255);
        problems.text("tokens.audience", &self.audience, 255);
        problems.text("tokens.client_id", &self.client_id, 255);
    }
}
