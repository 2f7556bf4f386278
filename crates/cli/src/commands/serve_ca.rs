//! `signet serve ca`.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use signet_keys::read_public;
use signet_server::fulcio::HttpCtLog;
use signet_server::host::{Host, health};
use signet_server::oidc_dev;
use signet_server::registry::TlsFiles;
use signet_services::authority::Issuer;
use signet_services::ca::{Ca, Config, CtLog, Hierarchy};
use signet_services::clock::{Clock, SystemClock};
use signet_services::oidc::Issuers;
use signet_services::oidc::dev::DevIssuer;
use signet_store::{DataDir, Kind};
use signet_verify::Code;

use super::serve_tsa::{on_loopback, read_authority};
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
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    let tls = tls.map(|(certificates, key)| TlsFiles { certificates, key });
    let dir = DataDir::open(&args.data, Kind::Ca)?;
    let host = Host::listen(args.listen, tls.as_ref()).await?;
    let dev = match args.dev {
        true => Some(DevIssuer::open(dir.disk(), dir.path(), &format!("{}{}", host.url(), oidc_dev::PATH))?),
        false => None,
    };
    let ca = Ca::open_in(dir, config(args, dev.as_ref())?).await?;
    let document =
        ServeDocument { address: host.local_addr(), url: host.url(), data: args.data.display().to_string() };
    face.result(&document, |document| {
        format!("serving certificates at {} from `{}`\n", document.url, document.data)
    })?;
    let router = signet_server::fulcio::router(ca).merge(health(|| true));
    let router = dev
        .into_iter()
        .fold(router, |router: Router, dev| router.merge(oidc_dev::router(Arc::new(dev), oidc_dev::PATH)));
    host.run(router, runtime::stopped()).await;
    Ok(Status::Yes)
}

fn config(args: &ServeCaArgs, dev: Option<&DevIssuer>) -> Result<Config, CliError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let issuers = args.issuers.as_deref().map_or_else(|| Ok(Issuers::default()), read_issuers)?;
    let verifier = signet_server::fulcio::verifier(issuers, dev, Arc::clone(&clock))?;
    let mut config = Config::new(verifier, clock);
    if args.dev {
        config.common_name = "Signet development certificate authority".to_owned();
    }
    if let Some((key, chain)) = args.key.as_ref().zip(args.certificate_chain.as_ref()) {
        let (key, chain) = read_authority(key, chain)?;
        config.hierarchy = Some(Hierarchy::given(Issuer::new(Arc::new(key), chain)?)?);
    }
    if let Some((url, key)) = args.ct_log.as_ref().zip(args.ct_log_key.as_ref()) {
        let log = HttpCtLog::new(url, read_public(key)?);
        let log = log.map_err(|error| CliError::new(Code::ServiceFailed, error.to_string()))?;
        config.log = Some(Arc::new(log) as Arc<dyn CtLog>);
    }
    Ok(config)
}

pub(super) fn read_issuers(path: &Path) -> Result<Issuers, CliError> {
    let yaml = std::fs::read_to_string(path).map_err(|error| CliError::unreadable(path, error))?;
    Ok(Issuers::from_yaml(&yaml)?)
}
