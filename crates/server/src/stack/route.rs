//! Which service answers a request.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use tower::Service;

use super::Services;
use crate::host::health;
use crate::{fulcio, oidc_dev, rekor, tsa};

/// An answer that is being made.
type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Answers every request to the stack. Starts the threads that check what is logged.
pub(super) fn answer(
    services: &Services,
) -> io::Result<impl Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static> {
    let (router, registry) = (router(services)?, services.registry.clone());
    Ok(move |request: Request<Incoming>| -> Answering {
        match registry.clone().filter(|_| is_of_registry(request.uri().path())) {
            Some(registry) => Box::pin(async move { registry.answer(request).await }),
            None => {
                let mut router = router.clone();
                Box::pin(async move {
                    match router.call(request).await {
                        Ok(response) => response,
                        Err(never) => match never as Infallible {},
                    }
                })
            }
        }
    })
}

fn is_of_registry(path: &str) -> bool {
    path.strip_prefix("/v2").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn router(services: &Services) -> io::Result<Router> {
    let ready = services.clone();
    let router = rekor::router(services.log.clone(), rekor::Kind::HashedRekord)?
        .merge(tsa::router(services.tsa.clone()))
        .merge(fulcio::router(services.ca.clone()))
        .merge(health(move || ready.is_ready()));
    Ok(match &services.dev {
        Some(dev) => router.merge(oidc_dev::router(dev.clone(), oidc_dev::PATH)),
        None => router,
    })
}
