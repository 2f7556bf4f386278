//! Which service answers a request, under which id, and how that is counted.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use http::{HeaderName, HeaderValue, Request, Response};
use hyper::body::Incoming;
use tower::Service;
use tracing::{Instrument, debug, info_span};
use uuid::Uuid;

use super::Services;
use super::traffic::{Part, Traffic};
use crate::host::health;
use crate::{fulcio, oidc_dev, rekor, static_ct, tsa, tuf, witness};

/// An answer that is being made.
type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Answers every request to the stack. Starts the threads that check what is logged.
pub(super) fn answer(
    services: &Services,
    traffic: Arc<Traffic>,
) -> io::Result<impl Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static> {
    let (router, registry) = (router(services)?, services.registry.clone());
    Ok(move |request: Request<Incoming>| -> Answering {
        let part = Part::of(request.uri().path());
        let observed = Observed::begin(part, Arc::clone(&traffic), &request);
        match registry.clone().filter(|_| part == Part::Registry) {
            Some(registry) => observed.end(async move { registry.answer(request).await }),
            None => {
                let mut router = router.clone();
                observed.end(async move {
                    match router.call(request).await {
                        Ok(response) => response,
                        Err(never) => match never as Infallible {},
                    }
                })
            }
        }
    })
}

/// A request that is counted, and told apart from others in the log by its id.
struct Observed {
    part: Part,
    traffic: Arc<Traffic>,
    id: HeaderValue,
    method: String,
    path: String,
    began: Instant,
}

impl Observed {
    /// The id is the client's, if it is a plain one.
    fn begin(part: Part, traffic: Arc<Traffic>, request: &Request<Incoming>) -> Self {
        let plain = |id: &&HeaderValue| {
            let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
            (1..=MAX_ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
        };
        let id = request.headers().get(REQUEST_ID).filter(plain).cloned();
        let made = || HeaderValue::from_str(&Uuid::new_v4().to_string()).ok();
        Self {
            part,
            traffic,
            id: id.or_else(made).unwrap_or(HeaderValue::from_static("none")),
            method: request.method().to_string(),
            // Without the query, which is where secrets are.
            path: request.uri().path().to_owned(),
            began: Instant::now(),
        }
    }

    fn end(self, answer: impl Future<Output = Response<Body>> + Send + 'static) -> Answering {
        let id = self.id.to_str().unwrap_or_default();
        let span = info_span!("request", id, method = self.method, path = self.path);
        let answered = async move {
            let mut response = answer.await;
            let elapsed = self.began.elapsed();
            self.traffic.count(self.part, response.status(), elapsed);
            // The registry has a line of its own.
            if self.part != Part::Registry {
                let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
                debug!(service = self.part.name(), status = response.status().as_u16(), ms, "answered");
            }
            response.headers_mut().insert(REQUEST_ID, self.id);
            response
        };
        Box::pin(answered.instrument(span))
    }
}

fn router(services: &Services) -> io::Result<Router> {
    let ready = services.clone();
    let trust = services.trust.as_ref().map(|trust| tuf::router(trust.publisher().clone()));
    let witness = services.witness.clone().map(witness::router);
    let dev = services.dev.clone().map(|dev| oidc_dev::router(dev, oidc_dev::PATH));
    let router = rekor::sharded_router(Arc::clone(&services.log), rekor::Kind::HashedRekord)?
        .merge(tsa::router(services.tsa.clone()))
        .merge(fulcio::router(services.ca.clone()))
        .merge(static_ct::router(Arc::clone(&services.ct)))
        .merge(health(move || ready.is_ready()));
    let search = services.search.as_ref().map(rekor::Searching::router);
    Ok(search.into_iter().chain(trust).chain(witness).chain(dev).fold(router, Router::merge))
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_ID_BYTES: usize = 128;
