//! Cursors of streams: where to go on after a break. Authenticated, and good for one stream, whoever calls it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;
use crate::token::master::{MAC_LEN, Master, Purpose};

/// The cursor of a method's stream for a place in it.
pub(super) fn write(master: &Master, method: &str, place: i64) -> String {
    let place = place.to_be_bytes();
    let mac = master.mac(Purpose::PageToken, &[method.as_bytes(), &place]);
    URL_SAFE_NO_PAD.encode([place.as_slice(), &mac].concat())
}

/// The place of a cursor; none for an empty one.
pub(super) fn read(master: &Master, method: &str, cursor: &str) -> Result<Option<i64>, Error> {
    if cursor.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Error::CursorInvalid)?;
    let (place, mac) = bytes.split_first_chunk::<8>().ok_or(Error::CursorInvalid)?;
    let good = mac.len() == MAC_LEN && master.verify(Purpose::PageToken, &[method.as_bytes(), place], mac);
    Ok(Some(good.then(|| i64::from_be_bytes(*place)).ok_or(Error::CursorInvalid)?))
}
