//! Calls of administration that were refused for want of a permission: noted in memory on the way of a call, written by a job.
//!
//! Such a call changes nothing, so there is no transaction for it to be written in; and it costs the database nothing, however
//! many there are. The same method is noted once a minute of each caller.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Event, record};
use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::model::audit::{Act, EventKind, Subject};

/// How often the same denial is written at most.
const INTERVAL: Duration = Duration::from_mins(1);

/// How many denials wait to be written at most; more are not noted.
const MOST: usize = 10_000;

/// The denials that this replica has seen.
#[derive(Debug, Default)]
pub struct Denials(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// When a denial was noted last, by who was denied and the method.
    last: HashMap<(Option<Uuid>, String), DateTime<Utc>>,
    /// What is to be written.
    pending: Vec<Denial>,
}

/// One denial.
#[derive(Clone, Debug)]
struct Denial {
    by: Act,
    method: String,
    permission: String,
    at: DateTime<Utc>,
}

impl Denials {
    fn note(&self, denial: Denial) {
        let Noted { last, pending } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (denial.by.actor.id(), denial.method.clone());
        let is_over = |at: &DateTime<Utc>| denial.at >= clock::add(*at, INTERVAL);
        if last.get(&key).is_some_and(|at| !is_over(at)) || pending.len() >= MOST {
            return;
        }
        if last.len() >= MOST {
            last.retain(|_, at| !is_over(at));
        }
        last.insert(key, denial.at);
        pending.push(denial);
    }

    fn take_pending(&self) -> Vec<Denial> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).pending)
    }

    fn put_back(&self, mut denials: Vec<Denial>) {
        let pending = &mut self.0.lock().unwrap_or_else(PoisonError::into_inner).pending;
        denials.append(pending);
        *pending = denials;
    }
}

/// Notes that a method of administration was called without the permission that it asks for.
pub fn note_denial(app: &App, by: Act, method: &str, permission: &str) {
    let (method, permission) = (method.to_owned(), permission.to_owned());
    app.denials.note(Denial { by, method, permission, at: app.clock.now() });
}

/// Writes what was noted.
///
/// # Errors
/// A failure of ours; what was to be written is kept.
pub async fn record_denials(app: &App) -> Result<(), Error> {
    let denials = app.denials.take_pending();
    if denials.is_empty() {
        return Ok(());
    }
    let outcome = write(app, &denials).await;
    if outcome.is_err() {
        app.denials.put_back(denials);
    }
    outcome
}

async fn write(app: &App, denials: &[Denial]) -> Result<(), Error> {
    let mut tx = app.job_pool.begin().await?;
    let outcome: Result<(), Error> = async {
        for Denial { by, method, permission, at } in denials {
            let event = Event::new(EventKind::AccessDenied, Subject::Nothing);
            record(&mut tx, by, event.with("method", method).with("permission", permission), *at).await?;
        }
        Ok(())
    }
    .await;
    tx.end(outcome).await
}

#[cfg(test)]
mod tests {
    use super::{Act, DateTime, Denial, Denials, Duration, MOST};
    use crate::model::audit::Actor;
    use uuid::Uuid;

    fn denial(who: u128, method: &str, seconds: u64) -> Denial {
        let by = Act { actor: Actor::User(Uuid::from_u128(who).into()), ..Act::system() };
        let at = DateTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Denial { by, method: method.to_owned(), permission: "users.read".to_owned(), at }
    }

    #[test]
    fn a_denial_is_written_once_a_minute_and_each_method_by_itself() {
        let denials = Denials::default();
        for (who, method, seconds) in
            [(1, "ListUsers", 0), (1, "GetUser", 1), (2, "ListUsers", 2), (1, "ListUsers", 59)]
        {
            denials.note(denial(who, method, seconds));
        }
        let written = denials.take_pending();
        assert_eq!(written.len(), 3, "{written:?}");
        denials.note(denial(1, "ListUsers", 60));
        denials.put_back(written);
        assert_eq!(denials.take_pending().len(), 4);
    }

    #[test]
    fn no_more_are_noted_than_can_wait() {
        let denials = Denials::default();
        for who in 0..2 * u128::try_from(MOST).unwrap_or_default() {
            denials.note(denial(who, "ListUsers", 0));
        }
        assert_eq!(denials.take_pending().len(), MOST);
    }
}
