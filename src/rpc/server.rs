//! The server: services, the layer stack, and a graceful end.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthReporter;
use tonic_reflection::pb::{v1::server_reflection_server as v1, v1alpha::server_reflection_server as v1alpha};
use tower::ServiceBuilder;

use super::account::Account;
use super::admin::Admin;
use super::auth::Auth;
use super::drain;
use super::health::ServiceHealth;
use super::interceptors::{
    AroundLayer, Gate, admission, authenticate, authorize, body, deadline, device, explain, filter, method, network,
    peer, streams, throttle, trace,
};
use super::listen::{Acceptor, Connections, Stack, TooFewFiles};
use super::methods::{Methods, PolicyError};
use super::reflection::Reflection;
use super::session::Sessions;
use crate::app::App;
use crate::proto::keyward::v1::account_service_server::{AccountServiceServer, SERVICE_NAME as ACCOUNT};
use crate::proto::keyward::v1::admin_service_server::{AdminServiceServer, SERVICE_NAME as ADMIN};
use crate::proto::keyward::v1::auth_service_server::{AuthServiceServer, SERVICE_NAME as AUTH};
use crate::proto::keyward::v1::session_service_server::{SERVICE_NAME as SESSION, SessionServiceServer};

/// The services whose health is told, the empty name standing for the server as a whole (`grpc.health.v1`).
pub const HEALTH_NAMES: [&str; 5] = ["", AUTH, SESSION, ACCOUNT, ADMIN];

/// Why the server could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A method does not say who may call it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Reflection cannot be built from the descriptors.
    #[error("reflection could not be built")]
    Reflection(#[source] prost_reflect::DescriptorError),
    /// There are no files for connections.
    #[error(transparent)]
    Files(#[from] TooFewFiles),
}

/// The services, ready to be served.
pub struct Services {
    routes: Routes,
    gate: Gate,
    /// Tells clients whether the services can serve.
    pub health: HealthReporter,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

impl Services {
    /// Puts the services together.
    ///
    /// # Errors
    /// When a method's policy or the descriptors are not whole.
    pub fn new(app: Arc<App>) -> Result<Self, ServeError> {
        let methods = Arc::new(Methods::load()?);
        let limit = app.config.server.max_message_bytes;
        let health = HealthReporter::new();
        let health_service = ServiceHealth::new(&health, app.draining.clone());
        let mut routes = Routes::builder();
        routes
            .add_service(AuthServiceServer::new(Auth(app.clone())).max_decoding_message_size(limit))
            .add_service(SessionServiceServer::new(Sessions(app.clone())).max_decoding_message_size(limit))
            .add_service(AccountServiceServer::new(Account(app.clone())).max_decoding_message_size(limit))
            .add_service(AdminServiceServer::new(Admin(app.clone())).max_decoding_message_size(limit))
            .add_service(HealthServer::new(health_service).max_decoding_message_size(limit));
        if app.config.server.reflection {
            let reflection = Reflection::new(app.draining.clone()).map_err(ServeError::Reflection)?;
            routes.add_service(v1::ServerReflectionServer::new(reflection.clone()).max_decoding_message_size(limit));
            // Older clients, grpcurl before 1.9 among them, ask for this one only.
            routes.add_service(v1alpha::ServerReflectionServer::new(reflection).max_decoding_message_size(limit));
        }
        Ok(Self { routes: routes.routes(), gate: Gate { app, methods }, health })
    }
}

/// Serves until `closing`, then lets running calls finish within `server.shutdown_grace`; those that do not are cut off.
pub async fn serve(
    services: Services,
    listener: TcpListener,
    connections: Arc<Connections>,
    closing: CancellationToken,
) {
    let Services { routes, gate, .. } = services;
    let (grace, calls) = (gate.app.config.server.shutdown_grace, TaskTracker::new());
    let acceptor = Acceptor::http2(stack(&gate, routes, calls.clone()), connections, closing);
    acceptor.accept(listener).await;
    drain::until_over(&calls, &acceptor.open, grace).await;
    acceptor.cut();
}

/// The interceptors, outermost first, and the services behind them.
fn stack(gate: &Gate, routes: Routes, calls: TaskTracker) -> Stack {
    let places = Arc::new(Semaphore::new(gate.app.config.server.max_concurrent_requests));
    let layers = ServiceBuilder::new()
        // The end of the service waits for it.
        .layer(AroundLayer::new(gate, move |_, request, next| drain::count(calls.clone(), request, next)))
        // Gives the call its request id; everything behind it logs and answers with it.
        .layer(AroundLayer::new(gate, trace::trace))
        // Sees every refusal, the framework's own too.
        .layer(AroundLayer::new(gate, explain::explain))
        // Bounds all that follows.
        .layer(AroundLayer::new(gate, deadline::deadline))
        // Everything that counts or judges by address needs the client's.
        .layer(filter(gate, peer::peer))
        // Everything behind it needs the method's policy.
        .layer(filter(gate, method::method))
        // From memory, before anything is asked of the client.
        .layer(filter(gate, network::network))
        .layer(filter(gate, device::device))
        .layer(AroundLayer::new(gate, streams::streams))
        // What headers and memory refuse is refused by now, and nothing has been counted or looked up yet: a client that sends its
        // message slowly, or goes away meanwhile, costs and owes nothing.
        .layer(filter(gate, body::body))
        // Behind the message, so that places are for calls that can be worked on. Beyond its capacity the service says so at once.
        .layer(AroundLayer::new(gate, move |_, request, next| admission::admit(places.clone(), request, next)))
        // By origin and device, before any signature or password is checked.
        .layer(AroundLayer::new(gate, throttle::throttle))
        .layer(filter(gate, authenticate::authenticate))
        .layer(filter(gate, authorize::authorize));
    Stack::new(layers.service(routes.prepare()))
}
