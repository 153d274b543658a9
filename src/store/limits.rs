//! Where throttles and lockouts are counted: in Redis, for all replicas together, and in the memory of this one while Redis
//! is away, or where there is none.
//!
//! Nobody is refused, let through or failed because Redis is away: the same limits go on here. Memory counts what passes
//! here all the time, and tells who is throttled already, without asking Redis. Redis, which knows what passes elsewhere too,
//! decides about the others. After it has failed to answer a call, it lacks that one in its counts, and memory has a say in
//! everything for a while; so a limit holds through a Redis that hesitates, or is restarted with nothing in it.

mod breaker;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use super::redis::RedisInvalid;

use self::breaker::Breaker;
use super::memory::Memory;
use super::redis::Redis;
use crate::clock;
use crate::config::{self, ThrottleStore};
use crate::model::operation::{Limit, LimitKind, Operation};
use crate::policy::limits::Refused;

/// Whom something is counted against: a keyed hash, since neither addresses nor device ids are to be read from a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject(pub [u8; 16]);

/// A request, and the limits that have a say in it.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is to be done.
    pub operation: Operation,
    /// The limits, each with the one it is counted against. Usually four: of requests and of failures, for device and address.
    pub limits: Vec<(Limit, Subject)>,
    /// When it is asked.
    pub now: DateTime<Utc>,
}

/// An attempt that counts as a failure from now on, until it is given back.
#[derive(Debug)]
#[must_use = "an attempt is to be concluded"]
pub struct Reserved {
    question: Question,
    in_redis: bool,
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
    redis: Option<(Redis, Breaker)>,
    /// Until when Redis may lack what has passed here, in microseconds since 1970.
    doubt_until: AtomicI64,
}

/// How long Redis may lack what it was not told: no window of the default limits is longer.
const DOUBT: Duration = Duration::from_mins(10);

impl Limits {
    /// A store as the configuration asks for it. Connects to nothing yet.
    ///
    /// # Errors
    /// When `redis.url` cannot be used.
    pub fn new(throttle: &config::Throttle, redis: &config::Redis) -> Result<Self, RedisInvalid> {
        let url = redis.url.as_ref().filter(|_| throttle.store != ThrottleStore::Memory);
        let redis = url.map(|url| Redis::new(url, redis).map(|redis| (redis, Breaker::default()))).transpose()?;
        Ok(Self { memory: Memory::default(), redis, doubt_until: AtomicI64::new(i64::MIN) })
    }

    /// Asks whether a request may go on, and counts it. One round trip where Redis counts, and never longer than
    /// `redis.timeout`.
    ///
    /// What counts failures has reserved one, to be [concluded](Limits::conclude); `None` when nothing does.
    ///
    /// # Errors
    /// [`Refused`] names the limit by its place in the question.
    pub async fn admit(&self, question: Question) -> Result<Option<Reserved>, Refused> {
        // Counted before Redis has answered: should it not, those that wait for it are in the count.
        let here = self.memory.admit(&question);
        if let Err(refused) = here
            && refused.waited
            && question.kind(refused) == Some(LimitKind::Throttle)
        {
            return Err(refused);
        }
        let everywhere = self.ask_redis(&question).await;
        match (here, everywhere) {
            (Ok(()), Some(Err(refused))) => {
                self.memory.refuse(&question, refused);
                return Err(refused);
            }
            (Err(_), Some(Err(refused))) | (Err(refused), None) => return Err(refused),
            (Err(refused), Some(Ok(()))) if self.is_in_doubt(question.now) => return Err(refused),
            // A lockout was lifted there.
            (Err(refused), Some(Ok(()))) if refused.waited => self.memory.forget(&question, refused),
            // Calls that come at once may be counted in another order here than there; all in all it is as many.
            (Err(_), Some(Ok(()))) | (Ok(()), _) => {}
        }
        let in_redis = everywhere.is_some();
        let failures = question.limits.iter().copied().filter(|(limit, _)| limit.kind == LimitKind::Lockout).collect();
        let reserved = Reserved { question: Question { limits: failures, ..question }, in_redis };
        Ok(Some(reserved).filter(|reserved| !reserved.question.limits.is_empty()))
    }

    /// Notes that an attempt has failed, or gives it back. Where that cannot be done, it is forgotten with its window.
    pub async fn conclude(&self, reserved: Reserved, failed: bool, now: DateTime<Utc>) {
        let Reserved { question, in_redis } = reserved;
        if failed {
            self.memory.fail(&question, now);
        } else {
            self.memory.give_back(&question, now);
        }
        let redis = self.redis.as_ref().filter(|(_, breaker)| in_redis && !breaker.is_open());
        if let Some((redis, breaker)) = redis {
            breaker.note(redis.conclude(&question, failed, now).await);
        }
    }

    /// Asks Redis for an answer, whatever it is: called again and again, so that one learns that it is away without a call
    /// that needs it, and that it is back without a call that waits for it.
    pub async fn probe(&self) {
        if let Some((redis, breaker)) = &self.redis {
            let answer = redis.ping().await;
            if answer.is_ok() {
                breaker.close();
            } else {
                breaker.note(answer);
            }
        }
    }

    /// Where is counted at this moment.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match &self.redis {
            None => Standing::MemoryOnly,
            Some((_, breaker)) if breaker.is_open() => Standing::Degraded,
            Some(_) => Standing::Redis,
        }
    }

    /// `None` when Redis does not answer, or there is none.
    async fn ask_redis(&self, question: &Question) -> Option<Result<(), Refused>> {
        let (redis, breaker) = self.redis.as_ref()?;
        let answer = if breaker.is_open() { None } else { breaker.note(redis.admit(question).await) };
        if answer.is_none() {
            let until = clock::add(question.now, DOUBT).timestamp_micros();
            self.doubt_until.fetch_max(until, Ordering::Relaxed);
        }
        answer
    }

    fn is_in_doubt(&self, now: DateTime<Utc>) -> bool {
        now.timestamp_micros() < self.doubt_until.load(Ordering::Relaxed)
    }
}
