//! Codes by mail, for registrations and password resets alike.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::model::code::{Code, CodeHash};
use crate::model::device::DeviceId;
use crate::model::email::Email;
use crate::store::pg::{Connection, code_quotas};
use crate::token::master::Purpose;

/// A new code for the registration or reset `subject`, and the hash to keep of it.
pub(super) fn generate(app: &App, subject: Uuid) -> Result<(Code, CodeHash), Error> {
    let code = Code::generate().map_err(Error::internal)?;
    let hash = app.master.mac(Purpose::Code, &[subject.as_bytes(), code.as_str().as_bytes()]);
    Ok((code, hash.into()))
}

/// Whether `code` is the one that `hash` was made of; takes the same time either way.
pub(super) fn matches(app: &App, subject: Uuid, code: &Code, hash: &CodeHash) -> bool {
    app.master.verify(Purpose::Code, &[subject.as_bytes(), code.as_str().as_bytes()], hash.as_bytes())
}

/// The hash by which a right attempt is known when its device sends it again.
pub(super) fn replay_hash(app: &App, subject: Uuid, code: &Code, device_id: &DeviceId) -> CodeHash {
    app.master.mac(Purpose::Code, &[subject.as_bytes(), code.as_str().as_bytes(), device_id.as_str().as_bytes()]).into()
}

/// Whether an attempt is the one that was right before, sent again; takes the same time either way.
pub(super) fn is_replay(app: &App, subject: Uuid, (code, device_id): (&Code, &DeviceId), hash: &CodeHash) -> bool {
    let parts = [subject.as_bytes(), code.as_str().as_bytes(), device_id.as_str().as_bytes()];
    app.master.verify(Purpose::Code, &parts, hash.as_bytes())
}

/// Why a code that was presented was refused, for the audit trail; none for one of nothing that there is.
pub(super) const fn refusal(error: &Error) -> Option<&'static str> {
    match error {
        Error::CodeInvalid => Some("CODE_INVALID"),
        Error::CodeExpired => Some("CODE_EXPIRED"),
        Error::CodeAttemptsExhausted => Some("CODE_ATTEMPTS_EXHAUSTED"),
        _ => None,
    }
}

/// Takes one of the codes that an address may be mailed in an hour, whether or not it has an account.
pub(super) async fn take_quota(
    app: &App,
    conn: &mut Connection,
    email: &Email,
    operation: &'static str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let settings = &app.config.codes;
    let window_start = clock::subtract(now, settings.per_address_window);
    let window = (window_start, clock::add(now, settings.per_address_window));
    let address = app.master.mac(Purpose::Address, &[email.as_str().as_bytes()]);
    if code_quotas::take(conn, &address, now, window, settings.per_address.get().into()).await? {
        return Ok(());
    }
    let oldest = code_quotas::find_oldest(conn, &address, window_start).await?.unwrap_or(now);
    let retry_after = clock::until(clock::add(oldest, settings.per_address_window), now);
    Err(Error::Throttled { operation, scope: "email", retry_after })
}
