//! bcrypt in its modular crypt form: `$2b$12$` and 53 characters of salt and output; `$2a$` and `$2y$` mean the same.
//!
//! bcrypt looks at 72 bytes of a password and no further, and whoever made such a hash lived with that. So does the
//! comparison; the argon2id hash that replaces it is made of all that was presented. `$2x$`, which marks hashes of a broken
//! implementation, is not known.

use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::stored::HashUnusable;
use crate::config::Ceilings;

/// How many bytes of a password count.
const MAX_BYTES: usize = 72;

/// How many bytes of bcrypt's 24 are kept.
const OUTPUT_BYTES: usize = 23;

/// bcrypt's own base64. Some implementations left bits set that belong to no byte.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A bcrypt hash.
pub(super) struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    output: [u8; OUTPUT_BYTES],
}

impl Bcrypt {
    pub(super) fn read(text: &str, ceilings: &Ceilings) -> Result<Self, HashUnusable> {
        let hash = Self::parse(text).ok_or(HashUnusable::Malformed { family: "bcrypt" })?;
        HashUnusable::unless_below("bcrypt_cost", hash.cost.into(), ceilings.bcrypt_cost.get().into())?;
        Ok(hash)
    }

    fn parse(text: &str) -> Option<Self> {
        let (cost, rest) = text.get(4..)?.split_once('$')?;
        let cost = cost.parse().ok().filter(|known| cost.len() == 2 && (4..=31).contains(known))?;
        let (salt, output) = rest.split_at_checked(22)?;
        Some(Self {
            cost,
            salt: BASE64.decode(salt).ok()?.try_into().ok()?,
            output: BASE64.decode(output).ok()?.try_into().ok()?,
        })
    }

    pub(super) fn matches(&self, password: &str) -> bool {
        let bytes = password.as_bytes();
        // Implementations in C end a password at its first NUL, and repeat it with one: to them "a\0a" would be "a".
        let is_plain = !bytes.contains(&0);
        let key: Zeroizing<Vec<u8>> = Zeroizing::new(bytes.iter().copied().chain([0]).take(MAX_BYTES).collect());
        let computed = Zeroizing::new(bcrypt::bcrypt(self.cost, self.salt, &key));
        let is_equal = computed.get(..OUTPUT_BYTES).is_some_and(|output| output.ct_eq(&self.output).into());
        is_equal && is_plain
    }
}
