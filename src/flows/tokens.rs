//! The tokens that a login or a refresh gives out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::model::session::Session;
use crate::model::user::TokenBasis;
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

/// Makes the tokens of a session at one of its generations. Call it without a connection in hand: it may have to wait.
pub(super) async fn issue(
    app: &App,
    session: &Session,
    generation: i64,
    (roles, basis): (Vec<String>, TokenBasis),
    now: DateTime<Utc>,
) -> Result<Tokens, Error> {
    let now = not_before(basis.issued_from, now).await;
    let grant = Grant {
        user_id: session.user_id,
        session_id: session.session_id,
        device_id: session.device_id.clone(),
        roles,
        revision: basis.revision,
    };
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

/// When tokens with these roles are issued: now, or, in the second in which the roles have changed, with the next one. We
/// ourselves tell them from those of before by their revision; others who follow the revocations have no more than `iat`, in
/// whole seconds. Nobody is given a token from the future, so the client waits for the rest of the second.
async fn not_before(issued_from: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
    let Some(issued_from) = issued_from.filter(|issued_from| *issued_from > now) else { return now };
    // Longer only where the clock of the replica that has changed the roles is ahead. A token from so far in the future would be
    // refused here.
    let rest = clock::until(issued_from, now).min(Duration::from_secs(1));
    tokio::time::sleep(rest).await;
    issued_from.min(clock::add(now, rest + access::LEEWAY))
}
