//! scrypt (RFC 7914) as `$scrypt$ln=16,r=8,p=1$salt$output`, which is the PHC form and passlib's alike.

use base64::Engine;
use scrypt::Params;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::pbkdf2::BASE64;
use super::stored::HashUnusable;
use crate::config::Ceilings;
use crate::model::password::Password;

/// A shorter output could be met by chance.
const OUTPUT_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// An scrypt hash.
pub(super) struct Scrypt {
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Scrypt {
    pub(super) fn read(text: &str, ceilings: &Ceilings) -> Result<Self, HashUnusable> {
        let malformed = || HashUnusable::Malformed { family: "scrypt" };
        let mut parts = text.strip_prefix("$scrypt$").unwrap_or_default().split('$');
        let (Some(costs), Some(salt), Some(output), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        let (log_n, r, p) = costs_of(costs).ok_or_else(malformed)?;
        // 128 * N * r bytes at a time, p times.
        let work = 1_u64.checked_shl(log_n.into()).and_then(|n| n.checked_mul(r.into())?.checked_mul(p.into()));
        let kib = work.map_or(u64::MAX, |work| work.div_ceil(8));
        HashUnusable::unless_below("scrypt_memory_kib", kib, ceilings.scrypt_memory_kib.get().into())?;
        let salt = BASE64.decode(salt).map_err(|_| malformed())?;
        let output = BASE64.decode(output).ok().filter(|bytes| OUTPUT_BYTES.contains(&bytes.len()));
        let params = Params::new(log_n, r, p).map_err(|_| malformed())?;
        Ok(Self { params, salt, output: output.ok_or_else(malformed)? })
    }

    pub(super) fn matches(&self, password: &Password) -> bool {
        let mut computed = Zeroizing::new(vec![0; self.output.len()]);
        let done = scrypt::scrypt(password.expose().as_bytes(), &self.salt, &self.params, &mut computed);
        done.is_ok() && computed.ct_eq(&self.output).into()
    }
}

/// `ln=16,r=8,p=1`, in any order: the logarithm of N, r and p.
fn costs_of(text: &str) -> Option<(u8, u32, u32)> {
    let (mut log_n, mut r, mut p) = (None, None, None);
    for pair in text.split(',') {
        let (name, number) = pair.split_once('=')?;
        match name {
            "ln" => log_n = Some(number.parse().ok().filter(|log_n| (1..64).contains(log_n))?),
            "r" => r = Some(number.parse().ok().filter(|r| *r > 0)?),
            "p" => p = Some(number.parse().ok().filter(|p| *p > 0)?),
            _ => return None,
        }
    }
    Some((log_n?, r?, p?))
}
