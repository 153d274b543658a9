//! The rules, wherever they are spelt, agree with a naive model over random histories.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use keyward::config::Config;
use keyward::model::email::Email;
use keyward::model::operation::{Limit, LimitKind, Operation, Scope};
use keyward::policy::lockout::{AccountRule, AccountTally, Locked};
use keyward::store::limits::{Question, Subject};
use keyward::store::memory::Memory;
use keyward::store::pg::login_attempts::{self, Attempt, NewAttempt, Reservation};
use keyward::store::pg::{Pool, account_lockouts};
use keyward::store::redis::Redis;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::test_runner::{Config as Cases, TestRunner};
use uuid::Uuid;

use crate::harness::{Database, RedisServer};

/// One thing that happens, after some time.
#[derive(Clone, Debug)]
struct Step {
    after: Duration,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    /// A device calls from an address.
    Call { device: u8, address: u8 },
    /// The call made that many calls ago is given back, or has failed.
    Conclude { which: usize, failed: bool },
}

fn seconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_secs)
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let kinds = prop_oneof![Just(LimitKind::Throttle), Just(LimitKind::Lockout)];
    let scopes = prop_oneof![Just(Scope::Device), Just(Scope::IpAddress)];
    let limit = (kinds, scopes, 1..5_usize, seconds(1..8), seconds(1..12));
    let limit = limit.prop_map(|(kind, scope, count, window, wait)| Limit { kind, scope, count, window, wait });
    // No two of one kind and scope, as in production.
    vec(limit, 1..5).prop_map(|mut limits| {
        limits.sort_by_key(|limit| (limit.kind.as_str(), limit.scope.as_str()));
        limits.dedup_by_key(|limit| (limit.kind, limit.scope));
        limits
    })
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let what = prop_oneof![
        6 => (0..2_u8, 0..2_u8).prop_map(|(device, address)| What::Call { device, address }),
        3 => (0..5_usize, proptest::bool::weighted(0.7)).prop_map(|(which, failed)| What::Conclude { which, failed }),
    ];
    // Often at the same moment, and often exactly when a window or a wait ends.
    let after = prop_oneof![3 => Just(Duration::ZERO), 4 => seconds(1..4), 1 => seconds(4..12)];
    vec((after, what).prop_map(|(after, what)| Step { after, what }), 1..60)
}

fn start() -> DateTime<Utc> {
    "2030-01-01T12:00:00Z".parse().unwrap()
}

/// What one limit has counted against one subject, kept whole.
#[derive(Default)]
struct Naive {
    counted: Vec<DateTime<Utc>>,
    waits: Vec<DateTime<Utc>>,
}

impl Naive {
    fn waits_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.waits.iter().copied().find(|until| *until > now)
    }

    /// Counted within the window, and since the last wait was over.
    fn counts(&self, limit: &Limit, now: DateTime<Utc>) -> usize {
        let since = self.waits.iter().filter(|until| **until <= now).max();
        let counts = |time: &&DateTime<Utc>| **time + limit.window > now && since.is_none_or(|since| *time >= since);
        self.counted.iter().filter(counts).count()
    }
}

/// The rules, as one would tell them: all limits are asked; who waits, waits; what is used up begins to wait; else it counts.
#[derive(Default)]
struct Model(std::collections::HashMap<(LimitKind, Subject), Naive>);

impl Model {
    fn admit(&mut self, question: &Question) -> Option<DateTime<Utc>> {
        let now = question.now;
        let mut waits = Vec::new();
        for (limit, subject) in &question.limits {
            waits.extend(self.0.entry((limit.kind, *subject)).or_default().waits_until(now));
        }
        if waits.is_empty() {
            for (limit, subject) in &question.limits {
                let naive = self.0.entry((limit.kind, *subject)).or_default();
                if naive.counts(limit, now) >= limit.count {
                    match limit.kind {
                        LimitKind::Throttle => {
                            naive.waits.push(now + limit.wait);
                            waits.push(now + limit.wait);
                        }
                        LimitKind::Lockout => waits.push(now + Duration::from_secs(1)),
                    }
                }
            }
        }
        if waits.is_empty() {
            for (limit, subject) in &question.limits {
                let naive = self.0.entry((limit.kind, *subject)).or_default();
                naive.counted.push(now);
            }
        }
        waits.into_iter().max()
    }

