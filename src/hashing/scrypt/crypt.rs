//! scrypt as crypt(3) writes it: `$7$`, a character for the logarithm of N, five each for r and p, the salt as it is, and
//! after a last `$` the output, in an alphabet and an order of its own.

use super::Scrypt;

const ALPHABET: &[u8] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The output has 32 bytes, always.
const OUTPUT_CHARS: usize = 43;

/// What stands after `$7$`.
pub(super) fn parse(text: &str) -> Option<Scrypt> {
    let (setting, output) = text.rsplit_once('$')?;
    let (log_n, rest) = setting.split_at_checked(1)?;
    let (r, rest) = rest.split_at_checked(5)?;
    let (p, salt) = rest.split_at_checked(5)?;
    let output = bytes(output).filter(|_| output.len() == OUTPUT_CHARS)?;
    Some(Scrypt {
        log_n: number(log_n)?.try_into().ok()?,
        r: number(r)?,
        p: number(p)?,
        salt: salt.as_bytes().to_vec(),
        output,
    })
}

/// A number, its lowest six bits first.
fn number(text: &str) -> Option<u32> {
    text.bytes().rev().try_fold(0, |number, char| Some(number << 6 | digit(char)?))
}

/// Bytes, three by three as such numbers.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let number = group.iter().rev().try_fold(0, |number: u32, char| Some(number << 6 | digit(*char)?))?;
        bytes.extend(number.to_le_bytes().iter().take(group.len() * 6 / 8));
    }
    Some(bytes)
}

fn digit(char: u8) -> Option<u32> {
    ALPHABET.iter().position(|known| *known == char)?.try_into().ok()
}
