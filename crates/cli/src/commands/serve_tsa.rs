//! `signet serve tsa`.

use std::sync::Arc;
use std::time::Duration;

use signet_server::host::health;
use signet_services::clock::{Clock, SystemClock};
use signet_services::tsa::ntp::NtpBound;
use signet_services::tsa::{Config, Identity, TimeSource, Tsa};

use super::authorities::{on_loopback, read_authority, time_servers};
use super::operators::Operators;
use super::serve::note;
use crate::args::ServeTsaArgs;
use crate::document::ServeDocument;
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::runtime;

/// Serves timestamps until it is told to stop.
pub(crate) fn run(args: &ServeTsaArgs, face: Face) -> Answer {
    runtime::serve(serve(args, face))
}

async fn serve(args: &ServeTsaArgs, face: Face) -> Answer {
    if args.dev {
        on_loopback(args.listen, &args.operators)?;
    }
    let operators = Operators::begin(&args.operators).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let mut config = Config::new(Arc::clone(&clock));
    let servers =
        time_servers(&args.ntp, args.ntp_agree)?.map(|servers| Arc::new(NtpBound::new(servers, clock)));
    if let TimeSource::Bounded { accuracy, bound } = &mut config.time {
        *accuracy = Duration::from_millis(args.accuracy_ms);
        if let Some(servers) = &servers {
            *bound = Arc::clone(servers) as _;
        }
    }
    if args.dev {
        config.time = TimeSource::Development;
    }
    let identity = identity(args).await?;
    let address = args.tls.take(args.listen)?;
    let tsa = Tsa::open(&args.data, identity, config).await?;
    // Asked before the first request, so that it need not be refused.
    if let Some(servers) = &servers {
        servers.ask().await;
    }
    let watch = tokio::spawn(async move {
        if let Some(servers) = servers {
            servers.watch().await;
        }
    });
    let host = address.listen()?;
    let document = ServeDocument::of(&host, &args.data, operators.address());
    let stop = runtime::stopped();
    face.serving(&document, |document| {
        format!("serving timestamps at {}/api/v1/timestamp from `{}`\n", document.url, document.data)
    })?;
    if let Some(doubt) = tsa.doubt() {
        note(face, args.operators.log_format, &format!("there are no timestamps yet: {doubt}"))?;
    }
    let _answering = operators.answer(signet_server::tsa::operators(tsa.clone()));
    let renewing = tokio::spawn(tsa.clone().keep_renewed(|| ()));
    let ready = tsa.clone();
    let router = signet_server::tsa::router(tsa).merge(health(move || ready.is_ready()));
    host.run(router, stop).await;
    watch.abort();
    renewing.abort();
    Ok(Status::Yes)
}

async fn identity(args: &ServeTsaArgs) -> Result<Option<Identity>, CliError> {
    let Some((key, chain)) = args.key.as_ref().zip(args.certificate_chain.as_ref()) else { return Ok(None) };
    let (key, chain) = read_authority(key, chain).await?;
    Ok(Some(Identity::new(key, chain)?))
}
