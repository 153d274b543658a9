//! Redis through bb8: throttles and lockouts for all replicas together.
//!
//! One script judges all limits of a request and counts it, in one round trip; another concludes an attempt. The keys of an
//! operation share a hash tag, so that the script finds them on one node of a cluster. A key holds a list: the times that
//! count, oldest first, those of failures each with the tag of its attempt, and, while everything is refused, the end of that
//! last, with a minus sign. Attempts in flight have a list of their own: the time of each and its number. Who is locked
//! out of an operation stands in an index of it, too, with its name sealed: nothing here can be read without the master key.
//! Each key has a time to live from the moment it is written.

mod connect;
mod error;

use std::time::Duration;

use bb8_redis::bb8::Pool;
use chrono::{DateTime, Utc};
use redis::{FromRedisValue, Script, ScriptInvocation};
use secrecy::SecretString;

pub use error::{RedisAway, RedisInvalid};

use self::connect::{Connector, Work};
use super::limits::{Locked, Question, Sealed, Subject};
use crate::clock;
use crate::config;
use crate::model::operation::{AttemptId, Limit, LimitKind, Operation, Scope};
use crate::policy::limits::{Admitted, Conclusion, IN_FLIGHT_RETRY, Refused};

/// How much longer than needed a key is kept: replicas' clocks and that of Redis need not agree to the second.
const MARGIN: Duration = Duration::from_mins(1);

/// The limits of all replicas.
#[derive(Debug)]
pub struct Redis {
    pool: Pool<Connector>,
    connector: Connector,
    admit: Script,
    conclude: Script,
    locked: Script,
    clear: Script,
    key_prefix: String,
    timeout: Duration,
}

