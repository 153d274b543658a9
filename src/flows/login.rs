//! Login: a password becomes a session, within the device limit.
//!
//! Two round trips to the database with the password's hash in between: one counts the attempt and reads, one writes what was
//! decided, unless the user's row has changed meanwhile.

use chrono::{DateTime, Utc};

use super::attempts::{self, Place, Refused, Reserved, Trial};
use super::audit::{Event, MergeKey};
use super::limits::{self, Attempted};
use super::{Tokens, codes, outbox, revocations, tokens};
use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::hashing::Verdict;
use crate::mail::Content;
use crate::model::audit::{Actor, EventKind, Subject};
use crate::model::device::DeviceName;
use crate::model::email::Email;
use crate::model::id::SessionId;
use crate::model::operation::AddressLockout;
use crate::model::origin::DeviceOrigin;
use crate::model::password::{Password, PasswordHash};
use crate::model::session::Session;
use crate::model::user::{User, UserState};
use crate::store::pg::Connection;
use crate::store::pg::login_attempts::Attempt;
use crate::store::pg::sessions::{self, LoginOutcome, NewLogin};
use crate::store::pg::users::{self, Credentials};
use crate::token::access;

/// Who wants to log in.
#[derive(Debug)]
pub struct Login {
    /// The address.
    pub email: Email,
    /// The password, as presented.
    pub password: Password,
    /// What the device calls itself; empty when it does not say.
    pub device_name: String,
    /// The lockout of its address, which a device that the account knows is spared.
    pub address_lockout: Option<AddressLockout>,
}

/// A login that succeeded.
#[derive(Debug)]
pub struct LoggedIn {
    /// The user.
    pub user: User,
    /// The new session.
    pub session: Session,
    /// Its tokens.
    pub tokens: Tokens,
    /// Sessions that ended to make room for it.
    pub evicted_sessions: Vec<Session>,
}

/// How often a password is looked at again because it was changed while it was being looked at.
const ATTEMPTS: u8 = 3;

/// Logs a user in. An unknown address costs the same work as a wrong password and gets the same answer.
///
/// # Errors
/// Wrong credentials, a locked account or address, a suspended user (only with the right password), a full hashing queue, or a
/// failure of ours.
pub async fn login(app: &App, from: &DeviceOrigin, request: Login) -> Attempted<LoggedIn> {
    let by = from.act(Actor::Anonymous);
    let address_lockout = request.address_lockout;
    let place = Place::Origin { origin: &from.origin, address_lockout };
    let trial = Trial { email: &request.email, device_id: &from.device_id, place, by: &by };
    let (outcome, tried, lockout) = match attempts::reserve(app, trial).await {
        Ok((found, reserved)) => {
            let owner = found.as_ref().map(|credentials| credentials.user.clone());
            let outcome = try_password(app, from, &request, found, reserved.as_ref()).await;
            attempts::conclude(app, reserved, &outcome, owner.as_ref()).await;
            (outcome, owner.map(|owner| owner.user_id), None)
        }
        Err(Refused { error, tried, lockout }) => (Err(error), tried, lockout),
    };
    if let Err(error) = &outcome {
        let event = Event::new(EventKind::LoginFailed, tried.map_or(Subject::Nothing, Subject::User));
        attempts::note_failure(app, &by, event, error, lockout.map(MergeKey::LoginLockedOut)).await;
    }
    Attempted { tag: limits::tag(app, &request.email, &from.device_id), outcome }
}

/// Looks at the password, and writes the login if it is right.
async fn try_password(
    app: &App,
    from: &DeviceOrigin,
    request: &Login,
    mut found: Option<Credentials>,
    reserved: Option<&Reserved>,
) -> Result<LoggedIn, Error> {
    for _ in 0..ATTEMPTS {
        // No connection is held while hashing.
        let hash = found.as_ref().and_then(|credentials| credentials.password_hash.clone());
        let verdict = app.hasher.verify(request.password.clone(), hash.as_ref()).await?;
        let (Some(credentials), Verdict::Right { rehash }) = (found, verdict) else {
            return Err(Error::InvalidCredentials);
        };
        let attempt = reserved.map(|reserved| reserved.attempt.clone());
        if let Some(logged_in) = write(app, from, &request.device_name, (credentials, rehash), attempt).await? {
            return Ok(logged_in);
        }
        found = users::find_by_email(&mut *app.pool.get().await?, &request.email).await?;
    }
    Err(Error::InvalidCredentials)
}

