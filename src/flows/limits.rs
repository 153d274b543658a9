//! Throttles and lockouts by device and address: which of them have a say in a call, and what comes of it.
//!
//! What is keyed by an e-mail address or an account is in `codes` and `lockouts`.

use std::collections::HashMap;

use crate::app::App;
use crate::clock;
use crate::config::Config;
use crate::error::Error;
use crate::model::device::DeviceId;
use crate::model::network::NetworkVerdict;
use crate::model::operation::{Limit, LimitKind, Operation, Scope, counted_address};
use crate::model::origin::Origin;
pub use crate::store::limits::Reserved;
use crate::store::limits::{Question, Subject};
use crate::token::master::{Master, Purpose};

/// The limits of each operation, as configured.
#[derive(Debug)]
pub struct LimitRules(HashMap<Operation, Vec<Limit>>);

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
    /// Takes the limits that are enabled from the configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut rules: HashMap<Operation, Vec<Limit>> = HashMap::new();
        let mut add = |name: &str, limits: [Limit; 2]| {
            if let Some(operation) = Operation::from_name(name) {
                rules.entry(operation).or_default().extend(limits);
            }
        };
        let size = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let throttle = &config.throttle;
        for (name, quota) in throttle.operations.named().into_iter().filter(|_| throttle.enabled) {
            let limit = |scope, count, wait| Limit {
                kind: LimitKind::Throttle,
                scope,
                count: size(count),
                window: throttle.period,
                wait,
            };
            let device = limit(Scope::Device, quota.device.get(), throttle.device_cooldown);
            add(name, [device, limit(Scope::IpAddress, quota.ip.get(), throttle.ip_cooldown)]);
        }
        for (name, rule) in config.lockout.operations.named().into_iter().filter(|_| config.lockout.enabled) {
            let limit = |scope, count, wait| Limit {
                kind: LimitKind::Lockout,
                scope,
                count: size(count),
                window: rule.window,
                wait,
            };
            let device = limit(Scope::Device, rule.device_failures.get(), rule.device_lock);
            add(name, [device, limit(Scope::IpAddress, rule.ip_failures.get(), rule.ip_lock)]);
        }
        Self(rules)
    }
}

/// Lets a call pass that is within its limits, and counts it. Of an operation that locks out, a failure is reserved, to be
/// [concluded](conclude) by whether the call was a wrong guess.
///
/// # Errors
/// [`Error::Throttled`] or [`Error::LockedOut`], of which the longest wait is told.
pub async fn admit(app: &App, call: LimitedCall<'_>) -> Result<Option<Reserved>, Error> {
    let now = app.clock.now();
    let limits: Vec<_> = app.limit_rules.0.get(&call.operation).into_iter().flatten().copied().collect();
    let limits: Vec<_> =
        limits.into_iter().filter_map(|limit| Some((limit, subject(app, &call, limit.scope)?))).collect();
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

/// Concludes a call for which a failure was reserved: it was a wrong guess, or the failure is given back.
pub async fn conclude(app: &App, reserved: Reserved, wrong_guess: bool) {
    app.limits.conclude(reserved, wrong_guess, app.clock.now()).await;
}

/// Whom a limit of this scope counts the call against; nobody when the call names no device, or its network is allowed.
fn subject(app: &App, call: &LimitedCall<'_>, scope: Scope) -> Option<Subject> {
    let name = scope.as_str();
    match scope {
        Scope::Device => Some(hash(&app.master, name, call.device_id?.as_str().as_bytes())),
        Scope::IpAddress if call.network == NetworkVerdict::Allowed => None,
        Scope::IpAddress => {
            Some(hash(&app.master, name, counted_address(call.origin.ip_address).to_string().as_bytes()))
        }
    }
}

fn hash(master: &Master, scope: &str, subject: &[u8]) -> Subject {
    let mac = master.mac(Purpose::Limit, &[scope.as_bytes(), subject]);
    let mut hash = [0; 16];
    hash.copy_from_slice(mac.first_chunk::<16>().unwrap_or(&[0; 16]));
    Subject(hash)
}
