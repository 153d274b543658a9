//! Reset tokens: `kwp_` and base64url of reset id and HMAC. Opaque to clients, good for one password reset.
//!
//! A forged token is refused without any I/O. A reset has one token, however often it is issued, and the database holds
//! nothing of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use uuid::Uuid;

use super::master::{MAC_LEN, Master, Purpose};
use crate::model::id::ResetId;

/// Marks a reset token, for people and for scanners of leaked secrets.
const PREFIX: &str = "kwp_";

/// What a reset token says, once its authentication code has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetToken {
    /// The reset whose right code it stands for.
    pub reset_id: ResetId,
}

impl ResetToken {
    /// Writes the token; the same reset gives the same token.
    #[must_use]
    pub fn issue(self, master: &Master) -> SecretString {
        let reset_id = self.reset_id.uuid().into_bytes();
        let mac = master.mac(Purpose::ResetToken, &[&reset_id]);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode([reset_id.as_slice(), &mac].concat())).into()
    }

    /// Reads a token; `None` unless it was issued under one of the master keys.
    #[must_use]
    pub fn verify(token: &str, master: &Master) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (reset_id, mac) = bytes.split_first_chunk::<16>()?;
        let good = mac.len() == MAC_LEN && master.verify(Purpose::ResetToken, &[reset_id], mac);
        good.then(|| Self { reset_id: Uuid::from_bytes(*reset_id).into() })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use chrono::DateTime;
    use secrecy::ExposeSecret;

    use super::super::master::sha256;
    use super::{Master, ResetToken};
    use crate::config::MasterKeys;
    use crate::model::id::ResetId;

    fn master(keys: &[u8]) -> Master {
        let keys: Vec<String> = keys.iter().map(|byte| STANDARD.encode(sha256(&[*byte]))).collect();
        Master::new(&MasterKeys::parse(&keys.join(",")).unwrap()).unwrap()
    }

    #[test]
    fn a_reset_has_one_token_which_reads_back_under_the_key_that_made_it() {
        let token = ResetToken { reset_id: ResetId::new(DateTime::UNIX_EPOCH) };
        let issued = token.issue(&master(&[1]));
        assert_eq!(issued.expose_secret(), token.issue(&master(&[1])).expose_secret());
        assert_eq!(ResetToken::verify(issued.expose_secret(), &master(&[2, 1])), Some(token));
        assert_eq!(ResetToken::verify(issued.expose_secret(), &master(&[2])), None);
    }

    #[test]
    fn a_token_with_any_byte_changed_is_refused() {
        let master = master(&[1]);
        let issued = ResetToken { reset_id: ResetId::new(DateTime::UNIX_EPOCH) }.issue(&master);
        for position in 0..issued.expose_secret().len() {
            let mut mangled = issued.expose_secret().as_bytes().to_vec();
            mangled[position] = if mangled[position] == b'A' { b'B' } else { b'A' };
            let mangled = String::from_utf8(mangled).unwrap();
            assert_eq!(ResetToken::verify(&mangled, &master), None, "byte {position}");
        }
    }
}
