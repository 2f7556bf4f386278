//! `signet serve`.

use std::path::PathBuf;
use std::sync::Arc;

use signet_server::registry::{App, AuthFiles, BuildError, Config, GarbageCollection, PullGate};
use tokio::task::JoinSet;
use tracing::Level;

use super::operators::Operators;
use crate::args::{ServeCommand, ServeRegistryArgs};
use crate::document::ServeDocument;
use crate::error::{Answer, CliError, Status, Stop};
use crate::face::Face;
use crate::gate::{Demand, Gate};
use crate::runtime;
use crate::stack::LogFormat;

/// Runs a service until it is told to stop.
pub(crate) fn run(command: &ServeCommand, face: Face) -> Answer {
    match command {
        ServeCommand::Log(args) => runtime::serve(super::serve_log::run(args, face)),
        ServeCommand::Registry(args) => runtime::serve(registry(args, face)),
        ServeCommand::Tsa(args) => super::serve_tsa::run(args, face),
        ServeCommand::Ca(args) => super::serve_ca::run(args, face),
        ServeCommand::OidcDev(args) => super::serve_oidc_dev::run(args, face),
        ServeCommand::Trust(args) => runtime::serve(super::serve_trust::run(args, face)),
        ServeCommand::Witness(args) => runtime::serve(super::serve_witness::run(args, face)),
    }
}

async fn registry(args: &ServeRegistryArgs, face: Face) -> Answer {
    log(args.operators.log_format, args.log_requests);
    let operators = Operators::begin(&args.operators).await?;
    let gate = gate(args)?.map(Arc::new);
    let app = build(args, gate.clone()).await?;
    let mut following = JoinSet::new();
    if let Some(gate) = gate {
        gate.guard(app.store().clone());
        following.spawn(gate.follow());
    }
    let document = ServeDocument {
        address: app.local_addr(),
        url: app.url(),
        data: args.data.display().to_string(),
        admin: operators.address(),
        certificate_log: None,
    };
    let stop = runtime::stopped();
    face.serving(&document, |document| format!("serving {} from `{}`\n", document.url, document.data))?;
    let _answering = operators.answer(signet_server::registry::operators(app.store().clone()));
    app.run(stop).await;
    Ok(Status::Yes)
}

/// The gate that the options ask for.
fn gate(args: &ServeRegistryArgs) -> Result<Option<Gate>, CliError> {
    let Some(policy) = &args.require_signed else { return Ok(None) };
    let demand = Demand {
        policy: policy.clone(),
        keys: args.key.clone(),
        trusted_root: args.trusted_root.clone(),
        witnesses: args.witness.clone(),
    };
    Gate::new(demand, args.public_url.as_deref()).map(Some)
}

async fn build(args: &ServeRegistryArgs, gate: Option<Arc<Gate>>) -> Result<App, CliError> {
    let mut config = Config::new(args.data.clone(), args.listen);
    config.tls = args.tls.files();
    config.auth = args.htpasswd.clone().map(|htpasswd| AuthFiles { htpasswd, rights: args.access.clone() });
    config.allow_http = args.allow_http;
    config.garbage = args.gc_interval.map(GarbageCollection::every);
    config.gate = gate.map(|gate| gate as Arc<dyn PullGate>);
    config.build().await.map_err(|error| {
        let users = [&args.htpasswd, &args.access].into_iter().flatten().map(PathBuf::as_path);
        match error {
            BuildError::Auth(_) => CliError::from(error).looking_into(users),
            _ => CliError::from(error).looking_into(args.tls.paths()),
        }
    })
}

/// What a service has to say while it runs: to standard error, like all that is not data.
pub(super) fn log(format: LogFormat, requests: bool) {
    let level = if requests { Level::DEBUG } else { Level::INFO };
    let log = tracing_subscriber::fmt().with_max_level(level).with_ansi(false).with_writer(std::io::stderr);
    // Fails if this process has a log already.
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().with_span_list(false).try_init(),
    };
}

/// A word at the start that somebody may want to act on, in the form of the lines that follow it.
pub(super) fn note(face: Face, format: LogFormat, line: &str) -> Result<(), Stop> {
    match format {
        LogFormat::Text => face.note(line),
        LogFormat::Json => {
            tracing::warn!("{line}");
            Ok(())
        }
    }
}
