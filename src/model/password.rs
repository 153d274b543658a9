//! A password on its way in, and the form in which it is kept.
//!
//! Preparation follows the `OpaqueString` profile of RFC 8265, so that one password typed on two keyboards is one sequence
//! of bytes. Other systems hash what was typed, so that it is kept beside, to compare with their hashes. Whether a password is a
//! good one is asked in `policy::password`; hashing is in `hashing`.

use std::fmt;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// A password in plain text, normalised. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Password {
    normalised: Zeroizing<String>,
    /// What was typed, where that is something else.
    typed: Option<Zeroizing<String>>,
}

/// Why a text cannot become anybody's password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordInvalid {
    /// Fewer than [`Password::MIN_CHARS`].
    #[error("a password has at least {} characters", Password::MIN_CHARS)]
    TooShort,
    /// More than [`Password::MAX_CHARS`].
    #[error("a password has at most {} characters", Password::MAX_CHARS)]
    TooLong,
    /// Holds a control character, which few can type again.
    #[error("a password holds no control characters")]
    ControlCharacter,
}

impl Password {
    /// The shortest password, in Unicode characters after normalisation.
    pub const MIN_CHARS: usize = 8;
    /// The longest password, in Unicode characters after normalisation.
    pub const MAX_CHARS: usize = 128;

    /// Takes a new password.
    ///
    /// # Errors
    /// When it is too short, too long, or holds a control character.
    pub fn parse(text: &str) -> Result<Self, PasswordInvalid> {
        if text.chars().any(char::is_control) {
            return Err(PasswordInvalid::ControlCharacter);
        }
        let password = Self::presented(text);
        match password.normalised.chars().count() {
            ..Self::MIN_CHARS => Err(PasswordInvalid::TooShort),
            Self::MIN_CHARS..=Self::MAX_CHARS => Ok(password),
            _ => Err(PasswordInvalid::TooLong),
        }
    }

    /// Takes a password that is to be compared with a stored one, whatever it looks like: one that [`Password::parse`] would
    /// refuse matches no stored hash, and must cost the same work to find wrong.
    #[must_use]
    pub fn presented(text: &str) -> Self {
        // NFC grows a text to three times its bytes at most: with that much room no half-made copy is left behind.
        let mut normalised = Zeroizing::new(String::with_capacity(text.len().saturating_mul(3)));
        normalised.extend(text.chars().map(plain_space).nfc());
        let typed = (*normalised != text).then(|| Zeroizing::new(text.to_owned()));
        Self { normalised, typed }
    }

    /// The text itself, for the hash and the checks that need it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.normalised
    }

    /// The text as it was typed, where that is another one: a system that does not normalise has hashed this.
    #[must_use]
    pub fn expose_typed(&self) -> Option<&str> {
        self.typed.as_ref().map(|text| text.as_str())
    }
}

/// RFC 8265, 4.2.2: any character of the category Zs becomes a space.
fn plain_space(char: char) -> char {
    match char {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        other => other,
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What is kept of a password: a salted hash with its parameters, as a string in the PHC format. One that came from another
/// system may be in that one's form, until its owner logs in for the first time.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The string, for the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for PasswordHash {
    fn from(phc: String) -> Self {
        Self(phc)
    }
}

impl From<PasswordHash> for String {
    fn from(hash: PasswordHash) -> Self {
        hash.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn length_is_counted_in_characters_after_normalisation() {
        assert_eq!(Password::parse("1234567").unwrap_err(), PasswordInvalid::TooShort);
        assert_eq!(Password::parse("").unwrap_err(), PasswordInvalid::TooShort);
        Password::parse("12345678").unwrap();
        Password::parse(&"🗝".repeat(128)).unwrap();
        assert_eq!(Password::parse(&"🗝".repeat(129)).unwrap_err(), PasswordInvalid::TooLong);
        // Seven letters with a combining mark each are seven characters, not fourteen.
        assert_eq!(Password::parse(&"e\u{301}".repeat(7)).unwrap_err(), PasswordInvalid::TooShort);
        Password::parse(&"e\u{301}".repeat(128)).unwrap();
    }

    #[test]
    fn two_spellings_are_one_password() {
        let composed = Password::parse("caf\u{e9} noir 7").unwrap();
        let decomposed = Password::presented("cafe\u{301}\u{a0}noir\u{3000}7");
        assert_eq!(composed.expose(), decomposed.expose());
        // What was typed is there where it is something else.
        assert_eq!(composed.expose_typed(), None);
        assert_eq!(decomposed.expose_typed(), Some("cafe\u{301}\u{a0}noir\u{3000}7"));
        // Compatibility forms, case and surrounding spaces stay apart: they are part of the secret.
        assert_eq!(Password::parse(" Ａbcdefg ").unwrap().expose(), " Ａbcdefg ");
    }

    #[test]
    fn control_characters_are_refused_but_may_be_presented() {
        for text in ["12345678\n", "1234\u{0}5678", "1234\u{7f}5678", "1234\u{85}5678"] {
            assert_eq!(Password::parse(text).unwrap_err(), PasswordInvalid::ControlCharacter, "{text:?}");
            assert_eq!(Password::presented(text).expose(), text);
        }
        assert_eq!(Password::presented("").expose(), "");
    }

    #[test]
    fn normalising_never_outgrows_its_room() {
        for text in ["\u{1d160}", "\u{fb2c}", "\u{390}", "\u{344}"] {
            let password = Password::presented(&text.repeat(40));
            assert!(password.expose().len() <= text.len() * 40 * 3);
        }
    }

    #[test]
    fn debug_hides_both() {
        assert_eq!(format!("{:?}", Password::presented("open sesame\u{a0}")), "Password(..)");
        assert_eq!(format!("{:?}", PasswordHash::from("$argon2id$..".to_owned())), "PasswordHash(..)");
    }
}
