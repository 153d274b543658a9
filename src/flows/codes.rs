//! Codes by mail, for registrations and password resets alike.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::outbox;
use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::mail::Content;
use crate::model::code::{Code, CodeHash};
use crate::model::device::DeviceId;
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::operation::counted_network;
use crate::model::origin::DeviceOrigin;
use crate::policy::codes::{CodeRule, is_noticed};
use crate::store::pg::code_quotas::{self, NewCode};
use crate::store::pg::{Connection, users};
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

/// A code that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct CodeRequest<'a> {
    /// The address that it is to be mailed to.
    pub(super) email: &'a Email,
    /// Who asks.
    pub(super) from: &'a DeviceOrigin,
    /// The operation, by the name of its throttle.
    pub(super) operation: &'static str,
}

/// Takes one of the codes that an address may be mailed, whether or not it has an account.
pub(super) async fn take_quota(
    app: &App,
    conn: &mut Connection,
    CodeRequest { email, from, operation }: CodeRequest<'_>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let network = counted_network(from.origin.ip_address);
    let device_id = from.device_id.as_str();
    let hash = |what: &str, id: &str| app.master.mac(Purpose::Address, &[what.as_bytes(), id.as_bytes()]).to_vec();
    let code = NewCode {
        email,
        address_hash: address_hash(app, email),
        device: (device_id.to_owned(), hash("device", device_id)),
        network: (network, hash("network", &network.to_string())),
        at: now,
    };
    let rule = rule(app);
    if code_quotas::take(conn, &code, &rule).await? {
        return Ok(());
    }
    let found = code_quotas::find(conn, &code).await?;
    let allowed_at = found.map_or(now, |(history, asker)| rule.allowed_at(&history, &asker, now));
    Err(Error::Throttled { operation, scope: "email", retry_after: clock::until(allowed_at, now) })
}

/// Counts a wrong reset code of an address, alike where the address has no account, and tells the owner once.
pub(super) async fn count_wrong(
    app: &App,
    conn: &mut Connection,
    address_hash: &[u8],
    owner: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if !is_noticed(code_quotas::count_wrong(conn, address_hash, now).await?) {
        return Ok(());
    }
    // Where there is no account, the same look-up finds no user.
    let owner = users::find(conn, owner.unwrap_or_else(|| UserId::new(now))).await?;
    match owner {
        Some(owner) => outbox::enqueue(app, conn, outbox::to_user(&owner.user, Content::ResetCodesGuessed), now).await,
        None => outbox::enqueue_for_nobody(app, conn, outbox::to_nobody(Content::ResetCodesGuessed)?, now).await,
    }
}

/// What the codes of an address, and the wrong ones, are counted by: a keyed hash of the address without its tag.
pub(super) fn address_hash(app: &App, email: &Email) -> Vec<u8> {
    app.master.mac(Purpose::Address, &[email.without_tag().as_bytes()]).to_vec()
}

fn rule(app: &App) -> CodeRule {
    let settings = &app.config.codes;
    CodeRule {
        per_network: settings.per_network.get().into(),
        per_address: settings.per_address.get().into(),
        reserve: settings.reserve.into(),
        per_known_device: settings.per_known_device.get().into(),
        window: settings.per_address_window,
    }
}
