//! Many calls at once, over connections to several replicas that share nothing but the database: what must happen once
//! happens once, and what is counted is counted right.

mod codes;
mod passwords;
mod sessions;

use crate::harness::{Device, Replica, TestApp};

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