    /// What failed may begin a wait, or begin it anew. What is given back was never counted, and ends the wait that is on. A wait
    /// that is over has settled both.
    fn conclude(&mut self, question: &Question, failed: bool, now: DateTime<Utc>) {
        for (limit, subject) in &question.limits {
            let naive = self.0.entry((limit.kind, *subject)).or_default();
            let over = naive.waits.iter().any(|until| question.now < *until && *until <= now);
            let last = naive.counted.len().saturating_sub(limit.count);
            let counted = naive.counted[last..].iter().rposition(|time| *time == question.now).filter(|_| !over);
            match counted {
                Some(_) if failed && naive.counts(limit, now) < limit.count => {}
                Some(_) if failed => {
                    naive.waits.retain(|until| *until <= now);
                    naive.waits.push(now + limit.wait);
                }
                Some(place) => {
                    naive.counted.remove(last + place);
                    naive.waits.retain(|until| *until <= now);
                }
                None => {}
            }
        }
    }
}

fn question(limits: &[Limit], case: Uuid, (device, address): (u8, u8), now: DateTime<Utc>) -> Question {
    let subject = |limit: &Limit| {
        let mut subject = *case.as_bytes();
        subject[0] = if limit.scope == Scope::Device { device } else { 128 + address };
        Subject(subject)
    };
    let limits = limits.iter().map(|limit| (*limit, subject(limit))).collect();
    Question { operation: Operation::Login, limits, now }
}

fn of_failures(question: &Question) -> Question {
    let mut failures = question.clone();
    failures.limits.retain(|(limit, _)| limit.kind == LimitKind::Lockout);
    failures
}

/// What those are called that a failure counts against, and when it was noted.
fn names(question: &Question, now: DateTime<Utc>) -> Vec<Vec<u8>> {
    let name =
        |(limit, subject): &(Limit, Subject)| format!("{}:{:?}:{now}", limit.scope.as_str(), subject).into_bytes();
    question.limits.iter().map(name).collect()
}

#[test]
fn throttles_and_lockouts_in_memory_and_in_redis_do_as_the_model_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let server = runtime.block_on(RedisServer::start());
    let url = [("REDIS_URL".to_owned(), server.url()), ("KEYWARD__REDIS__TIMEOUT".to_owned(), "10s".to_owned())];
    let config = Config::load(None, url).unwrap();
    let redis = Redis::new(config.redis.url.as_ref().unwrap(), &config.redis).unwrap();
    let mut runner = TestRunner::new(Cases { cases: 300, failure_persistence: None, ..Cases::default() });
    let run = runner.run(&(limits(), history()), |(limits, history)| {
        // Nobody of another case.
        let (memory, mut model, case) = (Memory::default(), Model::default(), Uuid::new_v4());
        let (mut now, mut made) = (start(), Vec::new());
        for step in history {
            now += step.after;
            match step.what {
                What::Call { device, address } => {
                    let question = question(&limits, case, (device, address), now);
                    let expected = model.admit(&question);
                    let in_memory = memory.admit(&question).err().map(|refused| refused.until);
                    let in_redis = runtime.block_on(redis.admit(&question)).unwrap().err().map(|refused| refused.until);
                    assert_eq!((in_memory, in_redis), (expected, expected));
                    made.extend(expected.is_none().then(|| of_failures(&question)));
                }
                What::Conclude { which, failed } => {
                    if let Some(place) = made.len().checked_sub(which + 1) {
                        let question = made.remove(place);
                        model.conclude(&question, failed, now);
                        let names = failed.then(|| names(&question, now));
                        let mut began = Vec::new();
                        match &names {
                            Some(names) => began = memory.fail(&question, names, now),
                            None => memory.give_back(&question, now),
                        }
                        let concluding = redis.conclude(&question, names.as_deref(), now);
                        assert_eq!(runtime.block_on(concluding).unwrap(), began);
                    }
                }
            }
        }
        Ok(())
    });
    run.unwrap();
}

