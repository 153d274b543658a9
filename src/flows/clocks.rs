//! Whether this machine's clock is right enough to delete by, or to rotate keys by.

use crate::error::Error;
use crate::store::pg::{Connection, server_clock};

/// Fails when this machine's clock and the database's differ by more than a minute.
///
/// # Errors
/// An internal error that says by how much, or a failure of the database.
pub async fn ensure_agreed(conn: &mut Connection) -> Result<(), Error> {
    server_clock::read(conn).await?.check().map_err(Error::internal)
}
