//! Where throttles and lockouts are counted: in Redis, for all replicas together, and in the memory of this one while Redis
//! is away, or where there is none.
//!
//! Nobody is refused, let through or failed because Redis is away: the same limits go on here. Memory counts what passes
//! here all the time, and tells who is throttled already, without asking Redis. Redis, which knows what passes elsewhere too,
//! decides about the others. After it has failed to answer, it may lack what passed then, or have lost everything, and what
//! memory refuses is refused as long as that matters; so a limit holds through a Redis that hesitates, or is restarted with
//! nothing in it.

mod breaker;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use super::redis::RedisInvalid;

use self::breaker::Breakers;
use super::memory::Memory;
use super::redis::{Redis, RedisAway};
use crate::clock;
use crate::config::{self, ThrottleStore};
use crate::model::operation::{AttemptId, Limit, LimitKind, Operation, Scope};
use crate::policy::limits::{Admitted, Conclusion, Refused};

/// Whom something is counted against: a keyed hash, since neither addresses nor device ids are to be read from a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject(pub [u8; 16]);

/// What a subject is called, sealed under the master key.
pub type Sealed = Vec<u8>;

/// A request, and the limits that have a say in it.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is to be done.
    pub operation: Operation,
    /// The limits, each with the one it is counted against. Usually four: of requests and of failures, for device and address.
    pub limits: Vec<(Limit, Subject)>,
    /// The attempt that it is, and when it is made.
    pub attempt: AttemptId,
}

/// Something that is locked out of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The operation.
    pub operation: Operation,
    /// Whether it is a device or an address.
    pub scope: Scope,
    /// Which.
    pub subject: Subject,
    /// What it is called.
    pub name: Sealed,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// An attempt that is in flight until it is concluded.
#[derive(Debug)]
#[must_use = "an attempt is to be concluded"]
pub struct Reserved {
    question: Question,
}

impl Reserved {
    /// Whom the attempt counts against, limit by limit.
    pub fn subjects(&self) -> impl Iterator<Item = (Scope, Subject)> {
        self.question.limits.iter().map(|(limit, subject)| (limit.scope, *subject))
    }
}

impl Question {
    fn kind(&self, refused: Refused) -> Option<LimitKind> {
        self.limits.get(refused.limit).map(|(limit, _)| limit.kind)
    }
}

/// How the store stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no Redis to count in, and none is expected.
    MemoryOnly,
    /// Redis counts.
    Redis,
    /// Redis is away, and memory counts.
    Degraded,
}

/// The store of throttles and lockouts.
#[derive(Debug)]
pub struct Limits {
    memory: Memory,
    redis: Option<Guarded>,
}

/// Redis, and what is known of it.
#[derive(Debug)]
struct Guarded {
    redis: Redis,
    breakers: Breakers,
    /// Until when Redis may lack what has passed here, in microseconds since 1970.
    doubt_until: AtomicI64,
    /// How long it may lack it: as long as anything matters that it was not told, or has forgotten.
    doubt: Duration,
}

impl Limits {
    /// A store as the configuration asks for it; `doubt` is the longest that any limit matters. Connects to nothing yet.
    ///
    /// # Errors
    /// When `redis.url` cannot be used.
    pub fn new(throttle: &config::Throttle, redis: &config::Redis, doubt: Duration) -> Result<Self, RedisInvalid> {
        let url = redis.url.as_ref().filter(|_| throttle.store != ThrottleStore::Memory);
        let guarded =
            |redis| Guarded { redis, breakers: Breakers::default(), doubt_until: AtomicI64::new(i64::MIN), doubt };
        let redis = url.map(|url| Redis::new(url, redis).map(guarded)).transpose()?;
        Ok(Self { memory: Memory::default(), redis })
    }

    /// Asks whether a request may go on, and counts it. One round trip where Redis counts, and never longer than
    /// `redis.timeout`.
    ///
    /// What counts failures is to be [concluded](Limits::conclude); `None` when nothing does.
    ///
    /// # Errors
    /// [`Refused`] names the limit by its place in the question.
    pub async fn admit(&self, question: Question) -> Result<(Admitted, Option<Reserved>), Refused> {
        let now = question.attempt.at;
        // Counted before Redis has answered: should it not, those that wait for it are in the count.
        let here = self.memory.admit(&question);
        let asked = self.redis.as_ref().filter(|guarded| !guarded.breakers.is_open(question.operation));
        if let Err(refused) = here
            && (self.is_in_doubt(now) || (refused.waited && question.kind(refused) == Some(LimitKind::Throttle)))
        {
            return Err(refused);
        }
        let everywhere = match asked {
            Some(guarded) => guarded.note(question.operation, now, guarded.redis.admit(&question).await),
            None => None,
        };
        let admitted = match (here, everywhere) {
            (Ok(_), Some(Err(refused))) => {
                self.memory.refuse(&question, refused);
                return Err(refused);
            }
            (Err(_), Some(Err(refused))) | (Err(refused), None) => return Err(refused),
            // A lockout was lifted there.
            (Err(refused), Some(Ok(admitted))) if refused.waited => {
                self.memory.forget(&question, refused);
                admitted
            }
            // Calls that come at once may be counted in another order here than there; all in all it is as many.
            (Err(_), Some(Ok(admitted))) => admitted,
            (Ok(here), Some(Ok(everywhere))) => self.spared(&question, here, everywhere),
            (Ok(here), None) => here,
        };
        let failures = question.limits.iter().copied().filter(|(limit, _)| limit.kind == LimitKind::Lockout).collect();
        let reserved = Reserved { question: Question { limits: failures, ..question } };
        Ok((admitted, Some(reserved).filter(|reserved| !reserved.question.limits.is_empty())))
    }

