//! What each method demands of its callers, read from the descriptors.
//!
//! A method of ours without a policy, or with an unspecified part in it, stops the start.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use prost_reflect::{DescriptorPool, MethodDescriptor, Value};

use crate::model::operation::Operation;
use crate::proto::DESCRIPTORS;
use crate::proto::keyward::v1::{self as pb};

/// The package whose methods carry policies.
const PACKAGE: &str = "keyward.v1";

/// The option that holds the policy.
const OPTION: &str = "keyward.v1.policy";

/// Services of others on the same port; they ask for nothing.
const STANDARD_SERVICES: [&str; 3] =
    ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// Who may call a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// A signed-in user.
    User,
    /// Whoever holds this permission.
    Permission(String),
}

/// What a method demands of its callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodPolicy {
    /// Who may call it.
    pub access: Access,
    /// Whether the call must name its device.
    pub needs_device: bool,
    /// The throttle that it draws from.
    pub throttle: Throttle,
}

/// Which calls of a method are throttled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// None: the method belongs to a service of others.
    Nothing,
    /// All, by the limits of this operation.
    Every(Operation),
    /// All that do not come with a good service key which is in memory, by the limits of [`Operation::Standard`].
    ButKnownServices,
}

impl Throttle {
    /// The operation whose limits hold for a call; `None` for one that is not throttled. `from_known_service` says whether it
    /// comes with a good service key which is in memory.
    #[must_use]
    pub fn operation(self, from_known_service: bool) -> Option<Operation> {
        match self {
            Self::Nothing => None,
            Self::Every(operation) => Some(operation),
            Self::ButKnownServices => (!from_known_service).then_some(Operation::Standard),
        }
    }

    /// Its name in the table that `keyward methods` prints.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Every(operation) => operation.as_str(),
            Self::ButKnownServices => "none",
        }
    }
}

/// Why the descriptors do not say what a method demands.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The embedded descriptors cannot be read.
    #[error("the embedded descriptors cannot be read")]
    Descriptors(#[source] prost_reflect::DescriptorError),
    /// The option is not among them.
    #[error("the descriptors do not define the option {OPTION}")]
    NoOption,
    /// A method without a policy, or with one that leaves something open.
    #[error("the policy of {method} is missing or leaves its {part} unspecified")]
    Incomplete {
        /// The method's full name.
        method: String,
        /// What is missing.
        part: &'static str,
    },
}

/// The policy of every method, by the path of its calls.
#[derive(Debug)]
pub struct Methods {
    ours: HashMap<String, Arc<MethodPolicy>>,
    standard: Arc<MethodPolicy>,
}

impl Methods {
    /// Reads the policies of the embedded descriptors.
    ///
    /// # Errors
    /// When a method of ours does not say what it demands.
    pub fn load() -> Result<Self, PolicyError> {
        Self::of(&DescriptorPool::decode(DESCRIPTORS).map_err(PolicyError::Descriptors)?)
    }

    /// Reads the policies of these descriptors.
    ///
    /// # Errors
    /// As [`Methods::load`].
    pub fn of(pool: &DescriptorPool) -> Result<Self, PolicyError> {
        let option = pool.get_extension_by_name(OPTION).ok_or(PolicyError::NoOption)?;
        let mut methods = HashMap::new();
        for service in pool.services().filter(|service| service.package_name() == PACKAGE) {
            for method in service.methods() {
                let options = method.options();
                let value = options.get_extension(&option);
                let declared = options.has_extension(&option).then_some(value.as_ref());
                methods.insert(path(&method), Arc::new(policy(&method, declared)?));
            }
        }
        let standard = MethodPolicy { access: Access::Public, needs_device: false, throttle: Throttle::Nothing };
        Ok(Self { ours: methods, standard: Arc::new(standard) })
    }

    /// The policy of a call's path; `None` when there is no such method.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Arc<MethodPolicy>> {
        if let Some(policy) = self.ours.get(path) {
            return Some(policy.clone());
        }
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        STANDARD_SERVICES.contains(&service).then(|| self.standard.clone())
    }
}

/// The table that `keyward methods` prints.
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<_> = self.ours.iter().collect();
        rows.sort_by_key(|(path, _)| *path);
        writeln!(f, "| method | who | device id | throttle |")?;
        writeln!(f, "| --- | --- | --- | --- |")?;
        for (path, policy) in rows {
            let name = path.trim_start_matches('/').trim_start_matches(PACKAGE).trim_start_matches('.');
            let who = match &policy.access {
                Access::Public => "anyone".to_owned(),
                Access::User => "a signed-in user".to_owned(),
                Access::Permission(permission) => format!("`{permission}`"),
            };
            let device = if policy.needs_device { "needed" } else { "" };
            writeln!(f, "| {name} | {who} | {device} | {} |", policy.throttle.as_str())?;
        }
        Ok(())
    }
}

fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

fn policy(method: &MethodDescriptor, declared: Option<&Value>) -> Result<MethodPolicy, PolicyError> {
    let incomplete = |part| PolicyError::Incomplete { method: method.full_name().to_owned(), part };
    let declared = declared.and_then(Value::as_message).ok_or_else(|| incomplete("whole"))?;
    let declared: pb::MethodPolicy = declared.transcode_to().map_err(|_| incomplete("whole"))?;
    let permission = permission_name(declared.permission());
    let access = match (declared.access(), permission) {
        (pb::Access::Public, None) => Access::Public,
        (pb::Access::User, None) => Access::User,
        (pb::Access::Permission, Some(permission)) => Access::Permission(permission),
        _ => return Err(incomplete("access")),
    };
    let needs_device = match declared.device() {
        pb::DeviceRequirement::Unspecified => return Err(incomplete("device")),
        pb::DeviceRequirement::Required => true,
        pb::DeviceRequirement::NotRequired => false,
    };
    let throttle = throttle(declared.throttle()).ok_or_else(|| incomplete("throttle"))?;
    Ok(MethodPolicy { access, needs_device, throttle })
}

/// `PERMISSION_SERVICE_KEYS_READ` is `service_keys.read`.
fn permission_name(permission: pb::Permission) -> Option<String> {
    let name = permission.as_str_name().strip_prefix("PERMISSION_")?.to_lowercase();
    let (noun, verb) = name.rsplit_once('_')?;
    Some(format!("{noun}.{verb}"))
}

/// `THROTTLE_RESEND_CODE` is `resend_code`, as in the configuration.
fn throttle(declared: pb::Throttle) -> Option<Throttle> {
    if declared == pb::Throttle::None {
        return Some(Throttle::ButKnownServices);
    }
    Operation::from_name(&declared.as_str_name().strip_prefix("THROTTLE_")?.to_lowercase()).map(Throttle::Every)
}
