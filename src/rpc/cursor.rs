//! Cursors of streams: where to go on after a break. Authenticated, and good for one stream, whoever calls it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;
use crate::token::master::{MAC_LEN, Master, Purpose};

/// The cursor of a method's stream for a place in it, which is as many numbers as the method needs.
pub(super) fn write<const N: usize>(master: &Master, method: &str, place: [i64; N]) -> String {
    let place = place.map(i64::to_be_bytes).concat();
    let mac = master.mac(Purpose::PageToken, &[method.as_bytes(), &place]);
    URL_SAFE_NO_PAD.encode([place.as_slice(), &mac].concat())
}

/// The place of a cursor; none for an empty one.
pub(super) fn read<const N: usize>(master: &Master, method: &str, cursor: &str) -> Result<Option<[i64; N]>, Error> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Error::CursorInvalid)?;
    let (place, mac) = bytes.split_last_chunk::<MAC_LEN>().ok_or(Error::CursorInvalid)?;
    let (numbers, rest) = place.as_chunks::<8>();
    let numbers = <&[[u8; 8]; N]>::try_from(numbers).map_err(|_| Error::CursorInvalid)?;
    let good = rest.is_empty() && master.verify(Purpose::PageToken, &[method.as_bytes(), place], mac);
    Ok(Some(good.then(|| numbers.map(i64::from_be_bytes)).ok_or(Error::CursorInvalid)?))
}
