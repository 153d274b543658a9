//! The audit trail: what goes on record, that it stays, and how it is looked through and followed.

mod failing;
mod flood;
mod keeping;
mod listing;
mod newer;
mod recording;
mod tail;
mod unrecorded;
mod watching;

use std::collections::BTreeMap;

use keyward::proto::keyward::v1::audit_event::Kind;
use keyward::proto::keyward::v1::{AuditEvent, ListAuditEventsRequest, ListAuditEventsResponse};

use crate::harness::{Device, Refusal, answer};

/// A page of the trail.
async fn list(device: &Device, request: ListAuditEventsRequest) -> Result<ListAuditEventsResponse, Refusal> {
    answer(device.admin().list_audit_events(request).await)
}

/// The events of a kind, which fit a page.
async fn of_kind(device: &Device, kind: Kind) -> Vec<AuditEvent> {
    let request = ListAuditEventsRequest { kinds: vec![kind.into()], page_size: 100, ..Default::default() };
    let page = list(device, request).await.unwrap();
    assert_eq!(page.next_page_token, "");
    page.audit_events
}

/// The details of an event, sorted.
fn details(event: &AuditEvent) -> Vec<(&str, &str)> {
    let sorted: BTreeMap<_, _> = event.details.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    sorted.into_iter().collect()
}
