//! ListAuditEvents and WatchAuditEvents.

mod watching;

use prost_types::Timestamp;
use tonic::{Request, Response, Status};

pub(super) use watching::watch;

use super::Admin;
use crate::error::Error;
use crate::flows::audit;
use crate::model::audit::{AuditEvent, EventFilter, EventKind};
use crate::model::device::DeviceId;
use crate::proto::keyward::v1::audit_event::{ActorType, Kind, SubjectType};
use crate::proto::keyward::v1::{self as pb, ListAuditEventsRequest, ListAuditEventsResponse};
use crate::rpc::accept::accept_as;
use crate::rpc::convert::{self, timestamp};
use crate::rpc::fields::all;
use crate::rpc::page::{self, List};

pub(super) async fn list(
    Admin(app): &Admin,
    request: Request<ListAuditEventsRequest>,
) -> Result<Response<ListAuditEventsResponse>, Status> {
    let (call, (filter, list, after)) = accept_as(request, |call| {
        let filter = list_filter(&call.message)?;
        let caller = call.act()?.actor.id().unwrap_or_default();
        let list = List::new(&app.master, "ListAuditEvents", caller).by(identity(&filter));
        let after = list.after(&call.message.page_token)?;
        Ok((filter, list, after))
    })?;
    let size = page::size(call.message.page_size);
    let found = audit::list(app, &filter, after, size.saturating_add(1)).await?;
    let (events, next_page_token) = list.page(found, size, |event| event.audit_event_id.uuid());
    Ok(Response::new(ListAuditEventsResponse {
        audit_events: events.into_iter().map(Into::into).collect(),
        next_page_token,
    }))
}

fn list_filter(request: &ListAuditEventsRequest) -> Result<EventFilter, Error> {
    let end = request.end_time.map(|time| convert::time("end_time", time)).transpose();
    let filter = filter((&request.actor_id, &request.subject_id, &request.kinds), request.start_time);
    let (end, filter) = all((end, filter))?;
    Ok(EventFilter { end, ..filter })
}

/// What both methods filter by.
fn filter((actor_id, subject_id, kinds): (&str, &str, &[i32]), start: Option<Timestamp>) -> Result<EventFilter, Error> {
    let actor_id = (!actor_id.is_empty()).then(|| convert::id("actor_id", actor_id)).transpose();
    let start = start.map(|time| convert::time("start_time", time)).transpose();
    let subject_id = (!subject_id.is_empty()).then(|| subject_id.to_owned());
    let kind = |number: &i32| Kind::try_from(*number).ok().and_then(model_kind);
    let kinds: Option<Vec<_>> = kinds.iter().map(kind).collect();
    let kinds = kinds.ok_or_else(|| Error::invalid("kinds", "must be kinds of audit events"));
    let (actor_id, mut kinds, start) = all((actor_id, kinds, start))?;
    kinds.sort_unstable();
    Ok(EventFilter { actor_id, subject_id, kinds, start, end: None })
}

/// A filter, for the tokens and cursors that are good for no other.
fn identity(filter: &EventFilter) -> String {
    let EventFilter { actor_id, subject_id, kinds, start, end } = filter;
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    // The quoted text cannot be mistaken for what stands beside it.
    format!("{actor_id:?} {subject_id:?} {kinds:?} {start:?} {end:?}")
}

fn model_kind(kind: Kind) -> Option<EventKind> {
    EventKind::from_name(kind.as_str_name().strip_prefix("KIND_")?)
}

impl From<EventKind> for Kind {
    fn from(kind: EventKind) -> Self {
        Self::from_str_name(&format!("KIND_{}", kind.as_str())).unwrap_or_default()
    }
}

impl From<AuditEvent> for pb::AuditEvent {
    fn from(event: AuditEvent) -> Self {
        let AuditEvent { audit_event_id, created_at, kind, by, subject, details, .. } = event;
        let actor_type = ActorType::from_str_name(&format!("ACTOR_TYPE_{}", by.actor.type_name()));
        let subject_type = subject.type_name().map(|name| format!("SUBJECT_TYPE_{name}"));
        let subject_type = subject_type.and_then(|name| SubjectType::from_str_name(&name));
        Self {
            audit_event_id: audit_event_id.to_string(),
            create_time: Some(timestamp(created_at)),
            kind: kind.map(Kind::from).unwrap_or_default().into(),
            actor_type: actor_type.unwrap_or_default().into(),
            actor_id: by.actor.id().map(|id| id.to_string()).unwrap_or_default(),
            subject_type: subject_type.unwrap_or_default().into(),
            subject_id: subject.id().unwrap_or_default(),
            ip_address: by.ip_address.map(|address| address.to_string()).unwrap_or_default(),
            device_id: by.device_id.map(DeviceId::into).unwrap_or_default(),
            request_id: by.request_id,
            details: details.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{ActorType, AuditEvent, EventKind, Kind, SubjectType, model_kind, pb};
    use crate::model::audit::{Act, Actor, Subject};
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    #[test]
    fn kinds_are_the_same_here_and_there() {
        for kind in EventKind::ALL {
            assert_eq!(model_kind(Kind::from(*kind)), Some(*kind));
        }
        let declared = (1..).map_while(|number| Kind::try_from(number).ok());
        assert_eq!(declared.map(|kind| model_kind(kind).unwrap()).collect::<Vec<_>>(), EventKind::ALL);
    }

    #[test]
    fn actors_and_subjects_have_their_types() {
        let (now, id) = (DateTime::<Utc>::UNIX_EPOCH, Uuid::from_u128(7));
        let actors = [
            (Actor::Anonymous, ActorType::Anonymous),
            (Actor::User(id.into()), ActorType::User),
            (Actor::ServiceKey(id.into()), ActorType::ServiceKey),
            (Actor::Operator, ActorType::Operator),
            (Actor::System, ActorType::System),
            (Actor::Unknown(None), ActorType::Unspecified),
            (Actor::Unknown(Some(id)), ActorType::Unspecified),
        ];
        let subjects = [
            (Subject::Nothing, SubjectType::Unspecified),
            (Subject::User(id.into()), SubjectType::User),
            (Subject::Session(id.into()), SubjectType::Session),
            (Subject::Registration(id.into()), SubjectType::Registration),
            (Subject::Role("support".to_owned()), SubjectType::Role),
            (Subject::NetworkRule(id.into()), SubjectType::NetworkRule),
            (Subject::Lockout("l".to_owned()), SubjectType::Lockout),
            (Subject::ServiceKey(id.into()), SubjectType::ServiceKey),
            (Subject::SigningKey("k".to_owned()), SubjectType::SigningKey),
            (Subject::Unknown("u".to_owned()), SubjectType::Unspecified),
        ];
        for (actor, actor_type) in actors {
            for (subject, subject_type) in &subjects {
                assert_eq!(Actor::from_stored(actor.type_name(), actor.id()), actor);
                assert_eq!(&Subject::from_stored(subject.type_name(), subject.id().as_deref()), subject);
                let shown: pb::AuditEvent = AuditEvent {
                    audit_event_id: id.into(),
                    sequence: 1,
                    created_at: now,
                    kind: Some(EventKind::LoginFailed),
                    by: Act { actor, ..Act::system() },
                    subject: subject.clone(),
                    details: Vec::new(),
                }
                .into();
                assert_eq!((shown.actor_type(), shown.subject_type()), (actor_type, *subject_type));
                assert_eq!(shown.subject_id, subject.id().unwrap_or_default());
            }
        }
    }
}
