//! scrypt (RFC 7914) as `$scrypt$ln=16,r=8,p=1$salt$output`, which is the PHC form and passlib's alike, and as the `$7$` of
//! crypt(3).

mod crypt;

use base64::Engine;
use scrypt::Params;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::pbkdf2::BASE64;
use super::stored::HashUnusable;
use crate::config::Ceilings;

/// A shorter output could be met by chance.
const OUTPUT_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// An scrypt hash.
pub(super) struct Scrypt {
    log_n: u8,
    r: u32,
    p: u32,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Scrypt {
    pub(super) fn read(text: &str, ceilings: &Ceilings) -> Result<Self, HashUnusable> {
        let malformed = || HashUnusable::Malformed { family: "scrypt" };
        let hash = match text.strip_prefix("$7$") {
            Some(rest) => crypt::parse(rest),
            None => Self::parse(text),
        };
        let hash = hash.filter(|hash| (1..64).contains(&hash.log_n) && hash.r > 0 && hash.p > 0);
        let hash = hash.filter(|hash| OUTPUT_BYTES.contains(&hash.output.len())).ok_or_else(malformed)?;
        HashUnusable::unless_below("scrypt_memory_kib", hash.kib(), ceilings.scrypt_memory_kib.get().into())?;
        hash.params().ok_or_else(malformed)?;
        Ok(hash)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("$scrypt$")?.split('$');
        let (costs, salt, output) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (log_n, r, p) = costs_of(costs)?;
        Some(Self { log_n, r, p, salt: BASE64.decode(salt).ok()?, output: BASE64.decode(output).ok()? })
    }

    /// 128 * N * r bytes at a time, p times.
    fn kib(&self) -> u64 {
        let n = 1_u64.checked_shl(self.log_n.into());
        let work = n.and_then(|n| n.checked_mul(self.r.into())?.checked_mul(self.p.into()));
        work.map_or(u64::MAX, |work| work.div_ceil(8))
    }

    fn params(&self) -> Option<Params> {
        Params::new(self.log_n, self.r, self.p).ok()
    }

    pub(super) fn matches(&self, password: &str) -> bool {
        let Some(params) = self.params() else { return false };
        let mut computed = Zeroizing::new(vec![0; self.output.len()]);
        let done = scrypt::scrypt(password.as_bytes(), &self.salt, &params, &mut computed);
        done.is_ok() && computed.ct_eq(&self.output).into()
    }
}

/// `ln=16,r=8,p=1`, in any order: the logarithm of N, r and p.
fn costs_of(text: &str) -> Option<(u8, u32, u32)> {
    let (mut log_n, mut r, mut p) = (None, None, None);
    for pair in text.split(',') {
        let (name, number) = pair.split_once('=')?;
        match name {
            "ln" => log_n = Some(number.parse().ok()?),
            "r" => r = Some(number.parse().ok()?),
            "p" => p = Some(number.parse().ok()?),
            _ => return None,
        }
    }
    Some((log_n?, r?, p?))
}
