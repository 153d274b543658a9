//! Throttles and lockouts by device and address: which of them have a say in a call, and what comes of it.
//!
//! What is keyed by an e-mail address or an account is in `codes` and `attempts`.

mod subjects;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use super::audit;
use crate::app::App;
use crate::clock;
use crate::config::Config;
use crate::error::Error;
use crate::model::audit::Act;
use crate::model::device::DeviceId;
use crate::model::lockout::LockoutKey;
use crate::model::network::NetworkVerdict;
use crate::model::operation::{Limit, LimitKind, Operation, Scope};
use crate::model::origin::Origin;
pub use crate::store::limits::Reserved;
use crate::store::limits::{Locked, Question, Subject};

pub(super) use subjects::open;

/// The limits of each operation, as configured.
#[derive(Debug)]
pub struct LimitRules(HashMap<Operation, Vec<Limit>>);

/// What has no failure that could count: any there might be would tell who has an account.
const NOTHING_TO_GUESS: [&str; 2] = ["register", "request_password_reset"];

/// A call as far as it matters for its limits.
#[derive(Clone, Copy, Debug)]
pub struct LimitedCall<'a> {
    /// What it draws from.
    pub operation: Operation,
    /// Where it comes from.
    pub origin: &'a Origin,
    /// Which device it names; none for a call that is not to be counted by device.
    pub device_id: Option<&'a DeviceId>,
    /// How its network stands with the rules.
    pub network: NetworkVerdict,
}

impl LimitRules {
    /// The longest that anything counted matters.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let spans = self.0.values().flatten().map(|limit| limit.wait.max(limit.window));
        spans.max().unwrap_or_default()
    }

    /// The limits of an operation.
    #[must_use]
    pub fn of(&self, operation: Operation) -> &[Limit] {
        self.0.get(&operation).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes the limits that are enabled from the configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut rules: HashMap<Operation, Vec<Limit>> = HashMap::new();
        let mut add = |name: &str, limits: [Limit; 2]| {
            if let Some(operation) = Operation::from_name(name) {
                rules.entry(operation).or_default().extend(limits);
            }
        };
        let throttle = &config.throttle;
        for (name, quota) in throttle.operations.named().into_iter().filter(|_| throttle.enabled) {
            let (device, ip) = ((quota.device, throttle.device_cooldown), (quota.ip, throttle.ip_cooldown));
            add(name, pair(LimitKind::Throttle, throttle.period, device, ip));
        }
        let lockouts = config.lockout.operations.named().into_iter();
        for (name, rule) in lockouts.filter(|(name, _)| config.lockout.enabled && !NOTHING_TO_GUESS.contains(name)) {
            let (device, ip) = ((rule.device_failures, rule.device_lock), (rule.ip_failures, rule.ip_lock));
            add(name, pair(LimitKind::Lockout, rule.window, device, ip));
        }
        Self(rules)
    }
}

/// A limit for the device and one for the address, each by how many it allows and how long one waits beyond that.
fn pair(kind: LimitKind, window: Duration, device: (NonZeroU32, Duration), ip: (NonZeroU32, Duration)) -> [Limit; 2] {
    [(Scope::Device, device), (Scope::IpAddress, ip)].map(|(scope, (count, wait))| {
        let count = usize::try_from(count.get()).unwrap_or(usize::MAX);
        Limit { kind, scope, count, window, wait }
    })
}

/// Whether calls of an operation can be wrong guesses that count.
#[must_use]
pub fn can_be_guessed_at(app: &App, operation: Operation) -> bool {
    app.limit_rules.of(operation).iter().any(|limit| limit.kind == LimitKind::Lockout)
}

/// Lets a call pass that is within its limits, and counts it. Of an operation that locks out, a failure is reserved, to be
/// [concluded](conclude) by whether the call was a wrong guess.
///
/// # Errors
/// [`Error::Throttled`] or [`Error::LockedOut`], of which the longest wait is told.
pub async fn admit(app: &App, call: LimitedCall<'_>) -> Result<Option<Reserved>, Error> {
    let now = app.clock.now();
    let limits = app.limit_rules.of(call.operation).iter().copied();
    let limits: Vec<_> = limits.filter_map(|limit| Some((limit, subject(app, &call, limit.scope)?))).collect();
    if limits.is_empty() {
        return Ok(None);
    }
    let asked: Vec<Limit> = limits.iter().map(|(limit, _)| *limit).collect();
    let refused = match app.limits.admit(Question { operation: call.operation, limits, now }).await {
        Ok(reserved) => return Ok(reserved),
        Err(refused) => refused,
    };
    let limit = asked.get(refused.limit).ok_or_else(|| Error::internal("an unknown limit refused a call"))?;
    let (operation, scope) = (call.operation.as_str(), limit.scope.as_str());
    let retry_after = clock::until(refused.until, now);
    app.metrics.refused(operation, scope, limit.kind.as_str());
    Err(match limit.kind {
        LimitKind::Throttle => Error::Throttled { operation, scope, retry_after },
        LimitKind::Lockout => Error::LockedOut { operation, scope, retry_after, until_reset: false },
    })
}

/// Concludes a call for which a failure was reserved: it was a wrong guess, or the failure is given back. What is locked out by
/// that goes on record.
pub async fn conclude(app: &App, by: &Act, reserved: Reserved, wrong_guess: bool) {
    let now = app.clock.now();
    let failure = wrong_guess.then(|| subjects::sealed(app, by, &reserved));
    let locked = app.limits.conclude(reserved, failure, now).await;
    let event = |locked: Locked| {
        let Locked { operation, scope, subject, until, .. } = locked;
        audit::locked_out(
            &LockoutKey::Counted { operation, scope, subject: subject.0 },
            operation,
            scope.as_str(),
            until,
        )
    };
    let events: Vec<_> = locked.into_iter().map(event).collect();
    if events.is_empty() {
        return;
    }
    let recorded = async { audit::record_all(&mut *app.pool.get().await?, by, events, now).await };
    if let Err(error) = recorded.await {
        // The lockout stands all the same.
        tracing::warn!(error = %error, "a lockout could not be put on record");
    }
}

/// Whom a limit of this scope counts the call against; nobody when the call names no device, or its network is allowed.
fn subject(app: &App, call: &LimitedCall<'_>, scope: Scope) -> Option<Subject> {
    if scope == Scope::IpAddress && call.network == NetworkVerdict::Allowed {
        return None;
    }
    let name = subjects::name(scope, call.device_id, Some(call.origin.ip_address))?;
    Some(subjects::hash(&app.master, scope, &name))
}
