//! When service keys are used, and what for: noted in memory on the way of a call, written by a job.
//!
//! A change that is made with a key has an event of its own in the audit trail, in the transaction that makes it. Beyond that
//! the trail has the methods of administration that are called with a key, and each of them once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::flows::audit;
use crate::model::audit::{Act, Event, EventKind, Subject};
use crate::model::id::ServiceKeyId;
use crate::store::pg::service_keys;

/// How often the same use of a key is written at most.
const INTERVAL: Duration = Duration::from_mins(1);

/// The uses of keys that this replica has seen.
#[derive(Debug, Default)]
pub struct KeyUses(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// What was written last, or is about to be, of each key: its use as such, and its use for each method.
    last: HashMap<(ServiceKeyId, Option<String>), DateTime<Utc>>,
    /// What is to be written.
    pending: Vec<Use>,
}

/// One use of a key.
#[derive(Clone, Debug)]
struct Use {
    service_key_id: ServiceKeyId,
    at: DateTime<Utc>,
    /// The method of administration that was called, and by whom it was.
    administration: Option<(String, Act)>,
}

impl KeyUses {
    fn note(&self, noted: Use) {
        let method = noted.administration.as_ref().map(|(method, _)| method.clone());
        let Noted { last, pending } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.entry((noted.service_key_id, method)).or_insert(DateTime::<Utc>::MIN_UTC);
        if noted.at >= clock::add(*last, INTERVAL) {
            *last = noted.at;
            pending.push(noted);
        }
    }

    fn take_pending(&self) -> Vec<Use> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).pending)
    }

    fn put_back(&self, mut uses: Vec<Use>) {
        let pending = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).pending;
        uses.append(pending);
        *pending = uses;
    }
}

/// Notes that a key was used.
pub fn note_use(app: &App, service_key_id: ServiceKeyId) {
    app.key_uses.note(Use { service_key_id, at: app.clock.now(), administration: None });
}

/// Notes that a method of administration was called with a key that permits it.
pub fn note_administration(app: &App, service_key_id: ServiceKeyId, method: &str, by: Act) {
    let administration = Some((method.to_owned(), by));
    app.key_uses.note(Use { service_key_id, at: app.clock.now(), administration });
}

/// Writes what was noted.
///
/// # Errors
/// A failure of ours; what was to be written is kept.
pub async fn record_uses(app: &App) -> Result<(), Error> {
    let uses = app.key_uses.take_pending();
    if uses.is_empty() {
        return Ok(());
    }
    let outcome = write(app, &uses).await;
    if outcome.is_err() {
        app.key_uses.put_back(uses);
    }
    outcome
}

async fn write(app: &App, uses: &[Use]) -> Result<(), Error> {
    // The last one of each: they were noted in the order of time.
    let last: HashMap<_, _> = uses.iter().map(|noted| (noted.service_key_id, noted.at)).collect();
    let mut tx = app.job_pool.begin().await?;
    let outcome: Result<(), Error> = async {
        service_keys::update_used(&mut tx, last).await?;
        for Use { service_key_id, at, administration } in uses {
            let Some((method, by)) = administration else { continue };
            let event = Event::new(EventKind::ServiceKeyUsed, Subject::ServiceKey(*service_key_id));
            audit::record(&mut tx, by, event.with("method", method), *at).await?;
        }
        Ok(())
    }
    .await;
    tx.end(outcome).await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::indexing_slicing, reason = "tests")]

    use super::{Act, DateTime, Duration, KeyUses, ServiceKeyId, Use};

    #[test]
    fn a_use_is_written_once_a_minute_and_each_method_by_itself() {
        let uses = KeyUses::default();
        let (one, other) = (ServiceKeyId::new(DateTime::UNIX_EPOCH), ServiceKeyId::new(DateTime::UNIX_EPOCH));
        let note = |service_key_id, seconds, method: Option<&str>| {
            let at = DateTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let administration = method.map(|method| (method.to_owned(), Act::system()));
            uses.note(Use { service_key_id, at, administration });
        };
        note(one, 0, None);
        note(one, 1, Some("ListUsers"));
        note(one, 2, Some("GetUser"));
        note(one, 3, Some("ListUsers"));
        note(one, 59, None);
        note(other, 59, None);
        let written = uses.take_pending();
        assert_eq!(written.len(), 4, "{written:?}");
        assert!(uses.take_pending().is_empty());

        note(one, 60, None);
        note(one, 60, Some("ListUsers"));
        note(one, 61, Some("ListUsers"));
        uses.put_back(written);
        let written = uses.take_pending();
        assert_eq!(written.len(), 6, "{written:?}");
        assert_eq!(written[5].at, DateTime::UNIX_EPOCH + Duration::from_secs(61));
    }
}
