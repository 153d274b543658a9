//! Many calls at once, over connections to several replicas that share nothing but the database: what must happen once
//! happens once, and what is counted is counted right.

mod codes;
mod passwords;
mod sessions;

use std::sync::Arc;

use tokio::sync::Barrier;

use crate::harness::{Device, Refusal, Replica, TestApp};

const LIVE_SESSIONS: &str = "sessions WHERE ended_at IS NULL";

/// A service of three replicas.
struct Cluster {
    app: TestApp,
    others: [Replica; 2],
}

impl Cluster {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let others = [app.replica().await, app.replica().await];
        Self { app, others }
    }

    /// A device that calls one of the replicas, the next number another one.
    fn device(&self, number: usize, device_id: &str) -> Device {
        let device = self.app.device(device_id);
        match number % 3 {
            0 => device,
            other => device.at(&self.others[other - 1]),
        }
    }
}

/// The outcomes of calls that all begin when the last of them is ready.
async fn at_once<F>(calls: impl IntoIterator<Item = F>) -> Vec<F::Output>
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
fn sort<T>(outcomes: Vec<Result<T, Refusal>>) -> (Vec<T>, Vec<Refusal>) {
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
fn because(reason: &str, refusals: &[Refusal]) -> usize {
    refusals.iter().filter(|refusal| refusal.reason() == reason).count()
}
