//! ListLockouts and ClearLockout: what is locked out now, wherever it is counted, and how it is lifted.

use chrono::{DateTime, Utc};
use futures::future::join_all;

use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::flows::attempts;
use crate::flows::audit::{self, Event};
use crate::model::audit::{Act, EventKind, Subject};
use crate::model::id::UserId;
use crate::model::lockout::{Lockout, LockoutCause, LockoutCursor, LockoutKey, LockoutOrder};
use crate::model::operation::{LimitKind, Operation, Scope};
use crate::store::limits::{self, Locked};
use crate::store::pg::{Connection, account_lockouts, login_networks, sessions, users};

/// Which lockout is to be lifted.
#[derive(Clone, Debug)]
pub enum Target {
    /// This one.
    Lockout(LockoutKey),
    /// Whatever locks the account of this user.
    User(UserId),
}

/// What is locked out now, from what comes after `after`; at most `limit`: first devices and addresses from operations, then
/// addresses that have tried too many accounts and accounts, each by their end, accounts that stay locked, and sessions.
///
/// Where each replica counts alone, devices and addresses are those of this one.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, after: Option<&LockoutCursor>, limit: u32) -> Result<Vec<Lockout>, Error> {
    let section = after.map_or(Section::Counted, Section::of);
    let mut found = Vec::new();
    if section == Section::Counted {
        found = counted(app, after.map(|after| &after.key), limit).await;
    }
    if missing(limit, &found) == 0 {
        return Ok(found);
    }
    let mut conn = app.pool.get().await?;
    for next in [Section::Networks, Section::Accounts, Section::AccountsUntilReset, Section::Sessions] {
        if next >= section && missing(limit, &found) > 0 {
            let after = after.filter(|_| next == section);
            found.extend(stored(app, &mut conn, next, after, missing(limit, &found)).await?);
        }
    }
    Ok(found)
}

/// The parts of the list, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Counted,
    Networks,
    Accounts,
    AccountsUntilReset,
    Sessions,
}

impl Section {
    const fn of(LockoutCursor { key, order }: &LockoutCursor) -> Self {
        match (key, order) {
            (LockoutKey::Counted { .. }, _) => Self::Counted,
            (LockoutKey::Network(_), _) => Self::Networks,
            (LockoutKey::Account { .. }, LockoutOrder::Failures(_)) => Self::AccountsUntilReset,
            (LockoutKey::Account { .. }, _) => Self::Accounts,
            (LockoutKey::Session(_), _) => Self::Sessions,
        }
    }
}

fn missing(limit: u32, found: &[Lockout]) -> u32 {
    limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX))
}

/// The lockouts of a section that is in the database.
async fn stored(
    app: &App,
    conn: &mut Connection,
    section: Section,
    after: Option<&LockoutCursor>,
    limit: u32,
) -> Result<Vec<Lockout>, Error> {
    let now = app.clock.now();
    let (key, order) = after.map(|LockoutCursor { key, order }| (key.clone(), *order)).unzip();
    Ok(match (section, key, order) {
        (Section::Counted, ..) => Vec::new(),
        (Section::Networks, key, order) => {
            let after = if let (Some(LockoutKey::Network(network)), Some(LockoutOrder::End(end))) = (key, order) {
                Some((end, network))
            } else {
                None
            };
            let lock = app.config.lockout.credential_stuffing.lock;
            login_networks::find_locked(conn, after, limit, lock, now).await?
        }
        (Section::Accounts, key, order) => {
            let after = match (key, order) {
                (Some(LockoutKey::Account { address_hash, device_id }), Some(LockoutOrder::End(end))) => {
                    Some((end, address_hash, device_id))
                }
                _ => None,
            };
            account_lockouts::find_locked(conn, after, limit, in_a_row(app), now).await?
        }
        (Section::AccountsUntilReset, key, order) => {
            let after = match (key, order) {
                (Some(LockoutKey::Account { address_hash, device_id }), Some(LockoutOrder::Failures(failures))) => {
                    Some((failures, address_hash, device_id))
                }
                _ => None,
            };
            account_lockouts::find_locked_until_reset(conn, after, limit, in_a_row(app)).await?
        }
        (Section::Sessions, key, order) => {
            let after = match (key, order) {
                (Some(LockoutKey::Session(session_id)), Some(LockoutOrder::End(end))) => Some((end, session_id)),
                _ => None,
            };
            sessions::find_refresh_locked(conn, after, limit, app.config.lockout.session.lock, now).await?
        }
    })
}

