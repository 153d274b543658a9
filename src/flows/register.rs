//! Register and ResendVerificationCode: staging an account until its address is proved.

use chrono::{DateTime, Utc};

use super::audit::{self, Event};
use super::codes::CodeRequest;
use super::{codes, outbox, passwords};
use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::mail::Content;
use crate::model::audit::{Actor, EventKind, Subject};
use crate::model::code::Code;
use crate::model::display_name::DisplayName;
use crate::model::email::Email;
use crate::model::id::RegistrationId;
use crate::model::locale::Locale;
use crate::model::origin::DeviceOrigin;
use crate::model::password::Password;
use crate::store::pg::registrations::{self, Registration, StoredCode};
use crate::store::pg::{Connection, users};

/// Who wants an account.
#[derive(Debug)]
pub struct Register {
    /// The address to prove.
    pub email: Email,
    /// The password that the account will have.
    pub password: Password,
    /// The name that it will have.
    pub display_name: DisplayName,
}

/// A registration whose code has been mailed, or so it looks.
#[derive(Debug)]
pub struct CodeSent {
    /// The registration.
    pub registration_id: RegistrationId,
    /// When the code is no longer good.
    pub code_expires_at: DateTime<Utc>,
    /// When another one may be asked for.
    pub resend_available_at: DateTime<Utc>,
}

/// Stages a registration and mails its code. An address that has an account gets another mail, and the caller the same
/// answer after the same work.
///
/// # Errors
/// A refused password, too many codes to the address, or a failure of ours.
pub async fn register(app: &App, from: &DeviceOrigin, request: Register) -> Result<CodeSent, Error> {
    let Register { email, password, display_name } = request;
    let password_hash = passwords::hash_new(app, "password", password, &email, &display_name).await?;

    let now = app.clock.now();
    let registration_id = RegistrationId::new(now);
    let (code, stored) = new_code(app, registration_id, now)?;
    let sent = code_sent(registration_id, &stored);
    let expires_at = clock::add(now, app.config.codes.registration_ttl);
    let locale = from.origin.locale.clone();
    let registration = Registration { registration_id, email, display_name, password_hash, locale };

    let mut tx = app.pool.begin().await?;
    let outcome = async {
        let quota = CodeRequest { email: &registration.email, from, operation: "register" };
        codes::take_quota(app, &mut tx, quota, now).await?;
        registrations::insert(&mut tx, &registration, &stored, now, expires_at).await?;
        let event = Event::new(EventKind::RegistrationCreated, Subject::Registration(registration_id));
        audit::record_limited(app, &mut tx, &from.act(Actor::Anonymous), [event], now).await?;
        tell(app, &mut tx, &registration.email, registration.locale.as_ref(), code, now).await
    }
    .await;
    tx.end(outcome).await?;
    app.outbox_filled.notify_one();
    Ok(sent)
}

/// Replaces the code of a registration and mails the new one, which has all its attempts.
///
/// # Errors
/// No such registration, one that is over, too soon, too many codes to the address, or a failure of ours.
pub async fn resend_code(app: &App, from: &DeviceOrigin, registration_id: RegistrationId) -> Result<CodeSent, Error> {
    let now = app.clock.now();
    let mut tx = app.pool.begin().await?;
    let outcome = async {
        let Some(registration) = registrations::lock_for_resend(&mut tx, registration_id, now).await? else {
            return Err(why_not_resent(&mut tx, registration_id, now).await?);
        };
        let quota = CodeRequest { email: &registration.email, from, operation: "resend_code" };
        codes::take_quota(app, &mut tx, quota, now).await?;
        let (code, stored) = new_code(app, registration_id, now)?;
        // A code does not outlive its registration.
        let stored = StoredCode { expires_at: stored.expires_at.min(registration.expires_at), ..stored };
        registrations::update_code(&mut tx, registration_id, &stored).await?;
        let event = Event::new(EventKind::VerificationCodeResent, Subject::Registration(registration_id));
        audit::record_limited(app, &mut tx, &from.act(Actor::Anonymous), [event], now).await?;
        tell(app, &mut tx, &registration.email, registration.locale.as_ref(), code, now).await?;
        Ok(code_sent(registration_id, &stored))
    }
    .await;
    let sent = tx.end(outcome).await?;
    app.outbox_filled.notify_one();
    Ok(sent)
}

fn new_code(app: &App, registration_id: RegistrationId, now: DateTime<Utc>) -> Result<(Code, StoredCode), Error> {
    let (code, hash) = codes::generate(app, registration_id.uuid())?;
    let expires_at = clock::add(now, app.config.codes.ttl);
    let resend_available_at = clock::add(now, app.config.codes.resend_after);
    Ok((code, StoredCode { hash, expires_at, resend_available_at }))
}

fn code_sent(registration_id: RegistrationId, code: &StoredCode) -> CodeSent {
    CodeSent { registration_id, code_expires_at: code.expires_at, resend_available_at: code.resend_available_at }
}

/// Mails the code, or, to the holder of an existing account, that somebody tried to register with its address.
async fn tell(
    app: &App,
    conn: &mut Connection,
    email: &Email,
    locale: Option<&Locale>,
    code: Code,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let exists = users::find_by_email(conn, email).await?.is_some();
    let content = if exists {
        Content::AccountExists
    } else {
        Content::VerificationCode { code, expires_in: app.config.codes.ttl }
    };
    outbox::enqueue(app, conn, outbox::to_address(email, locale, content), now).await
}

async fn why_not_resent(
    conn: &mut Connection,
    registration_id: RegistrationId,
    now: DateTime<Utc>,
) -> Result<Error, Error> {
    let standing = registrations::find_standing(conn, registration_id).await?;
    Ok(match standing {
        None => Error::RegistrationNotFound,
        Some(standing) if standing.consumed || now >= standing.expires_at => Error::CodeExpired,
        Some(standing) => {
            let retry_after = clock::until(standing.resend_available_at, now);
            Error::Throttled { operation: "resend_code", scope: "registration", retry_after }
        }
    })
}
