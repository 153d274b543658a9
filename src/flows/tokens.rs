//! The tokens that a login or a refresh gives out.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::app::App;
use crate::error::Error;
use crate::model::session::Session;
use crate::token::access::{self, Grant, Span};
use crate::token::refresh::RefreshToken;

/// A pair of tokens, shown to the client once.
#[derive(Debug)]
pub struct Tokens {
    /// The access token.
    pub access_token: SecretString,
    /// When it was made, in whole seconds like all times in it.
    pub access_token_issued_at: DateTime<Utc>,
    /// When it ends.
    pub access_token_expires_at: DateTime<Utc>,
    /// The refresh token.
    pub refresh_token: SecretString,
    /// When it ends unless it is used before.
    pub refresh_token_expires_at: DateTime<Utc>,
}

/// Makes the tokens of a session at one of its generations.
pub(super) fn issue(
    app: &App,
    session: &Session,
    generation: i64,
    roles: Vec<String>,
    now: DateTime<Utc>,
) -> Result<Tokens, Error> {
    let grant =
        Grant { user_id: session.user_id, session_id: session.session_id, device_id: session.device_id.clone(), roles };
    let span = Span { now, session_expires_at: session.expires_at };
    let access = access::issue(&app.keys.current(), &app.config.tokens, &grant, span)?;
    let refresh_token = RefreshToken { session_id: session.session_id, generation }.issue(&app.master);
    Ok(Tokens {
        access_token: access.token,
        access_token_issued_at: access.issued_at,
        access_token_expires_at: access.expires_at,
        refresh_token,
        refresh_token_expires_at: session.expires_at,
    })
}
