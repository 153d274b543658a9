//! Calls that are made at once, and what became of them.

use std::sync::Arc;

use tokio::sync::Barrier;

use super::refusal::Refusal;

/// The outcomes of calls that all begin when the last of them is ready.
pub(crate) async fn at_once<F>(calls: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let calls: Vec<_> = calls.into_iter().collect();
    let ready = Arc::new(Barrier::new(calls.len()));
    let begin = |call: F| {
        let ready = ready.clone();
        tokio::spawn(async move {
            ready.wait().await;
            call.await
        })
    };
    let running: Vec<_> = calls.into_iter().map(begin).collect();
    let mut outcomes = Vec::new();
    for call in running {
        outcomes.push(call.await.unwrap());
    }
    outcomes
}

/// What became of calls: the answers, and the refusals.
pub(crate) fn sort<T>(outcomes: Vec<Result<T, Refusal>>) -> (Vec<T>, Vec<Refusal>) {
    let (mut answers, mut refusals) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(answer) => answers.push(answer),
            Err(refusal) => refusals.push(refusal),
        }
    }
    (answers, refusals)
}

/// How many refusals give this reason.
pub(crate) fn because(reason: &str, refusals: &[Refusal]) -> usize {
    refusals.iter().filter(|refusal| refusal.reason() == reason).count()
}
