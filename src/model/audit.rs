//! The audit trail: who did what to whom, from where and when.

mod kind;
mod subject;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::device::DeviceId;
use super::id::{AuditEventId, ServiceKeyId, UserId};
use super::origin::DeviceOrigin;

pub use kind::EventKind;
pub use subject::Subject;

/// What stands for a kind or a type that only a newer version knows. [`AuditEvent::details`] name it.
pub const UNSPECIFIED: &str = "UNSPECIFIED";

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Someone who has not signed in.
    Anonymous,
    /// A signed-in user.
    User(UserId),
    /// An internal service with its service key.
    ServiceKey(ServiceKeyId),
    /// An operator at the command line.
    Operator,
    /// The service itself.
    System,
    /// One of a type that only a newer version knows. Read and never written: the database refuses its name.
    Unknown(Option<Uuid>),
}

impl Actor {
    /// The name under which this type of actor is stored.
    #[must_use]
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Anonymous => "ANONYMOUS",
            Self::User(_) => "USER",
            Self::ServiceKey(_) => "SERVICE_KEY",
            Self::Operator => "OPERATOR",
            Self::System => "SYSTEM",
            Self::Unknown(_) => UNSPECIFIED,
        }
    }

    /// Which user or service key it is, if it is one.
    #[must_use]
    pub const fn id(self) -> Option<Uuid> {
        match self {
            Self::User(user_id) => Some(user_id.uuid()),
            Self::ServiceKey(service_key_id) => Some(service_key_id.uuid()),
            Self::Unknown(id) => id,
            Self::Anonymous | Self::Operator | Self::System => None,
        }
    }

    /// The actor that is stored so.
    #[must_use]
    pub fn from_stored(type_name: &str, id: Option<Uuid>) -> Self {
        match (type_name, id) {
            ("ANONYMOUS", None) => Self::Anonymous,
            ("USER", Some(id)) => Self::User(id.into()),
            ("SERVICE_KEY", Some(id)) => Self::ServiceKey(id.into()),
            ("OPERATOR", None) => Self::Operator,
            ("SYSTEM", None) => Self::System,
            (_, id) => Self::Unknown(id),
        }
    }
}

/// Who acts, and from where: what all events of one call have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Who.
    pub actor: Actor,
    /// The address of the call; `None` when there was none.
    pub ip_address: Option<IpAddr>,
    /// The device that the call names, if any.
    pub device_id: Option<DeviceId>,
    /// The call's request id; empty when there was no call.
    pub request_id: String,
}

impl Act {
    /// What an operator does at the command line.
    #[must_use]
    pub const fn operator() -> Self {
        Self::without_call(Actor::Operator)
    }

    /// What the service does by itself.
    #[must_use]
    pub const fn system() -> Self {
        Self::without_call(Actor::System)
    }

    const fn without_call(actor: Actor) -> Self {
        Self { actor, ip_address: None, device_id: None, request_id: String::new() }
    }
}

impl DeviceOrigin {
    /// What `actor` does in a call from here.
    #[must_use]
    pub fn act(&self, actor: Actor) -> Act {
        let Self { origin, device_id } = self;
        Act {
            actor,
            ip_address: Some(origin.ip_address),
            device_id: Some(device_id.clone()),
            request_id: origin.request_id.clone(),
        }
    }
}

/// Something to put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// What it was done to.
    pub subject: Subject,
    /// What else is worth knowing, by name. Never a secret, and no address or name of a person: the trail outlives them.
    pub details: Vec<(&'static str, String)>,
}

impl Event {
    /// An event with nothing more to say of it.
    #[must_use]
    pub const fn new(kind: EventKind, subject: Subject) -> Self {
        Self { kind, subject, details: Vec::new() }
    }

    /// With a detail more.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "details are made where they are handed over")]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.details.push((name, value.to_string()));
        self
    }
}

/// An event with who caused it and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Who caused it, and from where.
    pub by: Act,
    /// What happened.
    pub event: Event,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// How many events it stands for, of which it tells the latest.
    pub count: u64,
}

/// Which events to look for: what is `None`, or empty, matches any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The user or service key that caused them.
    pub actor_id: Option<Uuid>,
    /// What they are about, by its identifier.
    pub subject_id: Option<String>,
    /// What happened.
    pub kinds: Vec<EventKind>,
    /// When they happened at the earliest.
    pub start: Option<DateTime<Utc>>,
    /// Before when they happened.
    pub end: Option<DateTime<Utc>>,
}

/// Something on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its identifier.
    pub audit_event_id: AuditEventId,
    /// Its place in the order of recording.
    pub sequence: i64,
    /// When it happened.
    pub created_at: DateTime<Utc>,
    /// What happened; `None` when only a newer version knows the kind.
    pub kind: Option<EventKind>,
    /// Who did it, and from where.
    pub by: Act,
    /// What it was done to.
    pub subject: Subject,
    /// What else is worth knowing, by name. A kind or type that is not known here is told as it is stored, under
    /// `unknown_kind`, `unknown_actor_type` or `unknown_subject_type`.
    pub details: Vec<(String, String)>,
}

impl AuditEvent {
    /// The name of its kind.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        self.kind.map_or(UNSPECIFIED, EventKind::as_str)
    }
}