/// Writes the login; `None` when the password is no longer the one that was found right.
async fn write(
    app: &App,
    from: &DeviceOrigin,
    device_name: &str,
    (credentials, rehash): (Credentials, Option<PasswordHash>),
    attempt: Option<Attempt>,
) -> Result<Option<LoggedIn>, Error> {
    let now = app.clock.now();
    let user = active(credentials.user)?;
    let login = NewLogin { attempt, ..new_login(app, from, device_name, &user, now)? };
    let attempt = login.attempt.clone();
    let at_revision = NewLogin { revision: credentials.revision, rehash: rehash.clone(), ..login };
    let session = at_revision.session.clone();
    let outcome = sessions::insert_login(&mut *app.pool.get().await?, at_revision).await?;
    if let LoginOutcome::LoggedIn { .. } = outcome {
        return finish(app, user, session, outcome, now).await.map(Some);
    }
    // Somebody else changed the user's row, most likely another login: do it again with the row locked.
    let mut tx = app.pool.begin().await?;
    let login = NewLogin { rehash, attempt, ..new_login(app, from, device_name, &user, now)? };
    let outcome = write_locked(&mut tx, login, credentials.password_hash).await;
    let Some((user, session, outcome)) = tx.end(outcome).await? else { return Ok(None) };
    finish(app, user, session, outcome, now).await.map(Some)
}

/// Writes the login while nobody else can change the user's row; `None` when its password has changed.
async fn write_locked(
    conn: &mut Connection,
    login: NewLogin,
    password_hash: Option<PasswordHash>,
) -> Result<Option<(User, Session, LoginOutcome)>, Error> {
    let locked = users::lock(conn, login.session.user_id).await?.ok_or(Error::InvalidCredentials)?;
    if locked.password_hash != password_hash {
        return Ok(None);
    }
    let user = active(locked.user)?;
    let session = login.session.clone();
    let outcome = sessions::insert_login(conn, NewLogin { revision: locked.revision, ..login }).await?;
    Ok(Some((user, session, outcome)))
}

fn active(user: User) -> Result<User, Error> {
    match user.state {
        UserState::Active => Ok(user),
        UserState::Suspended => Err(Error::UserSuspended),
    }
}

fn new_login(
    app: &App,
    from: &DeviceOrigin,
    device_name: &str,
    user: &User,
    now: DateTime<Utc>,
) -> Result<NewLogin, Error> {
    let DeviceOrigin { origin, device_id } = from;
    let settings = &app.config.tokens;
    let absolute_expires_at = clock::add(now, settings.refresh_absolute_ttl);
    let device_name = DeviceName::or_from_user_agent(device_name, Some(&origin.user_agent));
    let notice = Content::NewDevice {
        device_name: Some(device_name.as_str().to_owned()),
        ip_address: origin.ip_address,
        user_agent: Some(origin.user_agent.clone()),
        at: now,
    };
    let session = Session {
        session_id: SessionId::new(now),
        user_id: user.user_id,
        device_id: device_id.clone(),
        device_name,
        ip_address: origin.ip_address,
        user_agent: origin.user_agent.clone(),
        created_at: now,
        last_used_at: now,
        expires_at: clock::add(now, settings.refresh_idle_ttl).min(absolute_expires_at),
    };
    Ok(NewLogin {
        session,
        revision: 0,
        rehash: None,
        absolute_expires_at,
        max_devices: app.config.sessions.max_devices.get().into(),
        revocation_expires_at: access::all_expired_at(settings, now),
        request_id: origin.request_id.clone(),
        notice: outbox::seal(app, outbox::to_user(user, notice), now)?,
        code_address_hash: codes::address_hash(app, &user.email),
        attempt: None,
    })
}

async fn finish(
    app: &App,
    user: User,
    session: Session,
    outcome: LoginOutcome,
    now: DateTime<Utc>,
) -> Result<LoggedIn, Error> {
    let LoginOutcome::LoggedIn { evicted, replaced, noticed } = outcome else {
        return Err(Error::internal("a login was outdated although its user's row was locked"));
    };
    revocations::take_in(app, evicted.iter().chain(&replaced).map(|ended| ended.session_id), now);
    if noticed {
        app.outbox_filled.notify_one();
    }
    let tokens = tokens::issue(app, &session, 1, (user.roles.clone(), user.basis), now).await?;
    let user = User { last_login_at: Some(now), ..user };
    Ok(LoggedIn { user, session, tokens, evicted_sessions: evicted })
}
