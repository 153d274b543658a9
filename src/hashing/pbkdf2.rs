//! PBKDF2 (RFC 8018) in the forms that are about: passlib's `$pbkdf2-sha256$29000$salt$output`, the PHC form with
//! `i=29000,l=32` in that place, and Django's `pbkdf2_sha256$600000$salt$output`, whose salt is text. The output may be shorter
//! or longer than the digest.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use aws_lc_rs::pbkdf2::{self, Algorithm};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::stored::HashUnusable;
use crate::config::Ceilings;

/// The shortest output that is read, because a shorter one could be met by chance.
const MIN_OUTPUT_BYTES: usize = 16;

/// The longest output that is read. Old Keycloak makes 64 bytes with SHA-256.
const MAX_OUTPUT_BYTES: usize = 256;

/// The usual base64, with or without padding.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A PBKDF2 hash.
pub(super) struct Pbkdf2 {
    algorithm: Algorithm,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    /// At most the first block, as long as the digest. Each further block costs as much again, and no guesser computes it.
    output: Vec<u8>,
}

impl Pbkdf2 {
    pub(super) fn read(text: &str, ceilings: &Ceilings) -> Result<Self, HashUnusable> {
        let hash = Self::parse(text).ok_or(HashUnusable::Malformed { family: "PBKDF2" })?;
        let most = ceilings.pbkdf2_iterations.get();
        HashUnusable::unless_below("pbkdf2_iterations", hash.iterations.get().into(), most.into())?;
        Ok(hash)
    }

    fn parse(text: &str) -> Option<Self> {
        let is_django = !text.starts_with('$');
        let mut parts = text.trim_start_matches('$').split('$');
        let (digest, costs, salt, output) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (algorithm, length) = match digest {
            "pbkdf2" | "pbkdf2-sha1" | "pbkdf2_sha1" => (pbkdf2::PBKDF2_HMAC_SHA1, 20),
            "pbkdf2-sha256" | "pbkdf2_sha256" => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
            "pbkdf2-sha512" | "pbkdf2_sha512" => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
            _ => return None,
        };
        let salt = if is_django { salt.as_bytes().to_vec() } else { decode(salt)? };
        let Costs { iterations, lengths } = Costs::parse(costs)?;
        let mut output = decode(output).filter(|output| lengths.contains(&output.len()))?;
        output.truncate(length);
        Some(Self { algorithm, iterations, salt, output })
    }

    pub(super) fn matches(&self, password: &str) -> bool {
        let mut computed = Zeroizing::new(vec![0; self.output.len()]);
        pbkdf2::derive(self.algorithm, self.iterations, &self.salt, password.as_bytes(), &mut computed);
        computed.ct_eq(&self.output).into()
    }
}

/// passlib writes `.` where everyone else writes `+`.
fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.replace('.', "+")).ok()
}

/// What stands between the digest and the salt.
struct Costs {
    iterations: NonZeroU32,
    /// How long the output may be.
    lengths: RangeInclusive<usize>,
}

impl Costs {
    /// Reads `29000`, or `i=29000,l=32`, where `l` is the length of the output.
    fn parse(text: &str) -> Option<Self> {
        let mut lengths = MIN_OUTPUT_BYTES..=MAX_OUTPUT_BYTES;
        if !text.contains('=') {
            return Some(Self { iterations: text.parse().ok()?, lengths });
        }
        let mut iterations = None;
        for pair in text.split(',') {
            match pair.split_once('=')? {
                ("i", number) => iterations = Some(number.parse().ok()?),
                ("l", number) => {
                    let length = number.parse().ok().filter(|length| lengths.contains(length))?;
                    lengths = length..=length;
                }
                _ => return None,
            }
        }
        Some(Self { iterations: iterations?, lengths })
    }
}
