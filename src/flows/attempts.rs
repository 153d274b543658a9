//! Lockouts of accounts: an attempt at a password is reserved before the password is looked at, and concluded by what came
//! of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ipnet::IpNet;

use super::audit::{self, Event, MergeKey};
use super::{networks, outbox};
use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::mail::Content;
use crate::model::audit::Act;
use crate::model::device::DeviceId;
use crate::model::email::Email;
use crate::model::id::UserId;
use crate::model::lockout::LockoutKey;
use crate::model::network::NetworkVerdict;
use crate::model::operation::{Operation, Scope, counted_network};
use crate::model::origin::Origin;
use crate::model::user::User;
use crate::policy::lockout::{AccountRule, NetworkRule};
use crate::store::pg::login_attempts::{self, Attempt, Locks, NewAttempt, Reservation};
use crate::store::pg::users::{self, Credentials};
use crate::store::pg::{Connection, Pool, account_lockouts, login_networks};
use crate::token::master::Purpose;

/// How long the failures in a row at an account are remembered after the last of them.
const KEPT_FOR: Duration = Duration::from_hours(24 * 90);

/// How long an account stays locked whose password must be reset: until then.
const KEPT_UNTIL_RESET: Duration = Duration::from_hours(24 * 365 * 100);

/// An attempt that counts as failed. Dropped before it is concluded, by a call that was given up, it is given back: nobody has
/// learnt anything from it.
#[derive(Debug)]
#[must_use = "an attempt is to be concluded"]
pub(super) struct Reserved {
    /// By what it is found again.
    pub(super) attempt: Attempt,
    by: Act,
    locks: Locks,
    noticed: bool,
    pool: Option<Pool>,
}

/// Whose password it is that is tried, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial<'a> {
    /// The address.
    pub(super) email: &'a Email,
    /// The device.
    pub(super) device_id: &'a DeviceId,
    /// Where from; none for who has signed in already, and so is no stuffer of credentials.
    pub(super) origin: Option<&'a Origin>,
    /// Who tries, for the audit trail.
    pub(super) by: &'a Act,
}

/// Why no attempt at a password was made.
#[derive(Debug)]
pub(super) struct Refused {
    /// The answer.
    pub(super) error: Error,
    /// Whose password it was to be, if anybody's.
    pub(super) tried: Option<UserId>,
    /// The lockout that refuses it.
    pub(super) lockout: Option<LockoutKey>,
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self { error: error.into(), tried: None, lockout: None }
    }
}

/// Reserves an attempt at a password, and reads it. Nothing is reserved where lockouts are switched off.
///
/// # Errors
/// [`Error::LockedOut`], alike for addresses with and without an account; a failure of ours.
pub(super) async fn reserve(app: &App, trial: Trial<'_>) -> Result<(Option<Credentials>, Option<Reserved>), Refused> {
    let mut conn = app.pool.get().await?;
    if !app.config.lockout.enabled {
        return Ok((users::find_by_email(&mut conn, trial.email).await?, None));
    }
    let now = app.clock.now();
    let new = NewAttempt {
        email: trial.email,
        address_hash: address_hash(app, trial.email),
        device_id: trial.device_id.as_str().to_owned(),
        device_network: trial.origin.map(|origin| counted_network(origin.ip_address)),
        network: trial.origin.map(|origin| network(app, origin)).transpose()?.flatten(),
        at: now,
    };
    let (network, rule) = (new.network.map(|(network, _)| network), account_rule(app));
    let kept = (clock::add(now, KEPT_FOR), clock::add(now, KEPT_UNTIL_RESET));
    match login_attempts::reserve(&mut conn, new, &rule, kept).await? {
        Reservation::Reserved { attempt, locks, noticed, credentials } => Ok((
            credentials.map(|credentials| *credentials),
            Some(Reserved { attempt, by: trial.by.clone(), locks, noticed, pool: Some(app.pool.clone()) }),
        )),
        Reservation::NetworkLocked(tried) => {
            app.metrics.refused(Operation::Login.as_str(), Scope::IpAddress.as_str(), "lockout");
            let error = network_locked(&mut conn, network, now).await?;
            Err(Refused { error, tried, lockout: network.map(LockoutKey::Network) })
        }
        Reservation::AccountLocked(attempt, tried) => {
            login_attempts::give_back_to_network(&mut conn, &attempt).await?;
            let error = account_locked(app, &mut conn, &attempt, &rule).await?;
            let Attempt { address_hash, device_id, .. } = attempt;
            Err(Refused { error, tried, lockout: Some(LockoutKey::Account { address_hash, device_id }) })
        }
    }
}

