//! `grpc.health.v1`: tonic's service, and around it what the protocol says of watching a service that is not known, or not any more.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_health::server::{HealthReporter, HealthService, WatchStream};

/// How often a watch of an unknown service looks whether it has become known.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The health of the services, as the reporter tells it.
#[derive(Clone, Debug)]
pub(super) struct ServiceHealth {
    reported: Arc<HealthService>,
    /// Ends the streams, once they have told the last status.
    draining: CancellationToken,
}

impl ServiceHealth {
    pub(super) fn new(reporter: &HealthReporter, draining: CancellationToken) -> Self {
        Self { reported: Arc::new(HealthService::from_health_reporter(reporter.clone())), draining }
    }
}

#[tonic::async_trait]
impl Health for ServiceHealth {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        self.reported.check(request).await
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let watch = Watch { health: self.clone(), request: request.into_inner(), reports: None, told: None };
        let statuses = stream::unfold(Some(watch), async |watch| {
            let mut watch = watch?;
            match watch.next().await {
                Ok(status) => Some((Ok(HealthCheckResponse { status }), Some(watch))),
                Err(end) => Some((Err(end), None)),
            }
        });
        Ok(Response::new(statuses.boxed()))
    }
}

/// One client that watches one service.
struct Watch {
    health: ServiceHealth,
    request: HealthCheckRequest,
    /// The reports, while the service is known.
    reports: Option<WatchStream>,
    /// The status that the client was told last.
    told: Option<i32>,
}

impl Watch {
    /// Waits for a status other than the last one. Ends with the service's drain alone.
    async fn next(&mut self) -> Result<i32, Status> {
        loop {
            let status = match self.report().await? {
                Some(report) => report.status,
                None if self.told == Some(ServingStatus::ServiceUnknown.into()) => {
                    self.look_again().await?;
                    continue;
                }
                None => ServingStatus::ServiceUnknown.into(),
            };
            if self.told.replace(status) != Some(status) {
                return Ok(status);
            }
        }
    }

    /// The next report; `None` when the service is not known.
    async fn report(&mut self) -> Result<Option<HealthCheckResponse>, Status> {
        if self.reports.is_none() {
            let reports = self.health.reported.watch(Request::new(self.request.clone())).await;
            self.reports = reports.ok().map(Response::into_inner);
        }
        let Some(reports) = &mut self.reports else { return Ok(None) };
        if let Some(report) = reports.next().await {
            return report.map(Some);
        }
        self.reports = None;
        if self.health.draining.is_cancelled() { Err(stopping()) } else { Ok(None) }
    }

    async fn look_again(&self) -> Result<(), Status> {
        tokio::select! {
            () = self.health.draining.cancelled() => Err(stopping()),
            () = tokio::time::sleep(LOOK_AGAIN) => Ok(()),
        }
    }
}

fn stopping() -> Status {
    Status::unavailable("the service is stopping")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{
        BoxStream, CancellationToken, Health, HealthCheckRequest, HealthCheckResponse, HealthReporter, Request,
        ServiceHealth, ServingStatus, Status, StreamExt,
    };

    async fn next(watch: &mut BoxStream<'static, Result<HealthCheckResponse, Status>>) -> ServingStatus {
        watch.next().await.unwrap().unwrap().status()
    }

    #[tokio::test]
    async fn a_watch_follows_a_service_that_appears_and_disappears() {
        let (mut reporter, draining) = (HealthReporter::new(), CancellationToken::new());
        let health = ServiceHealth::new(&reporter, draining.clone());
        let request = Request::new(HealthCheckRequest { service: "parcels".to_owned() });
        let mut watch = health.watch(request).await.unwrap().into_inner();
        assert_eq!(next(&mut watch).await, ServingStatus::ServiceUnknown);
        reporter.set_service_status("parcels", tonic_health::ServingStatus::Serving).await;
        assert_eq!(next(&mut watch).await, ServingStatus::Serving);
        // What does not change is not told again.
        reporter.set_service_status("parcels", tonic_health::ServingStatus::Serving).await;
        reporter.set_service_status("parcels", tonic_health::ServingStatus::NotServing).await;
        assert_eq!(next(&mut watch).await, ServingStatus::NotServing);
        reporter.clear_service_status("parcels").await;
        assert_eq!(next(&mut watch).await, ServingStatus::ServiceUnknown);
        draining.cancel();
        assert_eq!(watch.next().await.unwrap().unwrap_err().code(), tonic::Code::Unavailable);
        assert!(watch.next().await.is_none());
    }
}
