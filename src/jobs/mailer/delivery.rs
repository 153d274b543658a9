//! One attempt to deliver one mail, and what is noted of it.

use chrono::{DateTime, Utc};

use super::pause::Times;
use crate::app::App;
use crate::clock;
use crate::error::{Error, causes};
use crate::flows::outbox;
use crate::mail::{Fault, Mail, SendError};
use crate::model::id::MailId;
use crate::store::pg::mail_outbox::{self, ClaimedMail};

/// What is known of a mail without opening it.
#[derive(Clone, Debug)]
struct Label {
    mail_id: MailId,
    kind: String,
    attempt: u16,
    times: Times,
}

/// A mail that is about to be sent.
#[derive(Debug)]
pub(super) struct Delivery {
    label: Label,
    mail: Mail,
}

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    label: Label,
    /// How it ended.
    pub(super) outcome: Result<(), SendError>,
}

impl Delivery {
    /// Opens a mail. `None` when there is nothing to send: the mail is over and given up, or it cannot be opened and is put off or
    /// given up.
    pub(super) async fn open(app: &App, claimed: ClaimedMail, now: DateTime<Utc>) -> Result<Option<Self>, Error> {
        let ClaimedMail { mail, attempt, created_at } = claimed;
        let times = Times { created_at, expires_at: mail.expires_at };
        let label = Label { mail_id: mail.mail_id, kind: mail.kind.clone(), attempt, times };
        if times.is_over(now) {
            label.give_up(app, "failed", now).await?;
            tracing::warn!(mail.id = %label.mail_id, mail.kind = label.kind, "a mail expired before it could be sent");
            return Ok(None);
        }
        match outbox::open(app, &mail) {
            Ok(mail) => Ok(Some(Self { label, mail })),
            // Sealed under a master key that this replica does not have: another one may, or this one soon.
            Err(error) => {
                let error = causes(&error);
                match times.pause(attempt) {
                    Some(pause) => label.put_off(app, clock::add(now, pause)).await?,
                    None => label.give_up(app, "failed", now).await?,
                }
                let is_given_up = times.pause(attempt).is_none();
                tracing::error!(mail.id = %label.mail_id, attempt, is_given_up, error, "a mail cannot be opened");
                Ok(None)
            }
        }
    }

    /// The domain that the mail goes to.
    pub(super) fn domain(&self) -> &str {
        self.mail.to.domain()
    }

    /// Makes the attempt.
    pub(super) async fn send(self, app: &App) -> Ended {
        let outcome = app.mailer.send(self.label.mail_id, &self.mail, app.clock.now()).await;
        Ended { label: self.label, outcome }
    }
}

impl Ended {
    /// Which mail it was.
    pub(super) const fn mail_id(&self) -> MailId {
        self.label.mail_id
    }

    /// Notes what became of the mail. Where no mail can leave, `next_at` is when the next one is tried.
    pub(super) async fn conclude(self, app: &App, next_at: Option<DateTime<Utc>>) -> Result<(), Error> {
        let Self { label, outcome } = self;
        let now = app.clock.now();
        let Err(error) = outcome else {
            mail_outbox::update_delivered(&mut *app.job_pool.get().await?, label.mail_id, now).await?;
            app.metrics.mail_ended("ok");
            let Label { mail_id, kind, attempt, .. } = label;
            tracing::info!(mail.id = %mail_id, mail.kind = kind, attempt, "a mail was delivered");
            return Ok(());
        };
        let pause = match error.fault() {
            Fault::Mail => None,
            Fault::Passing => label.times.pause(label.attempt),
            Fault::Ours => Some(label.times.pause_for_operator(label.attempt)),
            Fault::WayOut => {
                // Says nothing of this mail: the attempt does not count.
                let due_at = next_at.unwrap_or(now);
                mail_outbox::release(&mut *app.job_pool.get().await?, label.mail_id, due_at).await?;
                label.tell(&error, "a mail is put off, as no mail can leave");
                return Ok(());
            }
        };
        if let Some(pause) = pause {
            label.put_off(app, clock::add(now, pause)).await?;
            label.tell(&error, "a mail is put off");
            return Ok(());
        }
        label.give_up(app, if error.fault() == Fault::Mail { "refused" } else { "failed" }, now).await?;
        let (error, Label { mail_id, kind, attempt, .. }) = (error.with_causes(), label);
        tracing::error!(mail.id = %mail_id, mail.kind = kind, attempt, error, "a mail is given up");
        Ok(())
    }
}

impl Label {
    async fn put_off(&self, app: &App, due_at: DateTime<Utc>) -> Result<(), Error> {
        Ok(mail_outbox::update_due(&mut *app.job_pool.get().await?, self.mail_id, due_at).await?)
    }

    async fn give_up(&self, app: &App, outcome: &'static str, now: DateTime<Utc>) -> Result<(), Error> {
        mail_outbox::update_dead(&mut *app.job_pool.get().await?, self.mail_id, now).await?;
        app.metrics.mail_ended(outcome);
        Ok(())
    }

    /// Logs a failure: loudly where it lasts until an operator mends it.
    fn tell(&self, error: &SendError, message: &str) {
        let Self { mail_id, kind, attempt, .. } = self;
        let causes = error.with_causes();
        if error.needs_an_operator() {
            tracing::error!(mail.id = %mail_id, mail.kind = kind, attempt, error = causes, "{message}");
        } else {
            tracing::warn!(mail.id = %mail_id, mail.kind = kind, attempt, error = causes, "{message}");
        }
    }
}