/// Concludes an attempt by its outcome: a wrong password counts, and its owner is told of the lock that it led to; a right one
/// was noted by whoever did what it was for; anything else is given back.
pub(super) async fn conclude<T>(
    app: &App,
    reserved: Option<Reserved>,
    outcome: &Result<T, Error>,
    owner: Option<&User>,
) {
    let Some(mut reserved) = reserved else { return };
    match outcome {
        Ok(_) => reserved.pool = None,
        Err(Error::InvalidCredentials) => {
            reserved.pool = None;
            if reserved.locks != Locks::default()
                && let Err(error) = note_locks(app, &reserved, owner).await
            {
                // The locks stand. The next failure that leads to one tells the owner.
                tracing::warn!(error = %error, "a lockout could not be put on record");
            }
        }
        Err(_) => {
            if let Some(pool) = reserved.pool.take() {
                give_back(&pool, &reserved.attempt).await;
            }
        }
    }
}

/// Puts an attempt that failed or was refused on record as `event`, with the reason. What a lockout refuses is merged by
/// `lockout`. A failure of ours is none. That it cannot be put on record changes nothing of the answer.
pub(super) async fn note_failure(app: &App, by: &Act, event: Event, error: &Error, lockout: Option<MergeKey>) {
    let (event, lockout) = match error {
        Error::InvalidCredentials => (event.with("reason", "INVALID_CREDENTIALS"), None),
        Error::UserSuspended => (event.with("reason", "USER_SUSPENDED"), None),
        Error::LockedOut { scope, retry_after, .. } => {
            let until = clock::add(app.clock.now(), *retry_after);
            (event.with("reason", "LOCKED_OUT").with("scope", scope), lockout.map(|lockout| (lockout, until)))
        }
        _ => return,
    };
    if let Err(error) = audit::record_refusal(app, by, event, lockout).await {
        tracing::warn!(error = %error, "a failed attempt at a password could not be put on record");
    }
}

/// Forgets the failures of one device at an account whose password it knew.
pub(super) async fn forget(conn: &mut Connection, attempt: &Attempt) -> Result<(), Error> {
    Ok(account_lockouts::delete(conn, &attempt.address_hash, &attempt.device_id).await?)
}

/// Lifts every lock of an account: its password is another one now, or it is no more.
pub(super) async fn lift(app: &App, conn: &mut Connection, email: &Email) -> Result<(), Error> {
    Ok(account_lockouts::delete_all_of(conn, &address_hash(app, email)).await?)
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let attempt = self.attempt.clone();
            runtime.spawn(async move { give_back(&pool, &attempt).await });
        }
    }
}

async fn give_back(pool: &Pool, attempt: &Attempt) {
    let given_back = async { login_attempts::give_back(&mut *pool.get().await?, attempt).await };
    if let Err(error) = given_back.await {
        tracing::warn!(error = %error, "an attempt that did not fail could not be given back and counts as failed");
    }
}