    /// What a known device is spared: what Redis says, and, where it may lack something, what memory says.
    fn spared(&self, question: &Question, here: Admitted, everywhere: Admitted) -> Admitted {
        match here.unless_known {
            Some(refused) if self.is_in_doubt(question.attempt.at) => {
                let longest = everywhere.unless_known.filter(|other| other.until > refused.until).unwrap_or(refused);
                Admitted { unless_known: Some(longest) }
            }
            Some(refused) if refused.waited && everywhere.unless_known.is_none() => {
                self.memory.forget(question, refused);
                everywhere
            }
            _ => everywhere,
        }
    }

    /// Concludes an attempt. A failure comes with the names of its [subjects](Reserved::subjects). Returns what is locked out by
    /// it. An attempt whose conclusion is lost is forgotten when no call can take longer.
    pub async fn conclude(
        &self,
        reserved: Reserved,
        conclusion: Conclusion,
        names: &[Sealed],
        now: DateTime<Utc>,
    ) -> Vec<Locked> {
        let Reserved { question } = reserved;
        let mut began = self.memory.conclude(&question, conclusion, names, now);
        if let Some(guarded) = self.answering(question.operation) {
            let concluded = guarded.redis.conclude(&question, conclusion, names, now).await;
            began = guarded.note(question.operation, now, concluded).unwrap_or(began);
        }
        let locked = |place: usize| {
            let (limit, subject) = question.limits.get(place)?;
            let (scope, until) = (limit.scope, clock::add(now, limit.wait));
            let name = names.get(place).cloned().unwrap_or_default();
            Some(Locked { operation: question.operation, scope, subject: *subject, name, until })
        };
        began.into_iter().filter_map(locked).collect()
    }

    /// What is locked out of an operation now, in the order of scopes and hashes, from what comes after `after`; at most `limit`.
    /// Everywhere, or, where Redis does not answer, here.
    pub async fn locked(
        &self,
        operation: Operation,
        after: Option<(Scope, Subject)>,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Vec<Locked> {
        if let Some(guarded) = self.answering(operation)
            && let Some(everywhere) =
                guarded.note(operation, now, guarded.redis.locked(operation, after, limit, now).await)
        {
            return everywhere;
        }
        self.memory.locked(operation, after, limit, now)
    }

    /// Whether something is locked out of an operation now: everywhere, or, where Redis may lack it, here.
    pub async fn is_locked(&self, operation: Operation, scope: Scope, subject: Subject, now: DateTime<Utc>) -> bool {
        let everywhere = match self.answering(operation) {
            Some(guarded) => {
                guarded.note(operation, now, guarded.redis.is_locked(operation, scope, subject, now).await)
            }
            None => None,
        };
        match everywhere {
            // It may have been lifted elsewhere.
            Some(locked) if locked || !self.is_in_doubt(now) => locked,
            Some(_) | None => self.memory.is_locked(operation, scope, subject, now),
        }
    }

    /// Lifts a lockout, if there is one, and forgets the failures that led to it. Another replica that is in doubt of Redis goes
    /// by its own memory, and obeys later.
    ///
    /// # Errors
    /// [`RedisAway`], when Redis was asked and did not do it: then it is lifted here alone.
    pub async fn clear(&self, operation: Operation, scope: Scope, subject: Subject) -> Result<(), RedisAway> {
        self.memory.clear(operation, scope, subject);
        match self.answering(operation) {
            Some(guarded) => guarded.redis.clear(operation, scope, subject).await,
            None => Ok(()),
        }
    }

    /// Has Redis do something for every operation, as a call would: called again and again, so that one learns that it is away
    /// without a call that needs it, and that it is back without a call that waits for it.
    pub async fn probe(&self, now: DateTime<Utc>) {
        let Some(guarded) = &self.redis else { return };
        let probes = Operation::ALL.map(async |operation| {
            let answer = guarded.redis.probe(operation).await;
            match answer {
                Ok(()) => guarded.breakers.close(operation),
                Err(_) => drop(guarded.note(operation, now, answer)),
            }
        });
        futures::future::join_all(probes).await;
    }

    /// Where is counted at this moment.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match &self.redis {
            None => Standing::MemoryOnly,
            Some(guarded) if guarded.breakers.is_any_open() => Standing::Degraded,
            Some(_) => Standing::Redis,
        }
    }

    /// Redis, if it is to be asked.
    fn answering(&self, operation: Operation) -> Option<&Guarded> {
        self.redis.as_ref().filter(|guarded| !guarded.breakers.is_open(operation))
    }

    /// Whether Redis may lack what has passed here.
    fn is_in_doubt(&self, now: DateTime<Utc>) -> bool {
        let until = self.redis.as_ref().map(|guarded| guarded.doubt_until.load(Ordering::Relaxed));
        until.is_some_and(|until| now.timestamp_micros() < until)
    }
}

impl Guarded {
    /// Takes an outcome into account.
    fn note<T>(&self, operation: Operation, now: DateTime<Utc>, outcome: Result<T, RedisAway>) -> Option<T> {
        let answer = self.breakers.note(operation, outcome);
        if answer.is_none() {
            self.doubt_until.fetch_max(clock::add(now, self.doubt).timestamp_micros(), Ordering::Relaxed);
        }
        answer
    }
}
