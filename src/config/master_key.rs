//! The master keys: reading them, and refusing those that anyone could guess.
//!
//! What is derived from them belongs to those who use it.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// The length of a master key, in bytes.
pub const MASTER_KEY_BYTES: usize = 32;

/// One master key, wiped from memory when it is dropped.
pub type MasterKey = Zeroizing<[u8; MASTER_KEY_BYTES]>;

/// Standard base64 (RFC 4648, section 4), its padding optional.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The master keys in use: the current one, and those it replaces.
#[derive(Clone)]
pub struct MasterKeys {
    current: MasterKey,
    previous: Vec<MasterKey>,
}

/// Why a list of master keys is refused. Keys are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyInvalid {
    /// Not base64.
    #[error("key {0} is not base64")]
    NotBase64(usize),
    /// Not 32 bytes long.
    #[error("key {number} has {bytes} bytes, must have 32 (`openssl rand -base64 32`)")]
    Length {
        /// Which key.
        number: usize,
        /// How long it is.
        bytes: usize,
    },
    /// Text, a pattern, or otherwise nothing that a random generator yields.
    #[error("key {0} is not random: make one with `openssl rand -base64 32`")]
    Guessable(usize),
    /// Twice in the list.
    #[error("key {0} is in the list already")]
    Repeated(usize),
}

impl MasterKeys {
    /// Reads keys in base64, separated by commas, the current one first.
    ///
    /// # Errors
    ///
    /// [`MasterKeyInvalid`] for the first key that is malformed, guessable or repeated.
    pub fn parse(text: &str) -> Result<Self, MasterKeyInvalid> {
        let (first, rest) = text.split_once(',').map_or((text, None), |(first, rest)| (first, Some(rest)));
        let mut keys = Self { current: parse_one(1, first)?, previous: Vec::new() };
        for (number, text) in (2..).zip(rest.into_iter().flat_map(|rest| rest.split(','))) {
            let key = parse_one(number, text)?;
            if keys.iter().any(|known| known == &*key) {
                return Err(MasterKeyInvalid::Repeated(number));
            }
            keys.previous.push(key);
        }
        Ok(keys)
    }

    /// The key for everything new.
    #[must_use]
    pub fn current(&self) -> &[u8; MASTER_KEY_BYTES] {
        &self.current
    }

    /// All keys, the current one first: for reading what an earlier one wrote.
    pub fn iter(&self) -> impl Iterator<Item = &[u8; MASTER_KEY_BYTES]> {
        std::iter::once(&*self.current).chain(self.previous.iter().map(|key| &**key))
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKeys({} of them)", self.previous.len() + 1)
    }
}

fn parse_one(number: usize, text: &str) -> Result<MasterKey, MasterKeyInvalid> {
    let bytes = BASE64.decode(text.trim()).map_err(|_| MasterKeyInvalid::NotBase64(number))?;
    let bytes = Zeroizing::new(bytes);
    let length = MasterKeyInvalid::Length { number, bytes: bytes.len() };
    let key = MasterKey::new(<[u8; MASTER_KEY_BYTES]>::try_from(bytes.as_slice()).map_err(|_| length)?);
    if is_guessable(&key) { Err(MasterKeyInvalid::Guessable(number)) } else { Ok(key) }
}

/// Whether a key looks like one from an example: printable text, few different bytes, a repetition, or a count up or down.
/// Not one of 2^40 random keys is expected to.
fn is_guessable(key: &MasterKey) -> bool {
    let mut sorted = key.clone();
    sorted.sort_unstable();
    let distinct = 1 + sorted.windows(2).filter(|pair| pair.first() != pair.last()).count();

    let mut steps = key.iter().zip(key.iter().skip(1)).map(|(a, b)| b.wrapping_sub(*a));
    let step = steps.next();
    let counts = steps.all(|next| Some(next) == step);

    let text = key.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    let (left, right) = key.split_at(MASTER_KEY_BYTES / 2);
    distinct < MASTER_KEY_BYTES / 2 || counts || text || left == right
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const A: &str = "RBik0+QGqt4nX/vmpfacbbjNzY20n87aM8a+3Q9ZHuw=";
    const B: &str = "bspMNCcU/LUcLlunpioEH54XNL0+eF9J5bd315jDJpw=";

    #[test]
    fn several_keys_are_read_with_the_current_one_first() {
        let keys = MasterKeys::parse(&format!("{A}, {}\n", B.trim_end_matches('='))).unwrap();
        let encoded: Vec<String> = keys.iter().map(|key| BASE64.encode(key)).collect();
        assert_eq!(encoded, [A, B]);
        assert_eq!(BASE64.encode(keys.current()), A);
        assert_eq!(format!("{keys:?}"), "MasterKeys(2 of them)");
    }

    #[test]
    fn malformed_and_repeated_keys_are_refused() {
        let error = |text: &str| MasterKeys::parse(text).unwrap_err();
        assert_eq!(error("not base64!"), MasterKeyInvalid::NotBase64(1));
        assert_eq!(error("c2hvcnQ="), MasterKeyInvalid::Length { number: 1, bytes: 5 });
        assert_eq!(error(&format!("{A},")), MasterKeyInvalid::Length { number: 2, bytes: 0 });
        assert_eq!(error(&format!("{A},{B},{A}")), MasterKeyInvalid::Repeated(3));
    }

    #[test]
    fn keys_from_examples_are_refused() {
        let counting: [u8; MASTER_KEY_BYTES] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let half = *BASE64.decode(A).unwrap().first_chunk::<16>().unwrap();
        let examples: [&[u8]; 7] = [
            &[0; MASTER_KEY_BYTES],
            &[0x42; MASTER_KEY_BYTES],
            &[0xde, 0xad, 0xbe, 0xef].repeat(8),
            &counting,
            &counting.map(|byte| 255 - byte),
            &half.repeat(2),
            b"keyward-keyward-keyward-keyward!",
        ];
        for example in examples {
            let error = MasterKeys::parse(&BASE64.encode(example)).unwrap_err();
            assert_eq!(error, MasterKeyInvalid::Guessable(1), "{example:?}");
        }
    }
}
