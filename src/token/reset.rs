//! Reset tokens: 256 random bits, once, for one password reset. Only their SHA-256 is stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::master::{CryptoError, Master, sha256};

const PREFIX: &str = "kwp_";

/// A new reset token, and its hash to store.
///
/// # Errors
/// When the random number generator fails.
pub fn issue(master: &Master) -> Result<(SecretString, [u8; 32]), CryptoError> {
    let bytes: [u8; 32] = master.random()?;
    Ok((format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into(), sha256(&bytes)))
}

/// The hash under which a presented token would be stored; `None` when it has not even the form of one.
#[must_use]
pub fn hash(token: &str) -> Option<[u8; 32]> {
    let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
    (bytes.len() == 32).then(|| sha256(&bytes))
}
