//! WatchRevocations: the revocation feed for other services.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use futures::stream;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::error::Error;
use crate::flows::revocations::{self, News, Watch};
use crate::model::revocation::{FeedPlace, Revoked, StaleUser};
use crate::proto::keyward::v1::{self as pb, WatchRevocationsRequest, WatchRevocationsResponse};
use crate::rpc::accept::accept_as;
use crate::rpc::watch::{Messages, Watcher, messages};
use crate::rpc::{convert, cursor};

/// What cursors are made for.
const METHOD: &str = "WatchRevocations";

/// How often there is a message at least.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// How often it is asked whether the caller may still watch.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// A stream under way.
struct Watching {
    watcher: Watcher,
    watch: Watch,
    told_at: Option<Instant>,
}

pub(super) async fn watch(
    app: &Arc<App>,
    request: Request<WatchRevocationsRequest>,
) -> Result<Response<Messages<WatchRevocationsResponse>>, Status> {
    let (call, after) = accept_as(request, |call| place(app, &call.message.cursor))?;
    let watch = revocations::watch(app, after).await?;
    let watching = Watching { watcher: Watcher::of(app, &call)?, watch, told_at: None };
    Ok(Response::new(messages(stream::try_unfold(watching, next), call.connection_old()?)))
}

/// The place that a cursor stands for; none at the beginning.
fn place(app: &App, cursor: &str) -> Result<Option<FeedPlace>, Error> {
    match cursor::read(&app.master, METHOD, cursor) {
        Ok(place) => Ok(place.and_then(|[started_at, sequence]| {
            Some(FeedPlace { sequence, server_started_at: DateTime::from_timestamp_micros(started_at)? })
        })),
        // One of an earlier version, which does not say of which server it is: its watcher is told everything again.
        Err(Error::CursorInvalid) => cursor::read::<1>(&app.master, METHOD, cursor).map(|_| None),
        Err(error) => Err(error),
    }
}

/// The next message, with what the one after it needs; none when the service drains.
async fn next(mut watching: Watching) -> Result<Option<(WatchRevocationsResponse, Watching)>, Status> {
    let app = watching.watcher.app.clone();
    while !app.draining.is_cancelled() {
        watching.watcher.is_still_admitted().await?;
        let silent = watching.told_at.is_none_or(|told_at| told_at.elapsed() >= HEARTBEAT);
        if silent || watching.watch.has_news() {
            watching.told_at = Some(Instant::now());
            let message = message(&app, watching.watch.news(&app).await?);
            return Ok(Some((message, watching)));
        }
        tokio::select! {
            () = watching.watch.changed() => {}
            () = tokio::time::sleep(CHECK_INTERVAL) => {}
            () = app.draining.cancelled() => {}
        }
    }
    Ok(None)
}

fn message(app: &App, news: News) -> WatchRevocationsResponse {
    let (mut revoked_session_ids, mut stale_users) = (Vec::new(), Vec::new());
    for revoked in news.revoked {
        match revoked {
            Revoked::Session(session_id) => revoked_session_ids.push(session_id.to_string()),
            Revoked::StaleUser(user) => stale_users.push(user.into()),
        }
    }
    let FeedPlace { sequence, server_started_at } = news.position;
    let cursor = cursor::write(&app.master, METHOD, [server_started_at.timestamp_micros(), sequence]);
    let feed_age = prost_types::Duration::try_from(news.age).ok();
    WatchRevocationsResponse { revoked_session_ids, stale_users, cursor, feed_age }
}

impl From<StaleUser> for pb::StaleUser {
    fn from(user: StaleUser) -> Self {
        let issued_before = Some(convert::timestamp(user.issued_before));
        Self { user_id: user.user_id.to_string(), issued_before }
    }
}
