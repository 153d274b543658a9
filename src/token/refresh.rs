//! Refresh tokens: `kwr_` and base64url of session id, generation and HMAC. Opaque to clients.
//!
//! A forged token is refused without any I/O, and since the database holds only a session's generation, nobody who reads
//! it learns a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use uuid::Uuid;

use super::master::{MAC_LEN, Master, Purpose};
use crate::model::id::SessionId;

/// Marks a refresh token, for people and for scanners of leaked secrets.
const PREFIX: &str = "kwr_";

/// What a refresh token says, once its authentication code has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session that it belongs to.
    pub session_id: SessionId,
    /// Which of the session's tokens it is, the first being 1.
    pub generation: i64,
}

impl RefreshToken {
    /// Writes the token; the same session and generation give the same token.
    #[must_use]
    pub fn issue(self, master: &Master) -> SecretString {
        let session_id = self.session_id.uuid().into_bytes();
        let generation = self.generation.to_be_bytes();
        let mac = master.mac(Purpose::RefreshToken, &[&session_id, &generation]);
        let bytes = [session_id.as_slice(), &generation, &mac].concat();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)).into()
    }

    /// Reads a token; `None` unless it was issued under one of the master keys.
    #[must_use]
    pub fn verify(token: &str, master: &Master) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (session_id, rest) = bytes.split_first_chunk::<16>()?;
        let (generation, mac) = rest.split_first_chunk::<8>()?;
        let good = mac.len() == MAC_LEN && master.verify(Purpose::RefreshToken, &[session_id, generation], mac);
        good.then(|| Self {
            session_id: Uuid::from_bytes(*session_id).into(),
            generation: i64::from_be_bytes(*generation),
        })
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
    use super::{Master, RefreshToken};
    use crate::config::MasterKeys;
    use crate::model::id::SessionId;

    fn master(keys: &[u8]) -> Master {
        let keys: Vec<String> = keys.iter().map(|byte| STANDARD.encode(sha256(&[*byte]))).collect();
        Master::new(&MasterKeys::parse(&keys.join(",")).unwrap()).unwrap()
    }

    fn token() -> RefreshToken {
        RefreshToken { session_id: SessionId::new(DateTime::UNIX_EPOCH), generation: 7 }
    }

    #[test]
    fn a_token_reads_back_under_the_key_that_made_it_even_when_it_is_no_longer_current() {
        let issued = token().issue(&master(&[1]));
        assert_eq!(issued.expose_secret(), token_text(&master(&[1]), issued.expose_secret()));
        assert!(RefreshToken::verify(issued.expose_secret(), &master(&[2, 1])).is_some());
        assert!(RefreshToken::verify(issued.expose_secret(), &master(&[2])).is_none());
    }

    fn token_text(master: &Master, text: &str) -> String {
        RefreshToken::verify(text, master).unwrap().issue(master).expose_secret().to_owned()
    }

    #[test]
    fn a_token_with_any_bit_changed_is_refused() {
        let master = master(&[1]);
        let issued = token().issue(&master);
        for position in 0..issued.expose_secret().len() {
            let mut mangled = issued.expose_secret().as_bytes().to_vec();
            mangled[position] = if mangled[position] == b'A' { b'B' } else { b'A' };
            let mangled = String::from_utf8(mangled).unwrap();
            assert_eq!(RefreshToken::verify(&mangled, &master), None, "byte {position}");
        }
    }
}
