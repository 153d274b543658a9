//! Delivers the outbox: several mails at a time, each leased, tried up to ten times, then given up.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio_util::sync::CancellationToken;

use super::pause;
use crate::app::App;
use crate::clock;
use crate::error::{Error, causes};
use crate::flows::outbox;
use crate::store::pg::mail_outbox::{self, ClaimedMail};

/// How many mails are delivered at once.
const BATCH: u16 = 8;

/// How often the outbox is looked into without being told: for mail of other replicas, and mail put off.
const INTERVAL: Duration = Duration::from_secs(1);

/// How much longer than one attempt a mail is leased, so that a replica that dies holds it up only briefly.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// When a mail that cannot be opened is tried again.
const UNOPENABLE_RETRY: Duration = Duration::from_mins(1);

/// How long to wait after each failed attempt. Codes live for minutes, so the first ones come soon.
const BACKOFF: [Duration; 9] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_hours(1),
];

/// Delivers what is due. A mail that is being sent when the service stops is sent to its end, lest it come twice.
pub(super) async fn run(app: Arc<App>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match deliver_batch(&app).await {
            Ok(0) => {
                // Whichever comes first; being told while a batch is under way is remembered.
                tokio::select! {
                    () = app.outbox_filled.notified() => {}
                    () = pause(INTERVAL, &shutdown) => {}
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(error = causes(&error), "the outbox cannot be read");
                pause(INTERVAL, &shutdown).await;
            }
        }
    }
}

async fn deliver_batch(app: &App) -> Result<usize, Error> {
    let now = app.clock.now();
    let lease_ends_at = clock::add(now, app.config.mail.timeout + LEASE_MARGIN);
    let claimed = mail_outbox::claim(&mut *app.job_pool.get().await?, now, lease_ends_at, BATCH).await?;
    let count = claimed.len();
    stream::iter(claimed)
        .for_each_concurrent(None, async |claimed| {
            let mail_id = claimed.mail.mail_id;
            if let Err(error) = deliver(app, claimed).await {
                // Its lease runs out and it is tried again; it may come twice, but it comes.
                tracing::warn!(mail.id = %mail_id, error = causes(&error), "what became of a mail could not be noted");
            }
        })
        .await;
    Ok(count)
}

async fn deliver(app: &App, claimed: ClaimedMail) -> Result<(), Error> {
    let ClaimedMail { mail, attempt } = claimed;
    let opened = match outbox::open(app, &mail) {
        Ok(opened) => opened,
        Err(error) => {
            // Sealed under a master key that this replica does not have: another one may, or this one soon. It is not lost.
            let due_at = clock::add(app.clock.now(), UNOPENABLE_RETRY);
            mail_outbox::update_due(&mut *app.job_pool.get().await?, mail.mail_id, due_at).await?;
            tracing::error!(mail.id = %mail.mail_id, error = causes(&error), "a mail cannot be opened and is kept");
            return Ok(());
        }
    };
    let sent = app.mailer.send(mail.mail_id, &opened, app.clock.now()).await;
    let outcome = sent.map_err(|error| (error.is_permanent(), error.to_string()));
    let now = app.clock.now();
    let mut conn = app.job_pool.get().await?;
    match outcome {
        Ok(()) => {
            mail_outbox::update_delivered(&mut conn, mail.mail_id, now).await?;
            tracing::info!(mail.id = %mail.mail_id, mail.kind = mail.kind, attempt, "a mail was delivered");
        }
        Err((permanent, error)) => match BACKOFF.get(usize::from(attempt.saturating_sub(1))) {
            Some(delay) if !permanent => {
                mail_outbox::update_due(&mut conn, mail.mail_id, clock::add(now, *delay)).await?;
                tracing::warn!(mail.id = %mail.mail_id, mail.kind = mail.kind, attempt, error, "a mail is put off");
            }
            _ => {
                mail_outbox::update_dead(&mut conn, mail.mail_id, now).await?;
                tracing::error!(mail.id = %mail.mail_id, mail.kind = mail.kind, attempt, error, "a mail is given up");
            }
        },
    }
    Ok(())
}
