//! The six digits that are sent by mail, and the keyed hash that is kept of them.
//!
//! How long a code lives and how often it may be tried is for the flows; the key that hashes it comes from the master key.

use std::array::TryFromSliceError;
use std::fmt;

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

/// A code in plain text: six ASCII digits. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Code(Zeroizing<String>);

/// A text that is not six ASCII digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a code is six digits")]
pub struct CodeInvalid;

/// The system's source of randomness failed, so that no secret can be made.
#[derive(Debug, Clone, Copy, Error)]
#[error("the system's source of randomness failed")]
pub struct RandomnessUnavailable(#[from] Unspecified);

impl Code {
    /// How many digits a code has.
    pub const DIGITS: usize = 6;

    /// Draws a code, each of the million being equally likely.
    ///
    /// # Errors
    /// When the system's source of randomness fails.
    pub fn generate() -> Result<Self, RandomnessUnavailable> {
        let random = SystemRandom::new();
        loop {
            let mut bytes = Zeroizing::new([0; 4]);
            random.fill(bytes.as_mut())?;
            if let Some(code) = Self::from_draw(u32::from_le_bytes(*bytes)) {
                return Ok(code);
            }
        }
    }

    /// The code of a random number. The numbers past the last whole million are not used: they would favour some codes.
    fn from_draw(draw: u32) -> Option<Self> {
        const CODES: u32 = 1_000_000;
        const USABLE: u32 = u32::MAX - u32::MAX % CODES;
        (draw < USABLE).then(|| Self(Zeroizing::new(format!("{:06}", draw % CODES))))
    }

    /// Takes a code as a person typed it.
    ///
    /// # Errors
    /// When it is not exactly six ASCII digits.
    pub fn parse(text: &str) -> Result<Self, CodeInvalid> {
        if text.len() == Self::DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(CodeInvalid)
        }
    }

    /// The six digits, for the mail and the hash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// What is kept of a code: HMAC-SHA256 under a key that is not in the database. Compared in constant time.
#[derive(Clone, Copy)]
pub struct CodeHash([u8; 32]);

impl CodeHash {
    /// The bytes, for the store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; 32]> for CodeHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for CodeHash {
    type Error = TryFromSliceError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self)
    }
}

impl ConstantTimeEq for CodeHash {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for CodeHash {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for CodeHash {}

impl fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeHash(..)")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_drawn_code_can_be_typed_back() {
        let code = Code::generate().unwrap();
        assert_eq!(Code::parse(code.as_str()).unwrap().as_str(), code.as_str());
    }

    #[test]
    fn every_code_is_equally_likely() {
        assert_eq!(Code::from_draw(0).unwrap().as_str(), "000000");
        assert_eq!(Code::from_draw(1_000_042).unwrap().as_str(), "000042");
        assert_eq!(Code::from_draw(4_293_999_999).unwrap().as_str(), "999999");
        assert!(Code::from_draw(4_294_000_000).is_none(), "the first of an incomplete million");
        assert!(Code::from_draw(u32::MAX).is_none());
    }

    #[test]
    fn anything_but_six_ascii_digits_is_refused() {
        for text in ["", "12345", "1234567", "12345a", " 12345", "12 456", "-12345", "١٢٣٤٥٦", "１２"] {
            assert_eq!(Code::parse(text).unwrap_err(), CodeInvalid, "{text:?}");
        }
    }

    #[test]
    fn hashes_compare_by_value_and_print_nothing() {
        let hash = CodeHash::from([7; 32]);
        assert_eq!(hash, CodeHash::try_from(hash.as_bytes()).unwrap());
        assert_ne!(hash, CodeHash::from([8; 32]));
        CodeHash::try_from([7_u8; 31].as_slice()).unwrap_err();
        assert_eq!(format!("{hash:?} {:?}", Code::parse("123456").unwrap()), "CodeHash(..) Code(..)");
    }
}
