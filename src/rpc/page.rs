//! Pages of lists (AIP-158): sizes are clamped, tokens are authenticated and good for one list of one caller.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use uuid::Uuid;

use crate::error::Error;
use crate::token::master::{MAC_LEN, Master, Purpose};

/// The size of a page whose size is not given.
const DEFAULT_SIZE: u32 = 50;

/// The largest page.
const MAX_SIZE: u32 = 100;

/// One list of one caller: what a page token is good for.
pub(super) struct List<'a> {
    master: &'a Master,
    /// Method, caller, filter and order.
    identity: Vec<Vec<u8>>,
}

impl<'a> List<'a> {
    /// The list of a method for a caller.
    pub(super) fn new(master: &'a Master, method: &str, caller: Uuid) -> Self {
        Self { master, identity: vec![method.as_bytes().to_vec(), caller.as_bytes().to_vec()] }
    }

    /// The same list, narrowed or ordered by this.
    pub(super) fn by(mut self, filter: impl Into<Vec<u8>>) -> Self {
        self.identity.push(filter.into());
        self
    }

    /// Where the page of this token begins, as the cursor of the item before; nowhere for an empty one.
    pub(super) fn cursor(&self, token: &str) -> Result<Option<Vec<u8>>, Error> {
        if token.is_empty() {
            return Ok(None);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Error::PageTokenInvalid)?;
        let (cursor, mac) = bytes.split_last_chunk::<MAC_LEN>().ok_or(Error::PageTokenInvalid)?;
        let good = self.master.verify(Purpose::PageToken, &self.parts(cursor), mac);
        Ok(Some(Some(cursor.to_vec()).filter(|_| good).ok_or(Error::PageTokenInvalid)?))
    }

    /// The same, where items follow their identifiers.
    pub(super) fn after<Id: From<Uuid>>(&self, token: &str) -> Result<Option<Id>, Error> {
        let id = |cursor: Vec<u8>| Uuid::from_slice(&cursor).map_err(|_| Error::PageTokenInvalid);
        Ok(self.cursor(token)?.map(id).transpose()?.map(Into::into))
    }

    /// A page of `size` items out of the `size + 1` that were looked for, and the token of the next one; empty when there
    /// is none.
    pub(super) fn page<T>(&self, found: Vec<T>, size: u32, id: impl Fn(&T) -> Uuid) -> (Vec<T>, String) {
        self.page_by(found, size, |item| id(item).as_bytes().to_vec())
    }

    /// The same, where items follow other cursors.
    pub(super) fn page_by<T>(&self, mut found: Vec<T>, size: u32, cursor: impl Fn(&T) -> Vec<u8>) -> (Vec<T>, String) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = found.len() > size;
        found.truncate(size);
        let last = found.last().filter(|_| more).map(cursor);
        let token = last.map(|last| {
            let mac = self.master.mac(Purpose::PageToken, &self.parts(&last));
            URL_SAFE_NO_PAD.encode([last.as_slice(), &mac].concat())
        });
        (found, token.unwrap_or_default())
    }

    fn parts<'b>(&'b self, cursor: &'b [u8]) -> Vec<&'b [u8]> {
        self.identity.iter().map(Vec::as_slice).chain([cursor]).collect()
    }
}

/// How many items to give for a `page_size`. The protos refuse negative ones.
pub(super) fn size(page_size: i32) -> u32 {
    match u32::try_from(page_size) {
        Ok(0) | Err(_) => DEFAULT_SIZE,
        Ok(size) => size.min(MAX_SIZE),
    }
}