impl Redis {
    /// The Redis, or the cluster, at `url`. Connects when it is first asked.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub fn new(url: &SecretString, settings: &config::Redis) -> Result<Self, RedisInvalid> {
        let connector = Connector::new(url)?;
        let pool = Pool::builder()
            .max_size(settings.max_connections.get())
            // No round trip before each use: a connection that broke is found out by the call that uses it.
            .test_on_check_out(false)
            // Whoever asked goes on without it, and is told why.
            .retry_connection(false)
            .connection_timeout(settings.timeout)
            .build_unchecked(connector.clone());
        Ok(Self {
            pool,
            connector,
            admit: Script::new(include_str!("redis/admit.lua")),
            conclude: Script::new(concat!(include_str!("redis/index.lua"), include_str!("redis/conclude.lua"))),
            locked: Script::new(concat!(include_str!("redis/index.lua"), include_str!("redis/locked.lua"))),
            clear: Script::new(concat!(include_str!("redis/index.lua"), include_str!("redis/clear.lua"))),
            key_prefix: settings.key_prefix.clone(),
            timeout: settings.timeout,
        })
    }

    /// Asks whether a request may go on, and counts it.
    ///
    /// # Errors
    /// [`RedisAway`]; the inner one is [`Refused`].
    pub async fn admit(&self, question: &Question) -> Result<Result<Admitted, Refused>, RedisAway> {
        let mut invocation = self.admit.prepare_invoke();
        let now = question.attempt.at;
        invocation.arg(now.timestamp_micros()).arg(flying(question.attempt));
        for (limit, subject) in &question.limits {
            let keys = self.keys(question.operation, limit.kind, limit.scope, *subject);
            invocation.key(&keys);
            // A lockout begins no wait here: whether the attempts in flight fail is yet to be seen.
            let wait = if limit.kind == LimitKind::Lockout { IN_FLIGHT_RETRY } else { limit.wait };
            let [begin, until] = [clock::subtract(now, limit.window), clock::add(now, wait)];
            invocation.arg(letter(limit)).arg(limit.count);
            invocation.arg(begin.timestamp_micros()).arg(until.timestamp_micros()).arg(&lives(limit));
            let since = limit.in_flight.map_or(0, |longest| clock::subtract(now, longest).timestamp_micros());
            let kept = limit.in_flight.map_or(0, |longest| millis(longest.saturating_add(MARGIN)));
            invocation.arg(since).arg(kept);
        }
        let (refusing, until, spared, spared_until, waited): (usize, i64, usize, i64, bool) =
            self.invoke(&invocation).await?;
        if let Some(refused) = refused(refusing, until, false) {
            return Ok(Err(refused));
        }
        Ok(Ok(Admitted { unless_known: refused(spared, spared_until, waited) }))
    }

    /// Concludes an attempt; one that failed with the sealed names of those that it counts against. Returns the places of the limits
    /// that lock out from now on.
    ///
    /// # Errors
    /// [`RedisAway`].
    pub async fn conclude(
        &self,
        question: &Question,
        conclusion: Conclusion,
        names: &[Sealed],
        now: DateTime<Utc>,
    ) -> Result<Vec<usize>, RedisAway> {
        let (word, tag) = match conclusion {
            Conclusion::Failed(tag) => ("failed", tag),
            Conclusion::Succeeded(tag) => ("succeeded", Some(tag)),
            Conclusion::GivenBack => ("given_back", None),
        };
        let tag = tag.map(|tag| format!("{:016x}", u64::from_be_bytes(tag.0))).unwrap_or_default();
        let mut invocation = self.conclude.prepare_invoke();
        invocation.arg(flying(question.attempt)).arg(now.timestamp_micros()).arg(word).arg(tag);
        for (place, (limit, subject)) in question.limits.iter().enumerate() {
            let keys = self.keys(question.operation, limit.kind, limit.scope, *subject);
            invocation.key(&keys);
            let [begin, until] = [clock::subtract(now, limit.window), clock::add(now, limit.wait)];
            invocation.arg(limit.count).arg(begin.timestamp_micros()).arg(until.timestamp_micros());
            invocation.arg(&lives(limit)).arg(member(limit.scope, *subject));
            invocation.arg(names.get(place).map(Vec::as_slice).unwrap_or_default());
        }
        invocation.key(self.index(question.operation)).key(self.names(question.operation));
        let places: Vec<usize> = self.invoke(&invocation).await?;
        Ok(places.into_iter().filter_map(|place| place.checked_sub(1)).collect())
    }

    /// What is locked out of an operation now, in the order of scopes and hashes, from what comes after `after`; at most `limit`.
    ///
    /// # Errors
    /// [`RedisAway`].
    pub async fn locked(
        &self,
        operation: Operation,
        after: Option<(Scope, Subject)>,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<Locked>, RedisAway> {
        let begin = after.map_or_else(|| "-".to_owned(), |(scope, subject)| format!("({};", member(scope, subject)));
        let mut invocation = self.locked.prepare_invoke();
        invocation.key(self.index(operation)).key(self.names(operation));
        invocation.arg(now.timestamp_micros()).arg(begin).arg(limit);
        loop {
            let (again, members): (bool, Vec<(Vec<u8>, f64)>) = self.invoke(&invocation).await?;
            if !again {
                return Ok(members.iter().filter_map(|(member, until)| locked(operation, member, *until)).collect());
            }
        }
    }

    /// Whether something is locked out of an operation now.
    ///
    /// # Errors
    /// [`RedisAway`].
    pub async fn is_locked(
        &self,
        operation: Operation,
        scope: Scope,
        subject: Subject,
        now: DateTime<Utc>,
    ) -> Result<bool, RedisAway> {
        let mut find = redis::cmd("ZSCORE");
        find.arg(self.index(operation)).arg(member(scope, subject));
        let until: Option<f64> = self.within_time(Work::Query(&find)).await?;
        Ok(until.and_then(time).is_some_and(|until| now < until))
    }

    /// Lifts a lockout, if there is one, and forgets what led to it.
    ///
    /// # Errors
    /// [`RedisAway`].
    pub async fn clear(&self, operation: Operation, scope: Scope, subject: Subject) -> Result<(), RedisAway> {
        let mut invocation = self.clear.prepare_invoke();
        let keys = self.keys(operation, LimitKind::Lockout, scope, subject);
        invocation.key(&keys);
        invocation.key(self.index(operation)).key(self.names(operation)).arg(member(scope, subject));
        self.invoke(&invocation).await
    }

    /// Has it run a script that writes, where the keys of an operation are: what calls need of it.
    ///
    /// # Errors
    /// [`RedisAway`].
    pub async fn probe(&self, operation: Operation) -> Result<(), RedisAway> {
        let mut probe = redis::cmd("EVAL");
        probe.arg("redis.call('SET', KEYS[1], '', 'PX', 1000)").arg(1);
        probe.arg(format!("{}:{{{}}}:probe", self.key_prefix, operation.as_str()));
        self.within_time(Work::Query(&probe)).await
    }

    async fn invoke<T: FromRedisValue>(&self, invocation: &ScriptInvocation<'_>) -> Result<T, RedisAway> {
        self.within_time(Work::Invoke(invocation)).await
    }

    /// Has something done on a connection. A call that runs out of time leaves its connection to be thrown away. A server that
    /// does not serve commands has done nothing, and its name may lead elsewhere by now: it is asked once more, on a new
    /// connection.
    async fn within_time<T: FromRedisValue>(&self, work: Work<'_>) -> Result<T, RedisAway> {
        let working = async {
            let mut asked_before = false;
            loop {
                let mut loan = self.pool.get().await?;
                if self.connector.is_outdated(&loan) {
                    loan.is_broken = true;
                    continue;
                }
                // Until it has answered it counts as broken, so that nothing is left on it by a call that was given up.
                loan.is_broken = true;
                let outcome: redis::RedisResult<T> = loan.link.run(work).await;
                let turned_away = outcome.as_ref().is_err_and(error::is_turned_away);
                loan.is_broken = turned_away || outcome.as_ref().is_err_and(redis::RedisError::is_unrecoverable_error);
                if loan.is_broken {
                    self.connector.outdate(loan.era);
                } else {
                    self.connector.note_answer();
                }
                if turned_away && !std::mem::replace(&mut asked_before, true) {
                    continue;
                }
                return outcome.map_err(RedisAway::from);
            }
        };
        tokio::time::timeout(self.timeout, working).await.unwrap_or_else(|_| {
            self.connector.note_silence();
            Err(RedisAway::Late)
        })
    }

    /// `keyward:{login}:lockout:device:` and the hash, and the same with `:in_flight`.
    fn keys(&self, operation: Operation, kind: LimitKind, scope: Scope, subject: Subject) -> [String; 2] {
        let key =
            format!("{}:{{{}}}:{}:{}", self.key_prefix, operation.as_str(), kind.as_str(), member(scope, subject));
        let in_flight = format!("{key}:in_flight");
        [key, in_flight]
    }

    /// `keyward:{login}:locked`: a sorted set of who is locked out, by when that ends.
    fn index(&self, operation: Operation) -> String {
        format!("{}:{{{}}}:locked", self.key_prefix, operation.as_str())
    }

    /// `keyward:{login}:locked:names`: the same by name, each followed by a colon and what it is called, sealed.
    fn names(&self, operation: Operation) -> String {
        format!("{}:names", self.index(operation))
    }
}