/// What happens to an account.
#[derive(Clone, Debug)]
enum Deed {
    Attempt,
    GiveBack { which: usize },
    Succeed,
}

#[test]
fn the_lockout_of_an_account_in_postgres_does_as_the_rules_say() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let database = runtime.block_on(Database::create());
    let config = Config::load(None, [("DATABASE_URL".to_owned(), database.url().to_owned())]).unwrap();
    let pool = Pool::new(config.database_url().unwrap(), &config.database, 2).unwrap();
    let rules = (1..5_usize, seconds(1..8), seconds(1..9), seconds(9..40), 3..12_u32);
    let deeds = prop_oneof![
        8 => Just(Deed::Attempt),
        2 => (0..4_usize).prop_map(|which| Deed::GiveBack { which }),
        1 => Just(Deed::Succeed),
    ];
    let history = vec((prop_oneof![3 => Just(Duration::ZERO), 4 => seconds(1..8), 1 => seconds(8..40)], deeds), 1..40);
    let mut runner = TestRunner::new(Cases { cases: 100, failure_persistence: None, ..Cases::default() });
    let run = runner.run(&(rules, history), |(rule, history)| {
        let case = Uuid::new_v4().as_u128();
        let (failures, window, lock, max_lock, failures_in_a_row) = rule;
        let rule = AccountRule { failures, window, lock, max_lock, failures_in_a_row };
        runtime.block_on(async {
            let mut conn = pool.get().await.unwrap();
            let email = Email::parse(&format!("{case:x}@example.com")).unwrap();
            let (mut tally, mut now, mut made) = (AccountTally::default(), start(), Vec::<Attempt>::new());
            for (after, deed) in history {
                now += after;
                match deed {
                    Deed::Attempt => {
                        let expected = tally.reserve(&rule, now);
                        let new = NewAttempt {
                            email: &email,
                            address_hash: case.to_be_bytes().to_vec(),
                            device_id: "phone".to_owned(),
                            device_network: None,
                            network: None,
                            at: now,
                        };
                        let kept = (now + TimeDelta::days(1), now + TimeDelta::days(2));
                        match login_attempts::reserve(&mut conn, new, &rule, kept).await.unwrap() {
                            Reservation::Reserved { attempt, locks, .. } => {
                                assert_eq!((Ok(()), tally.locked_until), (expected, locks.account_until));
                                made.push(attempt);
                            }
                            Reservation::AccountLocked(attempt, _) => {
                                let (hash, device_id) = (&attempt.address_hash, &attempt.device_id);
                                let standing =
                                    account_lockouts::find(&mut conn, hash, device_id).await.unwrap().unwrap();
                                let locked = if standing.failures_in_a_row >= rule.failures_in_a_row {
                                    Locked::UntilReset
                                } else {
                                    Locked::Until(standing.locked_until.unwrap())
                                };
                                assert_eq!(Err(locked), expected);
                            }
                            Reservation::NetworkLocked(_) => panic!("no network was counted"),
                        }
                    }
                    Deed::GiveBack { which } => {
                        if let Some(place) = made.len().checked_sub(which + 1) {
                            let attempt = made.remove(place);
                            tally.give_back(attempt.at);
                            login_attempts::give_back(&mut conn, &attempt).await.unwrap();
                        }
                    }
                    Deed::Succeed => {
                        tally = AccountTally::default();
                        account_lockouts::delete(&mut conn, &case.to_be_bytes(), "").await.unwrap();
                    }
                }
            }
        });
        Ok(())
    });
    run.unwrap();
}
