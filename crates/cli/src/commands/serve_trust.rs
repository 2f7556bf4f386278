//! `signet serve trust`.

use std::sync::Arc;

use signet_server::host::health;
use signet_server::tuf;
use signet_services::clock::SystemClock;
use signet_services::trust::{PublisherError, Watch};

use super::operators::Operators;
use super::trust::{no_root, publisher};
use crate::args::ServeTrustArgs;
use crate::document::ServeDocument;
use crate::error::{Answer, Status};
use crate::face::Face;
use crate::runtime;

/// Serves a repository of trust until it is told to stop.
pub(crate) async fn run(args: &ServeTrustArgs, face: Face) -> Answer {
    let operators = Operators::begin(&args.operators).await?;
    let address = args.tls.take(args.listen)?;
    let publisher = publisher(&args.data)?;
    let watch = Watch::new(publisher.clone(), Arc::new(SystemClock::start()));
    // What has expired is signed before anybody asks; without a root there is nothing to serve.
    watch.begin().await.map_err(|error| match error {
        PublisherError::NoRoot => no_root(&args.data),
        error => error.into(),
    })?;
    let host = address.listen()?;
    let document = ServeDocument::of(&host, &args.data, operators.address());
    let stop = runtime::stopped();
    face.serving(&document, |document| {
        format!("serving trust at {}/tuf from `{}`\n", document.url, document.data)
    })?;
    let _answering = operators.answer(tuf::operators(watch.clone()));
    let ready = watch.clone();
    let router = tuf::router(publisher).merge(health(move || ready.is_fresh()));
    let watching = tokio::spawn(async move { watch.run(|| ()).await });
    host.run(router, stop).await;
    watching.abort();
    Ok(Status::Yes)
}
