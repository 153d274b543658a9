//! The rules, wherever they are spelt, agree with a naive model over random histories.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use keyward::config::Config;
use keyward::model::email::Email;
use keyward::model::operation::{AttemptId, AttemptTag, Limit, LimitKind, Operation, Scope};
use keyward::policy::limits::{Admitted, Conclusion, Refused};
use keyward::policy::lockout::{AccountRule, AccountTally, Kept, Locked, SessionRule};
use keyward::store::limits::{Question, Subject};
use keyward::store::memory::Memory;
use keyward::store::pg::login_attempts::{self, Attempt, NewAttempt, Reservation};
use keyward::store::pg::{Pool, account_lockouts, sessions};
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
    /// The call made that many calls ago is concluded.
    Conclude { which: usize, conclusion: Conclusion },
}

fn seconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_secs)
}

fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let kinds = prop_oneof![Just(LimitKind::Throttle), Just(LimitKind::Lockout)];
    let scopes = prop_oneof![Just(Scope::Device), Just(Scope::IpAddress)];
    let in_flight = prop_oneof![Just(None), seconds(1..6).prop_map(Some)];
    let limit = (kinds, scopes, 1..5_usize, seconds(1..8), seconds(1..12), in_flight, proptest::bool::ANY);
    let limit = limit.prop_map(|(kind, scope, count, window, wait, in_flight, spares_known)| {
        let locks = kind == LimitKind::Lockout;
        Limit {
            kind,
            scope,
            count,
            window,
            wait,
            in_flight: in_flight.filter(|_| locks),
            spares_known: locks && spares_known,
        }
    });
    // No two of one kind and scope, as in production.
    vec(limit, 1..5).prop_map(|mut limits| {
        limits.sort_by_key(|limit| (limit.kind.as_str(), limit.scope.as_str()));
        limits.dedup_by_key(|limit| (limit.kind, limit.scope));
        limits
    })
}

