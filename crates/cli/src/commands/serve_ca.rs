//! `signet serve ca`.

use std::sync::Arc;

use axum::Router;
use signet_formats::x509::Certificate;
use signet_keys::read_public;
use signet_server::exposure::Reach;
use signet_server::fulcio::{self, HttpCtLog};
use signet_server::host::health;
use signet_server::{oidc_dev, static_ct};
use signet_services::authority::{Issuer, refuse_directory, refuse_given};
use signet_services::ca::{Ca, Config, CtLog, Hierarchy, own_log};
use signet_services::clock::{Clock, SystemClock};
use signet_services::oidc::Issuers;
use signet_services::oidc::dev::DevIssuer;
use signet_store::{DataDir, Kind};

use super::authorities::{read_authority, read_issuers, read_roots};
use super::operators::Operators;
use crate::args::ServeCaArgs;
use crate::document::ServeDocument;
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::{clock, runtime};

/// Serves certificates until it is told to stop.
pub(crate) fn run(args: &ServeCaArgs, face: Face) -> Answer {
    runtime::serve(serve(args, face))
}

async fn serve(args: &ServeCaArgs, face: Face) -> Answer {
    // All that is given is read before anything is made.
    let Given { url, hierarchy, roots, issuers, log } = Given::read(args)?;
    let operators = Operators::begin(&args.operators).await?;
    let dir = DataDir::open(&args.data, Kind::Ca)?;
    refuse_directory(&dir, hierarchy.is_some(), args.dev)?;
    let host = args.tls.listen(args.listen).await?;
    let dev = match args.dev {
        true => Some(DevIssuer::open(dir.disk(), dir.path(), &format!("{}{}", host.url(), oidc_dev::PATH))?),
        false => None,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (log, own_log) = match log {
        Some(log) => (log, None),
        None => {
            let log = own_log(&dir, Arc::clone(&clock)).await?;
            (Arc::new(log.clone()) as Arc<dyn CtLog>, Some(log))
        }
    };
    let verifier = fulcio::verifier(issuers, dev.as_ref(), Arc::clone(&clock))?;
    let config = Config { development: args.dev, hierarchy, ..Config::new(verifier, log, clock) };
    let ca = Ca::open_in(dir, config).await?;
    let mut document = ServeDocument::of(&host, &args.data, operators.address());
    document.url = url.unwrap_or(document.url);
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

/// What the authority is given, as it was found to be usable.
struct Given {
    /// The URL that clients are told, if it is not where it listens.
    url: Option<String>,
    hierarchy: Option<Hierarchy>,
    /// Of others, whose certificates its own log takes.
    roots: Vec<Certificate>,
    issuers: Issuers,
    /// The log of certificates, unless it keeps one itself.
    log: Option<Arc<dyn CtLog>>,
}

impl Given {
    fn read(args: &ServeCaArgs) -> Result<Self, CliError> {
        let reach = Reach {
            listen: args.listen,
            admin: args.operators.admin,
            tls: args.tls.tls_cert.is_some(),
            url: args.public_url.as_deref(),
            dev: args.dev,
        };
        let (url, hierarchy) = (reach.stated_url()?, hierarchy(args)?);
        refuse_given(hierarchy.is_some(), args.dev)?;
        Ok(Self {
            url,
            hierarchy,
            roots: read_roots(&args.ct_root)?,
            issuers: args.issuers.as_deref().map_or_else(|| Ok(Issuers::default()), read_issuers)?,
            log: their_log(args)?,
        })
    }
}

/// The log of certificates at the URL that was given.
fn their_log(args: &ServeCaArgs) -> Result<Option<Arc<dyn CtLog>>, CliError> {
    let Some((url, key)) = args.ct_log.as_ref().zip(args.ct_log_key.as_ref()) else { return Ok(None) };
    Ok(Some(Arc::new(HttpCtLog::new(url, read_public(key)?))))
}

/// What it issues with, if that was given.
fn hierarchy(args: &ServeCaArgs) -> Result<Option<Hierarchy>, CliError> {
    let Some((key, chain)) = args.key.as_ref().zip(args.certificate_chain.as_ref()) else { return Ok(None) };
    let (key, chain) = read_authority(key, chain)?;
    Ok(Some(Hierarchy::given(Issuer::new(Arc::new(key), chain)?, clock::now())?))
}
