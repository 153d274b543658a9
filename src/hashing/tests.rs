//! The pool as its callers meet it. Hashes are made small; those of other implementations are of argon2-cffi.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::mpsc;

use super::*;
use crate::config::{Ceilings, Workers};

mod families;

/// "correct horse caf\u{e9}", 19456 KiB, two passes.
const FOREIGN: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$KAhbvXbyLYzOX9pYhrGEL3pIdVwKYc+0vWvHkl2KXLM";
/// "correct horse", Argon2i, four lanes, an output of 24 bytes.
const FOREIGN_I: &str = "$argon2i$v=19$m=32,t=3,p=4$MDEyMzQ1Njc4OWFiY2RlZg$+pYnZsxkw5kQzmZe21gJgPG0+tmrcdtQ";
/// "correct horse", version 1.0.
const FOREIGN_OLD: &str =
    "$argon2id$v=16$m=64,t=1,p=2$MDEyMzQ1Njc4OWFiY2RlZg$jjm1V97QT8PuFkUMyvFq232JlFYf0RcIVvYEAn/UGV8";
/// "correct horse", 20000 KiB.
const FOREIGN_LARGE: &str =
    "$argon2id$v=19$m=20000,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$pNNndP9rI2PBroKl8DHrTSb3Hfre5CjmIpYAueBG7es";

/// One worker, and next to no work.
fn small() -> config::Passwords {
    config::Passwords {
        memory_kib: cost(64),
        iterations: cost(1),
        parallelism: cost(1),
        workers: Workers::Count(places(1)),
        queue: places(64),
        deadline: Duration::from_mins(1),
        ceilings: Ceilings {
            argon2_memory_kib: cost(20_000),
            argon2_work_kib: cost(40_000),
            bcrypt_cost: cost(4),
            scrypt_memory_kib: cost(48),
            pbkdf2_iterations: cost(1000),
        },
    }
}