fn conclusions() -> impl Strategy<Value = Conclusion> {
    let tag = || (1..3_u8).prop_map(|of| AttemptTag([of; 8]));
    prop_oneof![
        6 => tag().prop_map(|tag| Conclusion::Failed(Some(tag))),
        1 => Just(Conclusion::Failed(None)),
        2 => tag().prop_map(Conclusion::Succeeded),
        1 => Just(Conclusion::GivenBack),
    ]
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let what = prop_oneof![
        6 => (0..2_u8, 0..2_u8).prop_map(|(device, address)| What::Call { device, address }),
        5 => (0..5_usize, conclusions()).prop_map(|(which, conclusion)| What::Conclude { which, conclusion }),
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
    counted: Vec<(DateTime<Utc>, Option<AttemptTag>)>,
    in_flight: Vec<AttemptId>,
    waits: Vec<Wait>,
}

#[derive(Clone, Copy)]
struct Wait {
    begin: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Naive {
    fn wait(&self, now: DateTime<Utc>) -> Option<Wait> {
        self.waits.iter().copied().find(|wait| wait.until > now)
    }

    /// Counted within the window, and since the last wait was over.
    fn counted(&self, limit: &Limit, now: DateTime<Utc>) -> Vec<Option<AttemptTag>> {
        let since = self.waits.iter().map(|wait| wait.until).filter(|until| *until <= now).max();
        let counts = |time: DateTime<Utc>| time + limit.window > now && since.is_none_or(|since| time >= since);
        self.counted.iter().filter(|(time, _)| counts(*time)).map(|(_, tag)| *tag).collect()
    }

    fn is_used_up(&self, limit: &Limit, now: DateTime<Utc>) -> bool {
        let flying = self.in_flight.iter().filter(|id| limit.in_flight.is_some_and(|longest| id.at + longest > now));
        let holds = limit.kind == LimitKind::Throttle || limit.in_flight.is_some();
        holds && self.counted(limit, now).len() + flying.count() >= limit.count
    }

    /// Its refusal, if it refuses; what is used up begins to wait.
    fn refusal(&mut self, limit: &Limit, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if let Some(wait) = self.wait(now) {
            return Some(wait.until);
        }
        match limit.kind {
            _ if !self.is_used_up(limit, now) => None,
            LimitKind::Lockout => Some(now + Duration::from_secs(1)),
            LimitKind::Throttle => {
                self.waits.push(Wait { begin: now, until: now + limit.wait });
                Some(now + limit.wait)
            }
        }
    }

    fn conclude(&mut self, limit: &Limit, attempt: AttemptId, conclusion: Conclusion, now: DateTime<Utc>) {
        self.in_flight.retain(|other| *other != attempt);
        match (conclusion, self.wait(now)) {
            (Conclusion::Failed(tag), None) => {
                self.counted.push((now, tag));
                if self.counted(limit, now).len() >= limit.count {
                    self.waits.push(Wait { begin: now, until: now + limit.wait });
                }
            }
            (Conclusion::Succeeded(tag), wait) => {
                self.counted.retain(|(_, other)| *other != Some(tag));
                // What led to it stays with it.
                if let Some(wait) = wait.filter(|wait| self.counted(limit, wait.begin).len() < limit.count) {
                    self.waits.retain(|other| other.until != wait.until);
                }
            }
            (Conclusion::Failed(_), Some(_)) | (Conclusion::GivenBack, _) => {}
        }
    }
}

/// The rules, as one would tell them: all limits are asked; who waits, waits; what is used up begins to wait; else it counts. What
/// spares known devices refuses nothing and counts nothing.
#[derive(Default)]
struct Model(HashMap<(LimitKind, Subject), Naive>);

impl Model {
    /// The end of the refusal, or, where there is none, of that which known devices are spared.
    fn admit(&mut self, question: &Question) -> Result<Option<DateTime<Utc>>, DateTime<Utc>> {
        let now = question.attempt.at;
        let mut naive = |limit: &Limit, subject: Subject, refuse: bool| {
            let naive = self.0.entry((limit.kind, subject)).or_default();
            if refuse { naive.refusal(limit, now) } else { naive.wait(now).map(|wait| wait.until) }
        };
        for refuse in [false, true] {
            let strict = question.limits.iter().filter(|(limit, _)| !limit.spares_known);
            let refusals: Vec<_> = strict.filter_map(|(limit, subject)| naive(limit, *subject, refuse)).collect();
            if let Some(longest) = refusals.into_iter().max() {
                return Err(longest);
            }
        }
        let mut spared = None;
        for (limit, subject) in &question.limits {
            let naive = self.0.entry((limit.kind, *subject)).or_default();
            match (limit.spares_known.then(|| naive.refusal(limit, now)).flatten(), limit.kind) {
                (Some(until), _) => spared = spared.max(Some(until)),
                (None, LimitKind::Throttle) => naive.counted.push((now, None)),
                (None, LimitKind::Lockout) => naive.in_flight.push(question.attempt),
            }
        }
        Ok(spared)
    }

    fn conclude(&mut self, question: &Question, conclusion: Conclusion, now: DateTime<Utc>) {
        for (limit, subject) in &question.limits {
            self.0.entry((limit.kind, *subject)).or_default().conclude(limit, question.attempt, conclusion, now);
        }
    }
}

fn question(limits: &[Limit], case: Uuid, (device, address): (u8, u8), attempt: AttemptId) -> Question {
    let subject = |limit: &Limit| {
        let mut subject = *case.as_bytes();
        subject[0] = if limit.scope == Scope::Device { device } else { 128 + address };
        Subject(subject)
    };
    let limits = limits.iter().map(|limit| (*limit, subject(limit))).collect();
    Question { operation: Operation::Login, limits, attempt }
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
        let (mut now, mut made, mut numbers) = (start(), Vec::new(), 0);
        for step in history {
            now += step.after;
            match step.what {
                What::Call { device, address } => {
                    numbers += 1;
                    let question = question(&limits, case, (device, address), AttemptId { at: now, number: numbers });
                    let expected = model.admit(&question);
                    let in_memory = memory.admit(&question);
                    let in_redis = runtime.block_on(redis.admit(&question)).unwrap();
                    assert_eq!(in_memory.as_ref().ok(), in_redis.as_ref().ok());
                    let until = |outcome: Result<Admitted, Refused>| match outcome {
                        Ok(admitted) => Ok(admitted.unless_known.map(|refused| refused.until)),
                        Err(refused) => Err(refused.until),
                    };
                    assert_eq!((until(in_memory), until(in_redis)), (expected, expected));
                    made.extend(expected.is_ok().then(|| of_failures(&question)));
                }
                What::Conclude { which, conclusion } => {
                    if let Some(place) = made.len().checked_sub(which + 1) {
                        let question = made.remove(place);
                        model.conclude(&question, conclusion, now);
                        let names = names(&question, now);
                        let began = memory.conclude(&question, conclusion, &names, now);
                        let concluding = redis.conclude(&question, conclusion, &names, now);
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
    let kept = (seconds(2..20), 2..8_u32, seconds(2..40));
    let kept = kept.prop_map(|(after_lock, series, after_series)| Kept { after_lock, series, after_series });
    let rules = (1..5_usize, seconds(1..8), seconds(1..9), seconds(9..40), 3..12_u32, kept);
    let deeds = prop_oneof![
        8 => Just(Deed::Attempt),
        2 => (0..4_usize).prop_map(|which| Deed::GiveBack { which }),
        1 => Just(Deed::Succeed),
    ];
    let history = vec((prop_oneof![3 => Just(Duration::ZERO), 4 => seconds(1..8), 1 => seconds(8..40)], deeds), 1..40);
    let mut runner = TestRunner::new(Cases { cases: 100, failure_persistence: None, ..Cases::default() });
    let run = runner.run(&(rules, history), |(rule, history)| {
        let case = Uuid::new_v4().as_u128();
        let (failures, window, lock, max_lock, failures_in_a_row, kept) = rule;
        let rule = AccountRule { failures, window, lock, max_lock, failures_in_a_row, kept };
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
                            address_locked: false,
                            tag: AttemptTag([1; 8]),
                            at: now,
                        };
                        match login_attempts::reserve(&mut conn, new, &rule).await.unwrap() {
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

/// What happens to the refresh of a session.
#[derive(Clone, Debug)]
enum Refresh {
    Fail,
    Lift,
}

#[test]
fn the_lockout_of_a_session_in_postgres_does_as_a_model_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let database = runtime.block_on(Database::create());
    let config = Config::load(None, [("DATABASE_URL".to_owned(), database.url().to_owned())]).unwrap();
    let pool = Pool::new(config.database_url().unwrap(), &config.database, 2).unwrap();
    let client = runtime.block_on(database.client());
    let rules = (1..5_u32, seconds(1..8), seconds(1..12));
    let deeds = prop_oneof![8 => Just(Refresh::Fail), 1 => Just(Refresh::Lift)];
    let history = vec((prop_oneof![2 => Just(Duration::ZERO), 4 => seconds(1..5)], deeds), 1..40);
    let mut runner = TestRunner::new(Cases { cases: 60, failure_persistence: None, ..Cases::default() });
    let run = runner.run(&(rules, history), |((failures, window, lock), history)| {
        let rule = SessionRule { failures, window, lock };
        let id = Uuid::new_v4();
        let insert = format!(
            "INSERT INTO users (user_id, email, display_name, state, revision, created_at, updated_at, verified_at)
                VALUES ('{id}', '{id}@example.com', 'A', 'ACTIVE', 1, 'epoch', 'epoch', 'epoch');
            INSERT INTO sessions (session_id, user_id, device_id, device_name, ip_address, user_agent, generation,
                created_at, last_used_at, rotated_at, expires_at, absolute_expires_at)
                VALUES ('{id}', '{id}', 'phone', 'Phone', '192.0.2.1', '', 1, 'epoch', 'epoch', 'epoch', 'infinity', 'infinity')"
        );
        runtime.block_on(async {
            client.batch_execute(&insert).await.unwrap();
            let mut conn = pool.get().await.unwrap();
            let (mut failed, mut locked_until, mut now) = (Vec::new(), None, start());
            for (after, deed) in history {
                now += after;
                if locked_until.is_some_and(|until| until <= now) {
                    (failed, locked_until) = (Vec::new(), None);
                }
                match deed {
                    Refresh::Fail => {
                        failed.retain(|time: &DateTime<Utc>| *time + window > now);
                        let mut begins = None;
                        if locked_until.is_none() {
                            failed.push(now);
                            begins = (failed.len() >= usize::try_from(failures).unwrap()).then(|| now + lock);
                            locked_until = begins;
                        }
                        let added = sessions::add_refresh_failure(&mut conn, id.into(), rule, now).await.unwrap();
                        assert_eq!(added, begins);
                    }
                    Refresh::Lift => {
                        let lifted = sessions::take_refresh_locked(&mut conn, id.into(), now).await.unwrap();
                        assert_eq!(lifted, locked_until.is_some());
                        if lifted {
                            (failed, locked_until) = (Vec::new(), None);
                        }
                    }
                }
            }
        });
        Ok(())
    });
    run.unwrap();
}
