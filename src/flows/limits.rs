//! Throttles and lockouts by device and address: which of them have a say in a call, and what comes of it.
//!
//! What is keyed by an e-mail address or an account is in `codes` and `attempts`, what is keyed by a session in `refresh`.

mod subjects;

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::audit;
use crate::app::App;
use crate::clock;
use crate::config::Config;
use crate::error::Error;
use crate::model::audit::Act;
use crate::model::device::DeviceId;
use crate::model::email::Email;
use crate::model::lockout::LockoutKey;
use crate::model::network::NetworkVerdict;
use crate::model::operation::{AddressLockout, AttemptId, AttemptTag, Limit, LimitKind, Operation, Scope};
use crate::model::origin::Origin;
pub use crate::policy::limits::Conclusion;
pub use crate::store::limits::Reserved;
use crate::store::limits::{Locked, Question, Subject};
use crate::token::master::Purpose;

pub(super) use subjects::open;

/// Time that a call may go on after its deadline, when it is not given up in the middle of an attempt. What has not been
/// concluded by then never will be.
const BEYOND_DEADLINE: Duration = Duration::from_secs(30);

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

/// A call that may go on.
#[derive(Debug, Default)]
pub struct Admission {
    /// The lockout of its address, which only a device that the account knows is spared: the flow decides.
    pub address_lockout: Option<AddressLockout>,
    /// What is to be [concluded](conclude).
    pub reserved: Option<Reserved>,
}

/// The outcome of an attempt at a password, and the tag that its failure has.
#[derive(Debug)]
pub struct Attempted<T> {
    /// The mark of the failures of this device at this account.
    pub tag: AttemptTag,
    /// What came of it.
    pub outcome: Result<T, Error>,
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
        let longest_call = config.server.request_timeout.saturating_add(BEYOND_DEADLINE);
        let mut add = |name: &str, kind, window, counts: [(u32, Duration); 2]| {
            let Some(operation) = Operation::from_name(name) else { return };
            let locks = kind == LimitKind::Lockout;
            for (scope, (count, wait)) in [Scope::Device, Scope::IpAddress].into_iter().zip(counts) {
                let limit = Limit {
                    kind,
                    scope,
                    count: usize::try_from(count).unwrap_or(usize::MAX),
                    window,
                    wait,
                    in_flight: (locks && operation.can_be_guessed()).then_some(longest_call),
                    spares_known: locks && operation == Operation::Login && scope == Scope::IpAddress,
                };
                // Zero failures are no lockout.
                if limit.count > 0 {
                    rules.entry(operation).or_default().push(limit);
                }
            }
        };
        let throttle = &config.throttle;
        for (name, quota) in throttle.operations.named().into_iter().filter(|_| throttle.enabled) {
            let device = (quota.device.get(), quota.device_cooldown.unwrap_or(throttle.device_cooldown));
            let ip = (quota.ip.get(), quota.ip_cooldown.unwrap_or(throttle.ip_cooldown));
            add(name, LimitKind::Throttle, throttle.period, [device, ip]);
        }
        for (name, rule) in config.lockout.operations.named().into_iter().filter(|_| config.lockout.enabled) {
            let counts = [(rule.device_failures, rule.device_lock), (rule.ip_failures, rule.ip_lock)];
            add(name, LimitKind::Lockout, rule.window, counts);
        }
        Self(rules)
    }
}

/// Whether calls of an operation can be wrong guesses that count.
#[must_use]
pub fn can_be_guessed_at(app: &App, operation: Operation) -> bool {
    app.limit_rules.of(operation).iter().any(|limit| limit.kind == LimitKind::Lockout)
}

/// The mark of the failures of a device at an account, wherever they come from.
#[must_use]
pub fn tag(app: &App, email: &Email, device_id: &DeviceId) -> AttemptTag {
    let parts = [&b"tag"[..], email.as_str().as_bytes(), device_id.as_str().as_bytes()];
    let mac = app.master.mac(Purpose::Limit, &parts);
    AttemptTag(*mac.first_chunk().unwrap_or(&[0; 8]))
}

/// Lets a call pass that is within its limits, and counts it. Of an operation that locks out, it is an attempt in flight, to be
/// [concluded](conclude) by what the call answered.
///
/// # Errors
/// [`Error::Throttled`] or [`Error::LockedOut`], of which the longest wait is told.
pub async fn admit(app: &App, call: LimitedCall<'_>) -> Result<Admission, Error> {
    let now = app.clock.now();
    let limits = app.limit_rules.of(call.operation).iter().copied();
    let limits: Vec<_> = limits.filter_map(|limit| Some((limit, subject(app, &call, limit.scope)?))).collect();
    if limits.is_empty() {
        return Ok(Admission::default());
    }
    let asked: Vec<Limit> = limits.iter().map(|(limit, _)| *limit).collect();
    let attempt = AttemptId { at: now, number: Uuid::new_v4().as_u64_pair().1 };
    let refused = match app.limits.admit(Question { operation: call.operation, limits, attempt }).await {
        Ok((admitted, reserved)) => {
            let address_lockout = admitted.unless_known.map(|refused| AddressLockout { until: refused.until });
            return Ok(Admission { address_lockout, reserved });
        }
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

/// Concludes an attempt by what its call answered. What is locked out by that goes on record.
pub async fn conclude(app: &App, by: &Act, reserved: Reserved, conclusion: Conclusion) {
    let now = app.clock.now();
    let names = match conclusion {
        Conclusion::Failed(_) => subjects::sealed(app, by, &reserved),
        Conclusion::Succeeded(_) | Conclusion::GivenBack => Vec::new(),
    };
    let locked = app.limits.conclude(reserved, conclusion, &names, now).await;
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
    let name = subjects::name(scope, call.device_id, call.origin.ip_address)?;
    Some(subjects::hash(&app.master, scope, &name))
}
