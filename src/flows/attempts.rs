//! Lockouts of accounts: an attempt at a password is reserved before the password is looked at, and concluded by what came
//! of it.

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use tokio_util::task::TaskTracker;

use super::audit::{self, Event, MergeKey};
use super::{limits, networks, outbox};
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
use crate::model::operation::{AddressLockout, Operation, Scope, counted_network};
use crate::model::origin::Origin;
use crate::model::user::User;
use crate::policy::lockout::{AccountRule, Kept, NetworkRule};
use crate::store::pg::login_attempts::{self, Attempt, Locks, NewAttempt, Reservation};
use crate::store::pg::users::{self, Credentials};
use crate::store::pg::{Connection, Pool, account_lockouts, login_networks};
use crate::token::master::Purpose;

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
    tasks: TaskTracker,
}

/// Whose password it is that is tried, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial<'a> {
    /// The address.
    pub(super) email: &'a Email,
    /// The device.
    pub(super) device_id: &'a DeviceId,
    /// Where from.
    pub(super) place: Place<'a>,
    /// Who tries, for the audit trail.
    pub(super) by: &'a Act,
}

/// Where a password is tried from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// A session: who has signed in is no stuffer of credentials, and the account knows the device wherever it is.
    Session,
    /// Anywhere.
    Origin {
        /// Where.
        origin: &'a Origin,
        /// The lockout of the address, which a device that the account knows is spared.
        address_lockout: Option<AddressLockout>,
    },
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
    let (origin, address_lockout) = match trial.place {
        Place::Session => (None, None),
        Place::Origin { origin, address_lockout } => (Some(origin), address_lockout),
    };
    let new = NewAttempt {
        email: trial.email,
        address_hash: address_hash(app, trial.email),
        device_id: trial.device_id.as_str().to_owned(),
        device_network: origin.map(|origin| counted_network(origin.ip_address)),
        network: origin.map(|origin| network(app, origin)).transpose()?.flatten(),
        address_locked: address_lockout.is_some(),
        tag: limits::tag(app, trial.email, trial.device_id),
        at: now,
    };
    let (network, rule) = (new.network.map(|(network, _)| network), account_rule(app));
    match login_attempts::reserve(&mut conn, new, &rule).await? {
        Reservation::Reserved { attempt, locks, noticed, credentials } => {
            let (by, pool, tasks) = (trial.by.clone(), Some(app.pool.clone()), app.tasks.clone());
            let reserved = Reserved { attempt, by, locks, noticed, pool, tasks };
            Ok((credentials.map(|credentials| *credentials), Some(reserved)))
        }
        Reservation::NetworkLocked(tried) => {
            app.metrics.refused(Operation::Login.as_str(), Scope::IpAddress.as_str(), "lockout");
            let error = network_locked(&mut conn, (network, address_lockout), now).await?;
            let network = origin.map(|origin| counted_network(origin.ip_address));
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
            // Waited for when the service stops.
            self.tasks.spawn_on(async move { give_back(&pool, &attempt).await }, &runtime);
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

/// The refusal of an address that is locked out of logging in, or has tried too many accounts, or both.
async fn network_locked(
    conn: &mut Connection,
    (network, address_lockout): (Option<IpNet>, Option<AddressLockout>),
    now: DateTime<Utc>,
) -> Result<Error, Error> {
    let until = match network {
        Some(network) => login_networks::find_lock(conn, network).await?,
        None => None,
    };
    let until = until.max(address_lockout.map(|lockout| lockout.until));
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
        kept: Kept::default(),
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
