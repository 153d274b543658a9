//! Pages of lists (AIP-158): sizes are clamped, tokens are authenticated and good for one list of one caller.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Error;
use crate::token::master::{MAC_LEN, Master, Purpose};

/// The size of a page whose size is not given.
const DEFAULT_SIZE: u32 = 50;

/// The largest page.
const MAX_SIZE: u32 = 100;

/// How many items to give for a `page_size`. The protos refuse negative ones.
pub(super) fn size(page_size: i32) -> u32 {
    match u32::try_from(page_size) {
        Ok(0) | Err(_) => DEFAULT_SIZE,
        Ok(size) => size.min(MAX_SIZE),
    }
}

/// The token of the page after the one that ended at `cursor`. `list` is what it continues: method, caller and filter.
pub(super) fn token(master: &Master, list: &[&[u8]], cursor: &[u8]) -> String {
    let mac = master.mac(Purpose::PageToken, &parts(list, cursor));
    URL_SAFE_NO_PAD.encode([cursor, &mac].concat())
}

/// Where the page of this token begins; nowhere for an empty one.
pub(super) fn cursor(master: &Master, list: &[&[u8]], token: &str) -> Result<Option<Vec<u8>>, Error> {
    if token.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Error::PageTokenInvalid)?;
    let (cursor, mac) = bytes.split_last_chunk::<MAC_LEN>().ok_or(Error::PageTokenInvalid)?;
    let good = master.verify(Purpose::PageToken, &parts(list, cursor), mac);
    good.then(|| Some(cursor.to_vec())).ok_or(Error::PageTokenInvalid)
}

fn parts<'a>(list: &[&'a [u8]], cursor: &'a [u8]) -> Vec<&'a [u8]> {
    list.iter().copied().chain([cursor]).collect()
}