/// What the script calls a limit.
fn letter(limit: &Limit) -> &'static str {
    match (limit.kind, limit.spares_known) {
        (LimitKind::Throttle, _) => "T",
        (LimitKind::Lockout, false) => "L",
        (LimitKind::Lockout, true) => "S",
    }
}

/// How long to keep what counts, and what waits, in milliseconds.
fn lives(limit: &Limit) -> [u64; 2] {
    [limit.window, limit.wait].map(|span| millis(span.saturating_add(MARGIN)))
}

/// An attempt as it stands in the list of those in flight.
fn flying(attempt: AttemptId) -> String {
    format!("{}:{:016x}", attempt.at.timestamp_micros(), attempt.number)
}

/// A refusal as the script returns it: the place from 1 on, and its end.
fn refused(place: usize, until: i64, waited: bool) -> Option<Refused> {
    let until = DateTime::<Utc>::from_timestamp_micros(until).unwrap_or_default();
    place.checked_sub(1).map(|limit| Refused { limit, until, waited })
}

/// Who something is counted against, within an operation: `device:` and the hash.
fn member(scope: Scope, subject: Subject) -> String {
    format!("{}:{:032x}", scope.as_str(), u128::from_be_bytes(subject.0))
}

/// A member of the index by name; nothing for one that is not of ours.
fn locked(operation: Operation, member: &[u8], until: f64) -> Option<Locked> {
    let mut parts = member.splitn(3, |byte| *byte == b':');
    let mut part = || parts.next();
    let (scope, subject, name) = (str::from_utf8(part()?).ok()?, str::from_utf8(part()?).ok()?, part()?.to_vec());
    let subject = Subject(u128::from_str_radix(subject, 16).ok()?.to_be_bytes());
    Some(Locked { operation, scope: Scope::from_name(scope)?, subject, name, until: time(until)? })
}

/// A score of the index.
fn time(score: f64) -> Option<DateTime<Utc>> {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "exact, as microseconds are below 2^53"
    )]
    DateTime::<Utc>::from_timestamp_micros(score as i64)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