/// Puts the locks on record that an attempt has led to, and mails the owner of the account, once until the password is right
/// again. An address without an owner costs the same.
async fn note_locks(app: &App, reserved: &Reserved, owner: Option<&User>) -> Result<(), Error> {
    let now = app.clock.now();
    let Reserved { attempt, by, locks, noticed, .. } = reserved;
    let mut tx = app.pool.begin().await?;
    let outcome: Result<bool, Error> = async {
        audit::record_all(&mut tx, by, events(attempt, *locks, owner), now).await?;
        let Some(until) = locks.account_until.filter(|_| !noticed) else { return Ok(false) };
        if !account_lockouts::take_notice(&mut tx, &attempt.address_hash, &attempt.device_id, now).await? {
            return Ok(false);
        }
        let content = Content::AccountLocked { until };
        match owner {
            Some(owner) => outbox::enqueue(app, &mut tx, outbox::to_user(owner, content), now).await?,
            None => outbox::enqueue_for_nobody(app, &mut tx, outbox::to_nobody(content)?, now).await?,
        }
        Ok(true)
    }
    .await;
    if tx.end(outcome).await? {
        app.outbox_filled.notify_one();
    }
    Ok(())
}

/// What the locks are on record as.
fn events(attempt: &Attempt, locks: Locks, owner: Option<&User>) -> Vec<Event> {
    let Attempt { address_hash, device_id, network, .. } = attempt.clone();
    let event = |key: LockoutKey, scope, until| audit::locked_out(&key, Operation::Login, scope, until);
    let network = network
        .zip(locks.network_until)
        .map(|(network, until)| event(LockoutKey::Network(network), Scope::IpAddress.as_str(), until));
    let account = locks.account_until.map(|until| {
        let event = event(LockoutKey::Account { address_hash, device_id }, ACCOUNT, until);
        owner.iter().fold(event, |event, owner| event.with("user_id", owner.user_id))
    });
    network.into_iter().chain(account).collect()
}

async fn network_locked(conn: &mut Connection, network: Option<IpNet>, now: DateTime<Utc>) -> Result<Error, Error> {
    let until = match network {
        Some(network) => login_networks::find_lock(conn, network).await?,
        None => None,
    };
    Ok(locked_out(Scope::IpAddress.as_str(), until.unwrap_or(now), now, false))
}

async fn account_locked(
    app: &App,
    conn: &mut Connection,
    attempt: &Attempt,
    rule: &AccountRule,
) -> Result<Error, Error> {
    let standing = account_lockouts::find(conn, &attempt.address_hash, &attempt.device_id).await?;
    let until_reset = standing.is_some_and(|standing| standing.failures_in_a_row >= rule.failures_in_a_row);
    let until = standing.and_then(|standing| standing.locked_until).unwrap_or(attempt.at);
    let until = if until_reset { clock::add(attempt.at, rule.max_lock) } else { until };
    app.metrics.refused(Operation::Login.as_str(), ACCOUNT, "lockout");
    Ok(locked_out(ACCOUNT, until, attempt.at, until_reset))
}

/// The scope of an account, which only this flow knows.
const ACCOUNT: &str = "account";

fn locked_out(scope: &'static str, until: DateTime<Utc>, now: DateTime<Utc>, until_reset: bool) -> Error {
    let operation = Operation::Login.as_str();
    Error::LockedOut { operation, scope, retry_after: clock::until(until, now), until_reset }
}

fn account_rule(app: &App) -> AccountRule {
    let rule = &app.config.lockout.account;
    AccountRule {
        failures: size(rule.failures.get()),
        window: rule.window,
        lock: rule.lock,
        max_lock: rule.max_lock,
        failures_in_a_row: rule.failures_in_a_row.get(),
    }
}

/// What the attempts from an origin are counted against; nothing when its network is allowed.
fn network(app: &App, origin: &Origin) -> Result<Option<(IpNet, NetworkRule)>, Error> {
    if networks::judge(app, origin.ip_address)? == NetworkVerdict::Allowed {
        return Ok(None);
    }
    let rule = &app.config.lockout.credential_stuffing;
    let rule = NetworkRule { accounts: size(rule.accounts.get()), window: rule.window, lock: rule.lock };
    Ok(Some((counted_network(origin.ip_address), rule)))
}

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

pub(super) fn address_hash(app: &App, email: &Email) -> Vec<u8> {
    app.master.mac(Purpose::Address, &[email.as_str().as_bytes()]).to_vec()
}
