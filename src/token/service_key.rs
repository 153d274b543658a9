//! Service keys: `kws_` and 256 random bits in base64url. Only their SHA-256 is stored.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::master::{CryptoError, Master, sha256};

/// Marks a service key, for people, for scanners of leaked secrets, and for whoever has to tell it from an access token.
const PREFIX: &str = "kws_";

/// How many characters of a key are shown in lists: enough to find it by, and 36 bits of 256.
const SHOWN: usize = PREFIX.len() + 6;

/// A key that was just made.
#[derive(Debug)]
pub struct NewServiceKey {
    /// The key itself, shown once.
    pub key: SecretString,
    /// Its first characters.
    pub prefix: String,
    /// What is stored of it.
    pub hash: [u8; 32],
}

/// Makes a key.
///
/// # Errors
/// When the random number generator fails.
pub fn issue(master: &Master) -> Result<NewServiceKey, CryptoError> {
    let bytes: [u8; 32] = master.random()?;
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    Ok(NewServiceKey { prefix: text.chars().take(SHOWN).collect(), hash: sha256(&bytes), key: text.into() })
}

/// Whether a bearer means to present a service key.
#[must_use]
pub fn is_meant(bearer: &str) -> bool {
    bearer.starts_with(PREFIX)
}

/// The hash under which a presented key would be stored; `None` when it has not even the form of one.
#[must_use]
pub fn hash(key: &str) -> Option<[u8; 32]> {
    let bytes = URL_SAFE_NO_PAD.decode(key.strip_prefix(PREFIX)?).ok()?;
    (bytes.len() == 32).then(|| sha256(&bytes))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use base64::engine::general_purpose::STANDARD;
    use secrecy::ExposeSecret;

    use super::{Engine, Master, hash, is_meant, issue, sha256};
    use crate::config::MasterKeys;

    #[test]
    fn a_key_is_told_by_its_prefix_and_found_by_its_hash() {
        let master = Master::new(&MasterKeys::parse(&STANDARD.encode(sha256(&[1]))).unwrap()).unwrap();
        let (one, other) = (issue(&master).unwrap(), issue(&master).unwrap());
        let text = one.key.expose_secret();
        assert!(is_meant(text) && text.starts_with(&one.prefix) && one.prefix.len() == 10);
        assert_eq!(text.len(), 4 + 43);
        assert_eq!(hash(text), Some(one.hash));
        assert_ne!(one.hash, other.hash);
        assert!(!format!("{one:?}").contains(text));
    }

    #[test]
    fn what_is_not_of_the_form_has_no_hash() {
        let good = format!("kws_{}", "A".repeat(43));
        assert!(hash(&good).is_some());
        // Not another text of the same bytes, either.
        for bad in [
            "",
            "kws_",
            "kwr_AAAA",
            &good[..46],
            &format!("{good}A"),
            &format!("{good}="),
            &format!("{}B", &good[..46]),
        ] {
            assert_eq!(hash(bad), None, "{bad}");
        }
    }
}