/// Lifts a lockout and forgets the failures that led to it. Every replica obeys at once.
///
/// A user whose account nothing locks is left as they are, and nothing goes on record.
///
/// # Errors
/// No such lockout, or no such user; a failure of ours.
pub async fn clear(app: &App, by: &Act, target: Target) -> Result<(), Error> {
    let now = app.clock.now();
    match target {
        Target::Lockout(LockoutKey::Counted { operation, scope, subject }) => {
            clear_counted(app, by, (operation, scope, limits::Subject(subject)), now).await
        }
        Target::Lockout(key) => {
            let mut tx = app.pool.begin().await?;
            let outcome = take(app, &mut tx, by, key, now).await;
            tx.end(outcome).await
        }
        Target::User(user_id) => {
            let mut tx = app.pool.begin().await?;
            let outcome = take_of_user(app, &mut tx, by, user_id, now).await;
            tx.end(outcome).await
        }
    }
}

/// On record first: should it then not be lifted, whoever asked is told so and asks again, and no lifting is unrecorded.
async fn clear_counted(
    app: &App,
    by: &Act,
    (operation, scope, subject): (Operation, Scope, limits::Subject),
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if !app.limits.is_locked(operation, scope, subject, now).await {
        return Err(Error::LockoutNotFound);
    }
    let key = LockoutKey::Counted { operation, scope, subject: subject.0 };
    audit::record(&mut *app.pool.get().await?, by, cleared(Subject::Lockout(key.to_string())), now).await?;
    app.limits.clear(operation, scope, subject).await.map_err(Error::internal)
}

async fn take(app: &App, conn: &mut Connection, by: &Act, key: LockoutKey, now: DateTime<Utc>) -> Result<(), Error> {
    let event = cleared(Subject::Lockout(key.to_string()));
    let taken = match key {
        LockoutKey::Account { address_hash, device_id } => {
            account_lockouts::take_locked(conn, address_hash, Some(device_id), in_a_row(app), now).await?
        }
        LockoutKey::Network(network) => login_networks::take_locked(conn, network, now).await?,
        LockoutKey::Session(session_id) => sessions::take_refresh_locked(conn, session_id, now).await?,
        LockoutKey::Counted { .. } => false,
    };
    if !taken {
        return Err(Error::LockoutNotFound);
    }
    audit::record(conn, by, event, now).await
}

async fn take_of_user(
    app: &App,
    conn: &mut Connection,
    by: &Act,
    user_id: UserId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let user = users::find(conn, user_id).await?.ok_or(Error::UserNotFound)?.user;
    let address_hash = attempts::address_hash(app, &user.email);
    if !account_lockouts::take_locked(conn, address_hash, None, in_a_row(app), now).await? {
        return Ok(());
    }
    audit::record(conn, by, cleared(Subject::User(user_id)), now).await
}

fn cleared(subject: Subject) -> Event {
    Event::new(EventKind::LockoutCleared, subject)
}

/// How many failures in a row lock an account until its password is reset.
fn in_a_row(app: &App) -> u32 {
    app.config.lockout.account.failures_in_a_row.get()
}

/// The devices and addresses that are locked out of operations, in the order of these and of their hashes. No store is asked for
/// more than a page.
async fn counted(app: &App, after: Option<&LockoutKey>, limit: u32) -> Vec<Lockout> {
    let (now, limit) = (app.clock.now(), usize::try_from(limit).unwrap_or(usize::MAX));
    let after = match after {
        Some(LockoutKey::Counted { operation, scope, subject }) => {
            Some((*operation, (*scope, limits::Subject(*subject))))
        }
        _ => None,
    };
    let mut operations = Operation::ALL.to_vec();
    operations.sort_unstable_by_key(|operation| operation.as_str());
    let begin = after.and_then(|(last, _)| operations.iter().position(|operation| *operation == last));
    let asked = operations.into_iter().skip(begin.unwrap_or_default()).map(|operation| {
        let after = after.filter(|(last, _)| *last == operation).map(|(_, after)| after);
        app.limits.locked(operation, after, limit, now)
    });
    let found = join_all(asked).await.into_iter().flatten();
    found.filter_map(|locked| lockout(app, &locked)).take(limit).collect()
}

/// A lockout by the rule that led to it; nothing when that holds no more.
fn lockout(app: &App, locked: &Locked) -> Option<Lockout> {
    let Locked { operation, scope, subject, until, .. } = *locked;
    let rules = app.limit_rules.of(operation);
    let rule = rules.iter().find(|limit| limit.kind == LimitKind::Lockout && limit.scope == scope)?;
    // A device is named with the network that it is locked out on.
    let name = super::limits::open(&app.master, locked);
    let (name, network) = name.split_once(' ').unwrap_or((&name, ""));
    Some(Lockout {
        key: LockoutKey::Counted { operation, scope, subject: subject.0 },
        cause: LockoutCause::Failures,
        subject: name.to_owned(),
        device_id: String::new(),
        network: network.to_owned(),
        failures: u32::try_from(rule.count).unwrap_or(u32::MAX),
        created_at: clock::subtract(until, rule.wait),
        expires_at: until,
        user_id: None,
    })
}
