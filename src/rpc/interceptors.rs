//! The interceptors, each one function from request to request, or around the call. They read headers; [`body`] alone
//! reads the request's message, without a look into it.

pub(super) mod admission;
pub(super) mod authenticate;
pub(super) mod authorize;
pub(super) mod body;
pub(super) mod deadline;
pub(super) mod device;
pub(super) mod explain;
pub(super) mod method;
pub(super) mod network;
pub(super) mod peer;
pub(super) mod streams;
pub(super) mod throttle;
pub(super) mod trace;

mod around;

use std::sync::Arc;

use http::Request;
use tonic::Status;
use tonic::body::Body;
use tower::filter::AsyncFilterLayer;

pub(super) use around::{AroundLayer, Next};

use super::methods::Methods;
use crate::app::App;
use crate::error::Error;

/// What interceptors look at besides the request.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// The service's parts.
    pub(super) app: Arc<App>,
    /// The policies of its methods.
    pub(super) methods: Arc<Methods>,
}

/// Makes a layer of a function that lets a request pass, with an extension more, or refuses it.
pub(super) fn filter<F, R>(
    gate: &Gate,
    run: F,
) -> AsyncFilterLayer<impl FnMut(Request<Body>) -> Filtered<R> + Clone + use<F, R>>
where
    F: Fn(Gate, Request<Body>) -> R + Clone,
    R: Future<Output = Result<Request<Body>, Error>>,
{
    let gate = gate.clone();
    AsyncFilterLayer::new(move |request| Filtered(Box::pin(run(gate.clone(), request))))
}

/// The outcome of a filter, as a status.
pub(super) struct Filtered<R>(std::pin::Pin<Box<R>>);

impl<R: Future<Output = Result<Request<Body>, Error>>> Future for Filtered<R> {
    type Output = Result<Request<Body>, Status>;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        self.0.as_mut().poll(cx).map_err(Status::from)
    }
}