fn cost(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn places(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

fn password(text: &str) -> Password {
    Password::presented(text)
}

fn stored(phc: &str) -> PasswordHash {
    PasswordHash::from(phc.to_owned())
}

/// Keeps the only thread of a pool busy until the sender is dropped.
async fn occupy(hasher: &Arc<Hasher>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = oneshot::channel();
    let hasher = Arc::clone(hasher);
    let task = tokio::spawn(async move {
        let work = move || {
            begun.send(()).unwrap();
            released.recv().unwrap_err();
        };
        hasher.run(work).await.unwrap();
    });
    has_begun.await.unwrap();
    (release, task)
}

/// Lets other tasks and threads go on until something has come about.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_new_hash_names_its_parameters_and_verifies() {
    let hasher = Hasher::new(&small()).unwrap();
    let hash = hasher.hash(&password("correct horse")).await.unwrap();
    assert!(hash.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
    let other = hasher.hash(&password("correct horse")).await.unwrap();
    assert_ne!(hash, other, "salts differ");
    for (text, verdict) in
        [("correct horse", Verdict::Right { rehash: None }), ("correct horsf", Verdict::Wrong), ("", Verdict::Wrong)]
    {
        assert_eq!(hasher.verify(password(text), Some(&hash)).await.unwrap(), verdict);
    }
}

#[tokio::test]
async fn hashes_of_another_implementation_are_read_and_renewed() {
    let hasher = Hasher::new(&small()).unwrap();
    for (text, phc) in [
        ("correct horse cafe\u{301}", FOREIGN),
        ("correct horse", FOREIGN_I),
        ("correct horse", FOREIGN_OLD),
        ("correct horse", &FOREIGN_OLD.replace("$v=16", "")),
        ("correct horse", FOREIGN_LARGE),
    ] {
        let verdict = hasher.verify(password(text), Some(&stored(phc))).await.unwrap();
        let Verdict::Right { rehash: Some(renewed) } = verdict else { panic!("{phc}: {verdict:?}") };
        let again = hasher.verify(password(text), Some(&renewed)).await.unwrap();
        assert_eq!(again, Verdict::Right { rehash: None });
        let wrong = hasher.verify(password("incorrect horse"), Some(&stored(phc))).await.unwrap();
        assert_eq!(wrong, Verdict::Wrong);
    }
}

#[tokio::test]
async fn a_hash_with_the_present_parameters_is_kept() {
    let hasher = Hasher::new(&config::Passwords { memory_kib: cost(19456), iterations: cost(2), ..small() }).unwrap();
    let verdict = hasher.verify(password("correct horse caf\u{e9}"), Some(&stored(FOREIGN))).await.unwrap();
    assert_eq!(verdict, Verdict::Right { rehash: None });
}

#[tokio::test]
async fn stored_hashes_that_cannot_be_computed_are_our_failure() {
    let hasher = Hasher::new(&small()).unwrap();
    for phc in
        ["", "secret", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=64,t=1,p=1", &FOREIGN.replace("v=19", "v=18")]
    {
        let error = hasher.verify(password("correct horse"), Some(&stored(phc))).await.unwrap_err();
        assert!(matches!(error, HashingError::StoredHashUnusable(_)), "{phc}: {error:?}");
    }
}

#[tokio::test]
async fn an_unknown_address_takes_the_work_of_a_known_one() {
    let hasher = Hasher::new(&config::Passwords { memory_kib: cost(96), ..small() }).unwrap();
    let verdict = hasher.verify(password("correct horse"), None).await.unwrap();
    assert_eq!(verdict, Verdict::Wrong);
    // It is compared with a model that has all the parameters of a new hash, and as many blocks were filled.
    let new = hasher.hash(&password("correct horse")).await.unwrap();
    assert!(hasher.hashes.argon2id.compares_unknown_like(&new));
    assert!(!hasher.hashes.argon2id.compares_unknown_like(&stored(FOREIGN)));
}

#[tokio::test]
async fn an_objection_saves_the_hash() {
    let hasher = Hasher::new(&small()).unwrap();
    let refused = hasher.hash_if(password("correct horse"), |_| Err("no")).await.unwrap();
    assert_eq!(refused, Err("no"));
    let hash = hasher.hash_if(password("correct horse"), |_| Ok::<_, &str>(())).await.unwrap().unwrap();
    let verdict = hasher.verify(password("correct horse"), Some(&hash)).await.unwrap();
    assert_eq!(verdict, Verdict::Right { rehash: None });
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_recovers() {
    let config = config::Passwords { queue: places(2), deadline: Duration::from_secs(90), ..small() };
    let hasher = Arc::new(Hasher::new(&config).unwrap());
    let (release, task) = occupy(&hasher).await;
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let hasher = Arc::clone(&hasher);
            tokio::spawn(async move { hasher.hash(&password("correct horse")).await })
        })
        .collect();
    until(|| hasher.queue.waiting() == 2).await;
    let error = hasher.hash(&password("one too many")).await.unwrap_err();
    assert!(matches!(error, HashingError::Overloaded { retry_after } if retry_after == Duration::from_secs(90)));
    drop(release);
    task.await.unwrap();
    for hash in waiting {
        hash.await.unwrap().unwrap();
    }
    hasher.hash(&password("room again")).await.unwrap();
}

#[tokio::test]
async fn what_waited_past_its_deadline_is_not_done() {
    let hasher = Arc::new(Hasher::new(&config::Passwords { deadline: Duration::ZERO, ..small() }).unwrap());
    let (done, is_done) = mpsc::channel();
    let error = hasher.run(move || done.send(())).await.unwrap_err();
    assert!(matches!(error, HashingError::Overloaded { retry_after } if retry_after == Duration::from_secs(1)));
    is_done.recv().unwrap_err();
}

#[tokio::test]
async fn the_work_of_a_caller_who_left_keeps_its_place_but_is_skipped() {
    let hasher = Arc::new(Hasher::new(&config::Passwords { queue: places(1), ..small() }).unwrap());
    let (release, task) = occupy(&hasher).await;
    let (done, is_done) = mpsc::channel();
    let caller = tokio::spawn({
        let hasher = Arc::clone(&hasher);
        async move { hasher.run(move || done.send(())).await }
    });
    until(|| hasher.queue.waiting() == 1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    let refused = hasher.run(|| ()).await;
    assert!(matches!(refused, Err(HashingError::Overloaded { .. })), "leaving frees no place");
    drop(release);
    task.await.unwrap();
    is_done.recv().unwrap_err();
    until(|| hasher.queue.waiting() == 0).await;
    hasher.run(|| ()).await.unwrap();
}

#[tokio::test]
async fn memory_is_reused_and_given_back() {
    let kept = Hasher::with_memory_kept_for(&small(), Duration::MAX).unwrap();
    for _ in 0..3 {
        kept.hash(&password("correct horse")).await.unwrap();
    }
    assert_eq!(kept.queue.spare(), 1);
    kept.verify(password("correct horse"), Some(&stored(FOREIGN_LARGE))).await.unwrap();
    assert_eq!(kept.queue.spare(), 0, "what grew for one hash is not kept");

    let released = Hasher::with_memory_kept_for(&small(), Duration::from_millis(1)).unwrap();
    released.hash(&password("correct horse")).await.unwrap();
    until(|| released.queue.spare() == 0).await;
    released.hash(&password("correct horse")).await.unwrap();
}

#[tokio::test]
async fn a_panic_costs_its_own_caller_only() {
    let hasher = Hasher::new(&small()).unwrap();
    let error = hasher.run(|| panic!("on purpose")).await.unwrap_err();
    assert!(matches!(error, HashingError::Interrupted));
    hasher.hash(&password("correct horse")).await.unwrap();
}

#[tokio::test]
async fn threads_end_with_their_pool() {
    let hasher = Hasher::new(&config::Passwords { workers: Workers::Count(places(3)), ..small() }).unwrap();
    hasher.hash(&password("correct horse")).await.unwrap();
    let queue = Arc::downgrade(&hasher.queue);
    drop(hasher);
    until(|| queue.strong_count() == 0).await;
}

#[test]
fn impossible_parameters_are_refused() {
    for config in
        [config::Passwords { memory_kib: cost(7), ..small() }, config::Passwords { parallelism: cost(9), ..small() }]
    {
        assert!(matches!(Hasher::new(&config), Err(HasherInvalid::Parameters(_))), "{config:?}");
    }
}
