//! `signet serve oidc-dev`.

use std::sync::Arc;

use signet_server::host::{Address, health};
use signet_server::oidc_dev;
use signet_services::oidc::dev::DevIssuer;
use signet_store::{DataDir, Kind};

use super::authorities::on_loopback;
use super::operators::Operators;
use crate::args::ServeOidcDevArgs;
use crate::document::ServeDocument;
use crate::error::{Answer, Status};
use crate::face::Face;
use crate::runtime;

/// Serves a development issuer's keys until it is told to stop.
pub(crate) fn run(args: &ServeOidcDevArgs, face: Face) -> Answer {
    runtime::serve(serve(args, face))
}

async fn serve(args: &ServeOidcDevArgs, face: Face) -> Answer {
    on_loopback(args.listen, &args.operators)?;
    let operators = Operators::begin(&args.operators).await?;
    let address = Address::take(args.listen, None)?;
    let dir = DataDir::open(&args.data, Kind::OidcDev)?;
    let issuer = DevIssuer::open(dir.disk(), dir.path(), &address.url())?;
    let issuers: Vec<String> = issuer.issuers().into_iter().map(|issuer| issuer.url).collect();
    let host = address.listen()?;
    let document = ServeDocument::of(&host, &args.data, operators.address());
    let stop = runtime::stopped();
    face.serving(&document, |_| format!("serving the development issuers {}\n", issuers.join(", ")))?;
    let _answering = operators.answer(oidc_dev::operators());
    let router = oidc_dev::router(Arc::new(issuer), "").merge(health(|| true));
    host.run(router, stop).await;
    Ok(Status::Yes)
}
