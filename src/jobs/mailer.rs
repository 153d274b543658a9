//! Delivers the outbox: the newest mail first, several at a time, each leased, tried again with pauses, then given up.
//!
//! Whether a mail is tried again depends on whose [`Fault`](crate::mail::Fault) it was. A mail whose code has expired is not
//! sent any more.

mod delivery;
mod gate;
mod lanes;
mod pause;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::delivery::{Delivery, Ended};
use self::gate::{Gate, Seen};
use self::lanes::{Lanes, SLOW_AFTER};
use super::pause as rest;
use crate::app::App;
use crate::clock;
use crate::error::{Error, causes};
use crate::mail::Fault;
use crate::store::pg::mail_outbox::{self, ClaimedMail};

/// How often the outbox is looked into without being told: for mail of other replicas, and mail put off.
const INTERVAL: Duration = Duration::from_secs(1);

/// How much longer than one attempt a mail is leased, so that a replica that dies holds it up only briefly.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// When a mail to a domain that is slow at the moment is looked at again.
const SLOW_DOMAIN_PAUSE: Duration = Duration::from_secs(2);

/// How often the metrics of the backlog are read.
const BACKLOG_INTERVAL: Duration = Duration::from_secs(10);

/// Delivers what is due. A mail that is being sent when the service stops is sent to its end: broken off, it might come twice.
pub(super) async fn run(app: Arc<App>, shutdown: CancellationToken) {
    let mut mailer = Mailer { app, gate: Gate::default(), lanes: Lanes::default(), backlog_read_at: None };
    while !shutdown.is_cancelled() {
        if let Err(error) = mailer.round().await {
            tracing::debug!(error = causes(&error), "the outbox cannot be read");
            rest(INTERVAL, &shutdown).await;
        }
        // Whichever comes first; being told while a round is under way is remembered.
        let longest = if mailer.lanes.free(Instant::now()) == 0 { SLOW_AFTER / 2 } else { INTERVAL };
        let app = mailer.app.clone();
        let ended = tokio::select! {
            Some(ended) = mailer.lanes.next() => Some(ended),
            () = app.outbox_filled.notified() => None,
            () = rest(longest, &shutdown) => None,
        };
        if let Some((seen, ended)) = ended {
            mailer.conclude(seen, ended).await;
        }
    }
    while let Some((seen, ended)) = mailer.lanes.next().await {
        mailer.conclude(seen, ended).await;
    }
}

/// The mailer of this replica.
struct Mailer {
    app: Arc<App>,
    gate: Gate,
    lanes: Lanes<Ended>,
    backlog_read_at: Option<Instant>,
}

impl Mailer {
    /// Begins as many deliveries as there is mail and room for.
    async fn round(&mut self) -> Result<(), Error> {
        self.read_backlog().await?;
        loop {
            let now = self.app.clock.now();
            let room = self.gate.admits(self.lanes.free(Instant::now()), self.lanes.busy(), now);
            if room == 0 {
                return Ok(());
            }
            let claimed = self.claim(room, now).await?;
            let is_last = claimed.len() < room;
            for mail in claimed {
                self.begin(mail, now).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn claim(&self, room: usize, now: DateTime<Utc>) -> Result<Vec<ClaimedMail>, Error> {
        let lease_ends_at = clock::add(now, self.app.config.mail.timeout + LEASE_MARGIN);
        let limit = u16::try_from(room).unwrap_or(u16::MAX);
        Ok(mail_outbox::claim(&mut *self.app.job_pool.get().await?, now, lease_ends_at, limit).await?)
    }

    /// Begins the delivery of a mail, unless its domain is slow or the mail is over or cannot be opened.
    async fn begin(&mut self, claimed: ClaimedMail, now: DateTime<Utc>) -> Result<(), Error> {
        let mail_id = claimed.mail.mail_id;
        let Some(delivery) = Delivery::open(&self.app, claimed, now).await? else { return Ok(()) };
        let began_at = Instant::now();
        if self.lanes.is_slow(delivery.domain(), began_at) {
            let due_at = clock::add(now, SLOW_DOMAIN_PAUSE);
            mail_outbox::release(&mut *self.app.job_pool.get().await?, mail_id, due_at).await?;
            return Ok(());
        }
        let (domain, app) = (delivery.domain().to_owned(), self.app.clone());
        self.lanes.begin((domain, self.gate.seen(), began_at), async move { delivery.send(&app).await });
        Ok(())
    }

    /// Notes what became of a mail whose delivery has ended.
    async fn conclude(&mut self, seen: Seen, ended: Option<Ended>) {
        let Some(ended) = ended else {
            // The mail's lease runs out and it is tried again.
            tracing::error!("the delivery of a mail panicked");
            return;
        };
        let due_at = match &ended.outcome {
            Err(error) if error.fault() == Fault::WayOut => Some(self.gate.failed(seen, self.app.clock.now())),
            _ => {
                self.gate.passed();
                None
            }
        };
        let mail_id = ended.mail_id();
        if let Err(error) = ended.conclude(&self.app, due_at).await {
            // Its lease runs out and it is tried again; it may come twice, but it comes.
            tracing::warn!(mail.id = %mail_id, error = causes(&error), "what became of a mail could not be noted");
        }
    }

    async fn read_backlog(&mut self) -> Result<(), Error> {
        if self.backlog_read_at.is_some_and(|read_at| read_at.elapsed() < BACKLOG_INTERVAL) {
            return Ok(());
        }
        let backlog = mail_outbox::find_backlog(&mut *self.app.job_pool.get().await?).await?;
        let oldest = backlog.oldest_created_at.map_or(0, |at| (self.app.clock.now() - at).num_seconds().max(0));
        self.app.metrics.mail_waits(backlog.pending, oldest);
        self.backlog_read_at = Some(Instant::now());
        Ok(())
    }
}
