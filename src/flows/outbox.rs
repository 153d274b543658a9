//! The outbox: mail is written with what causes it, sealed, and delivered later.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::mail::{Content, Mail};
use crate::model::device::DeviceName;
use crate::model::email::Email;
use crate::model::id::MailId;
use crate::model::locale::Locale;
use crate::model::origin::Origin;
use crate::model::user::User;
use crate::store::pg::Connection;
use crate::store::pg::mail_outbox::{self, OutboxMail};
use crate::token::master::SealedColumn;

/// A mail as it is sealed.
#[derive(Serialize, Deserialize)]
struct Letter {
    to: String,
    locale: Option<String>,
    display_name: Option<String>,
    content: Content,
}

/// A mail to a user.
#[must_use]
pub fn to_user(user: &User, content: Content) -> Mail {
    Mail {
        to: user.email.clone(),
        locale: user.locale.as_ref().map(ToString::to_string),
        display_name: Some(user.display_name.as_str().to_owned()),
        content,
    }
}

/// A mail to an address that is not a user's yet, or that nobody has asked.
#[must_use]
pub fn to_address(email: &Email, locale: Option<&Locale>, content: Content) -> Mail {
    Mail { to: email.clone(), locale: locale.map(ToString::to_string), display_name: None, content }
}

/// A mail that no address is to get: what [`enqueue_for_nobody`] takes where there is no account.
///
/// # Errors
/// A failure of ours.
pub fn to_nobody(content: Content) -> Result<Mail, Error> {
    let nobody = Email::parse("nobody@example.invalid").map_err(Error::internal)?;
    Ok(to_address(&nobody, None, content))
}

/// That the password was changed, from where and with what.
#[must_use]
pub fn password_changed(origin: &Origin, now: DateTime<Utc>) -> Content {
    let device_name = DeviceName::or_from_user_agent("", Some(&origin.user_agent));
    Content::PasswordChanged {
        at: now,
        ip_address: origin.ip_address,
        device_name: Some(device_name.as_str().to_owned()),
    }
}

/// Seals a mail for the outbox.
///
/// # Errors
/// When a primitive fails.
pub fn seal(app: &App, mail: Mail, now: DateTime<Utc>) -> Result<OutboxMail, Error> {
    let mail_id = MailId::new(now);
    let kind = mail.content.kind();
    let expires_at = mail.content.valid_for().map(|span| clock::add(now, span));
    let letter = Letter {
        to: mail.to.as_str().to_owned(),
        locale: mail.locale,
        display_name: mail.display_name,
        content: mail.content,
    };
    let letter = Zeroizing::new(serde_json::to_vec(&letter).map_err(Error::internal)?);
    let payload = app.master.seal(SealedColumn::Mail, mail_id.uuid().as_bytes(), &letter)?;
    Ok(OutboxMail { mail_id, kind: kind.to_owned(), payload, expires_at })
}

/// Opens a mail of the outbox.
///
/// # Errors
/// When it was sealed under a master key that is not given any more.
pub fn open(app: &App, mail: &OutboxMail) -> Result<Mail, Error> {
    let letter = Zeroizing::new(app.master.open(SealedColumn::Mail, mail.mail_id.uuid().as_bytes(), &mail.payload)?);
    let letter: Letter = serde_json::from_slice(&letter).map_err(Error::internal)?;
    Ok(Mail {
        to: Email::parse(&letter.to).map_err(Error::internal)?,
        locale: letter.locale,
        display_name: letter.display_name,
        content: letter.content,
    })
}

/// Puts a mail into the outbox; tell `app.outbox_filled` once the transaction is committed.
///
/// # Errors
/// When the database fails.
pub async fn enqueue(app: &App, conn: &mut Connection, mail: Mail, now: DateTime<Utc>) -> Result<(), Error> {
    mail_outbox::insert(conn, seal(app, mail, now)?, false, now).await?;
    Ok(())
}

/// Does what [`enqueue`] does, for a mail that nobody is to get.
///
/// # Errors
/// When the database fails.
pub async fn enqueue_for_nobody(app: &App, conn: &mut Connection, mail: Mail, now: DateTime<Utc>) -> Result<(), Error> {
    mail_outbox::insert(conn, seal(app, mail, now)?, true, now).await?;
    Ok(())
}
