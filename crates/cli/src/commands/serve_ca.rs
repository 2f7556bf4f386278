//! `signet serve ca`.

use std::sync::Arc;

use axum::Router;
use signet_keys::read_public;
use signet_server::fulcio::{self, HttpCtLog};
use signet_server::host::health;
use signet_server::{oidc_dev, static_ct};
use signet_services::authority::Issuer;
use signet_services::ca::{Ca, Config, CtLog, Hierarchy};
use signet_services::clock::{Clock, SystemClock};
use signet_services::ctlog::CertificateLog;
use signet_services::made_up_name;
use signet_services::oidc::Issuers;
use signet_services::oidc::dev::DevIssuer;
use signet_store::{DataDir, Kind};

use super::authorities::{on_loopback, read_authority, read_issuers, read_roots};
use super::operators::Operators;
use crate::args::ServeCaArgs;
use crate::document::ServeDocument;
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::runtime;

/// Serves certificates until it is told to stop.
pub(crate) fn run(args: &ServeCaArgs, face: Face) -> Answer {
    runtime::serve(serve(args, face))
}

async fn serve(args: &ServeCaArgs, face: Face) -> Answer {
    if args.dev {
        on_loopback(args.listen)?;
    }
    let operators = Operators::begin(&args.operators).await?;
    let roots = read_roots(&args.ct_root)?;
    let dir = DataDir::open(&args.data, Kind::Ca)?;
    let host = args.tls.listen(args.listen).await?;
    let dev = match args.dev {
        true => Some(DevIssuer::open(dir.disk(), dir.path(), &format!("{}{}", host.url(), oidc_dev::PATH))?),
        false => None,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let own_log = own_log(args, &dir, &clock).await?;
    let log = match &own_log {
        Some(log) => Arc::new(log.clone()) as Arc<dyn CtLog>,
        None => their_log(args)?,
    };
    let ca = Ca::open_in(dir, config(args, dev.as_ref(), log, clock)?).await?;
    let document = ServeDocument::of(&host, &args.data, operators.address());
    let stop = runtime::stopped();
    face.result(&document, |document| {
        format!("serving certificates at {} from `{}`\n", document.url, document.data)
    })?;
    let _answering = operators.answer(fulcio::operators(ca.clone(), own_log.clone()));
    let ready = ca.clone();
    let mut router = fulcio::router(ca.clone()).merge(health(move || ready.is_ready()));
    if let Some(log) = &own_log {
        log.accept([ca.roots(), roots].concat());
        router = router.merge(static_ct::router(log.clone()));
    }
    let router = dev
        .into_iter()
        .fold(router, |router: Router, dev| router.merge(oidc_dev::router(Arc::new(dev), oidc_dev::PATH)));
    let renewing = tokio::spawn(ca.keep_renewed(|| ()));
    host.run(router, stop).await;
    renewing.abort();
    if let Some(log) = own_log {
        log.log().close().await;
    }
    Ok(Status::Yes)
}

/// The log of certificates that the authority keeps itself, unless it is told of another.
async fn own_log(
    args: &ServeCaArgs,
    dir: &DataDir,
    clock: &Arc<dyn Clock>,
) -> Result<Option<CertificateLog>, CliError> {
    if args.ct_log.is_some() {
        return Ok(None);
    }
    // Its name is fixed when it is made.
    let path = dir.path().join("ct");
    let origin = signet_services::log::origin_of(&path)?.unwrap_or_else(|| made_up_name("ct"));
    Ok(Some(CertificateLog::open(&path, &origin, Arc::clone(clock)).await?))
}

/// The log of certificates at the URL that was given.
fn their_log(args: &ServeCaArgs) -> Result<Arc<dyn CtLog>, CliError> {
    let (Some(url), Some(key)) = (&args.ct_log, &args.ct_log_key) else {
        return Err(CliError::internal("a log of certificates without a URL"));
    };
    Ok(Arc::new(HttpCtLog::new(url, read_public(key)?)))
}

fn config(
    args: &ServeCaArgs,
    dev: Option<&DevIssuer>,
    log: Arc<dyn CtLog>,
    clock: Arc<dyn Clock>,
) -> Result<Config, CliError> {
    let issuers = args.issuers.as_deref().map_or_else(|| Ok(Issuers::default()), read_issuers)?;
    let verifier = fulcio::verifier(issuers, dev, Arc::clone(&clock))?;
    let mut config = Config::new(verifier, log, clock);
    if args.dev {
        config.common_name = "Signet development certificate authority".to_owned();
    }
    if let Some((key, chain)) = args.key.as_ref().zip(args.certificate_chain.as_ref()) {
        let (key, chain) = read_authority(key, chain)?;
        config.hierarchy = Some(Hierarchy::given(Issuer::new(Arc::new(key), chain)?)?);
    }
    Ok(config)
}
