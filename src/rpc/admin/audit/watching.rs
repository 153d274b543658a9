//! WatchAuditEvents: a stream that goes on until its client leaves, may not have it any more, or the service stops.

use std::time::Duration;

use futures::stream;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::{Admin, filter, identity};
use crate::flows::audit::{self, Watch};
use crate::model::audit::EventFilter;
use crate::proto::keyward::v1::{WatchAuditEventsRequest, WatchAuditEventsResponse};
use crate::rpc::accept::accept_as;
use crate::rpc::cursor;
use crate::rpc::watch::{Messages, Watcher, messages};

/// After how long without an event a message comes all the same.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A stream under way.
struct Watching {
    watcher: Watcher,
    watch: Watch,
    /// What its cursors are made for.
    stream: String,
    told_at: Option<Instant>,
}

pub(in crate::rpc::admin) async fn watch(
    Admin(app): &Admin,
    request: Request<WatchAuditEventsRequest>,
) -> Result<Response<Messages<WatchAuditEventsResponse>>, Status> {
    let (call, (filter, stream, after)) = accept_as(request, |call| {
        let WatchAuditEventsRequest { actor_id, subject_id, kinds, start_time, cursor } = &call.message;
        let filter = filter((actor_id, subject_id, kinds), *start_time)?;
        // A cursor is good for anyone who may watch, and for no other filter. Where the stream began is no part of that.
        let stream = format!("WatchAuditEvents {}", identity(&EventFilter { start: None, ..filter.clone() }));
        let after = cursor::read(&app.master, &stream, cursor)?.map(|[place]| place);
        Ok((filter, stream, after))
    })?;
    let watcher = Watcher::of(app, &call)?;
    let watch = audit::watch(app.clone(), filter, after).await?;
    let watching = Watching { watcher, watch, stream, told_at: None };
    Ok(Response::new(messages(stream::try_unfold(watching, next), call.connection_old()?)))
}

/// The next message, with what the one after it needs; none when the service stops.
async fn next(mut watching: Watching) -> Result<Option<(WatchAuditEventsResponse, Watching)>, Status> {
    loop {
        watching.watcher.is_still_admitted().await?;
        let Some(events) = watching.watch.next().await? else { return Ok(None) };
        if events.is_empty() {
            if watching.told_at.is_some_and(|told_at| told_at.elapsed() < HEARTBEAT) {
                continue;
            }
            // Nothing new is one thing, not to know of it another.
            audit::follow(&watching.watcher.app).await?;
        }
        watching.told_at = Some(Instant::now());
        let cursor = cursor::write(&watching.watcher.app.master, &watching.stream, [watching.watch.position()]);
        let audit_events = events.into_iter().map(Into::into).collect();
        return Ok(Some((WatchAuditEventsResponse { audit_events, cursor }, watching)));
    }
}
