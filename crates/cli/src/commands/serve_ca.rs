//! `signet serve ca`.

use std::sync::Arc;

use axum::Router;
use signet_formats::x509::Certificate;
use signet_keys::{PublicFormat, encode_public, read_public};
use signet_server::exposure::Reach;
use signet_server::fulcio::{self, HttpCtLog};
use signet_server::host::health;
use signet_server::{oidc_dev, static_ct};
use signet_services::authority::{AuthorityError, Issuer, refuse_directory, refuse_given};
use signet_services::ca::{Ca, Config, CtLog, Hierarchy, own_log};
use signet_services::clock::{Clock, SystemClock};
use signet_services::ctlog::CertificateLog;
use signet_services::oidc::Issuers;
use signet_services::oidc::dev::DevIssuer;
use signet_store::{DataDir, Kind};
use tokio::task::JoinSet;

use super::authorities::{read_authority, read_issuers, read_roots};
use super::operators::Operators;
use super::serve::note;
use crate::args::ServeCaArgs;
use crate::document::{ServeDocument, ServedCtLog};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::{clock, runtime};

/// Serves certificates until it is told to stop.
pub(crate) fn run(args: &ServeCaArgs, face: Face) -> Answer {
    runtime::serve(serve(args, face))
}

async fn serve(args: &ServeCaArgs, face: Face) -> Answer {
    // All that is given is read before anything is made.
    let Given { url, hierarchy, roots, issuers, log } = Given::read(args).await?;
    let operators = Operators::begin(&args.operators).await?;
    let address = args.tls.take(args.listen)?;
    let dir = DataDir::open(&args.data, Kind::Ca)?;
    refuse_directory(&dir, hierarchy.is_some(), args.dev)?;
    let dev = match args.dev {
        true => {
            Some(DevIssuer::open(dir.disk(), dir.path(), &format!("{}{}", address.url(), oidc_dev::PATH))?)
        }
        false => None,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let (log, own_log) = match log {
        Some(log) => (log, None),
        None => {
            let log = Arc::new(own_log(&dir, Arc::clone(&clock)).await?);
            (Arc::clone(&log) as Arc<dyn CtLog>, Some(log))
        }
    };
    let verifier = fulcio::verifier(issuers, dev.as_ref(), Arc::clone(&clock))?;
    let config = Config { development: args.dev, hierarchy, ..Config::new(verifier, log, clock) };
    let ca = Ca::open_in(dir, config).await?;
    let host = address.listen()?;
    let mut document = ServeDocument::of(&host, &args.data, operators.address());
    document.url = url.unwrap_or(document.url);
    let shard = own_log.as_ref().and_then(|log| log.active());
    document.certificate_log = shard.map(|shard| served(&shard, &document.url)).transpose()?;
    let stop = runtime::stopped();
    face.serving(&document, text)?;
    if let Some(doubt) = ca.key_doubt() {
        let words = format!("there are no certificates yet: its key does not sign: {doubt}");
        note(face, args.operators.log_format, &words)?;
    }
    for line in ca.notes() {
        note(face, args.operators.log_format, line)?;
    }
    let _answering = operators.answer(fulcio::operators(ca.clone(), own_log.clone()));
    let ready = ca.clone();
    let mut router = fulcio::router(ca.clone()).merge(health(move || ready.is_ready()));
    if let Some(log) = &own_log {
        log.accept([ca.roots(), roots].concat());
        router = router.merge(static_ct::router(Arc::clone(log)));
    }
    let router = dev
        .into_iter()
        .fold(router, |router: Router, dev| router.merge(oidc_dev::router(Arc::new(dev), oidc_dev::PATH)));
    let mut beside = JoinSet::new();
    beside.spawn(ca.keep_renewed(|| ()));
    if let Some(log) = own_log.clone() {
        beside.spawn(async move { log.answer_requests(|_| ()).await });
    }
    host.run(router, stop).await;
    beside.shutdown().await;
    if let Some(log) = own_log {
        log.close().await;
    }
    Ok(Status::Yes)
}

/// Where clients reach its own log of certificates.
fn served(log: &CertificateLog, url: &str) -> Result<ServedCtLog, CliError> {
    let key = encode_public(log.public_key(), PublicFormat::Pem).map_err(AuthorityError::Key)?;
    let key = String::from_utf8_lossy(&key).into_owned();
    Ok(ServedCtLog { url: format!("{url}{}", static_ct::path(log)), key })
}

fn text(document: &ServeDocument) -> String {
    let ServeDocument { url, data, certificate_log, .. } = document;
    let log = certificate_log
        .as_ref()
        .map(|log| format!("its log of certificates is at {}, with the key\n{}", log.url, log.key));
    format!("serving certificates at {url} from `{data}`\n{}", log.unwrap_or_default())
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
    async fn read(args: &ServeCaArgs) -> Result<Self, CliError> {
        let reach = Reach {
            listen: args.listen,
            admin: args.operators.admin,
            tls: args.tls.tls_cert.is_some(),
            url: args.public_url.as_deref(),
            dev: args.dev,
        };
        let (url, hierarchy) = (reach.stated_url()?, hierarchy(args).await?);
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
    let Some(url) = &args.ct_log else { return Ok(None) };
    let keys = args.ct_log_key.iter().map(|key| read_public(key)).collect::<Result<_, _>>()?;
    Ok(Some(Arc::new(HttpCtLog::new(url, keys))))
}

/// What it issues with, if that was given.
async fn hierarchy(args: &ServeCaArgs) -> Result<Option<Hierarchy>, CliError> {
    let Some((key, chain)) = args.key.as_ref().zip(args.certificate_chain.as_ref()) else { return Ok(None) };
    let (key, chain) = read_authority(key, chain).await?;
    Ok(Some(Hierarchy::given(Issuer::new(key, chain)?, clock::now())?))
}
