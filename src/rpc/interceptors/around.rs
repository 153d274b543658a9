//! A layer made of one function around the rest of the stack, for what must see the response too.

use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{BoxError, Layer, Service, ServiceExt};

use super::Gate;

/// The rest of the stack, for one request.
pub(in crate::rpc) struct Next(Box<dyn FnOnce(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send>);

impl Next {
    /// Passes the request on. A refusal of the layers behind comes back as the response that it is to the client.
    pub(in crate::rpc) fn run(self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        (self.0)(request)
    }
}

/// Puts a function around the rest of the stack.
#[derive(Clone)]
pub(in crate::rpc) struct AroundLayer<F> {
    gate: Gate,
    run: F,
}

impl<F, R> AroundLayer<F>
where
    F: Fn(Gate, Request<Body>, Next) -> R,
    R: Future<Output = Response<Body>>,
{
    pub(in crate::rpc) fn new(gate: &Gate, run: F) -> Self {
        Self { gate: gate.clone(), run }
    }
}

impl<S, F: Clone> Layer<S> for AroundLayer<F> {
    type Service = Around<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Around { gate: self.gate.clone(), run: self.run.clone(), inner }
    }
}

/// The service that [`AroundLayer`] makes.
#[derive(Clone)]
pub(in crate::rpc) struct Around<S, F> {
    gate: Gate,
    run: F,
    inner: S,
}

impl<S, F, R, B> Service<Request<Body>> for Around<S, F>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = prost::bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    F: Fn(Gate, Request<Body>, Next) -> R,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Readiness is waited for where the request is passed on.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = self.inner.clone();
        let next = Next(Box::new(move |request| {
            async move {
                match inner.oneshot(request).await {
                    Ok(response) => response.map(Body::new),
                    Err(error) => Status::from_error(error.into()).into_http(),
                }
            }
            .boxed()
        }));
        (self.run)(self.gate.clone(), request, next).map(Ok).boxed()
    }
}
