//! `signet serve log`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::note::MAX_NOTE_BYTES;
use signet_server::host::{Host, health};
use signet_server::rekor::{self, Searching};
use signet_services::log::{Config, HomeOptions, Kind, Log, Shards};
use signet_store::fs::Disk;
use signet_verify::Code;
use tokio::task::JoinSet;

use super::operators::Operators;
use super::witnesses::{read_policy, witnessed};
use crate::args::ServeLogArgs;
use crate::document::ServeLogDocument;
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::files;
use crate::runtime;

/// Serves a log until it is told to stop.
pub(crate) async fn run(args: &ServeLogArgs, face: Face) -> Answer {
    refuse_the_network(args)?;
    let operators = Operators::begin(&args.operators).await?;
    let address = args.tls.take(args.listen)?;
    let options = HomeOptions { origin: args.origin.clone(), ml_dsa: args.ml_dsa };
    let shards = Shards::open(Disk::default(), config(args)?, options).await?;
    let shards = Arc::new(shards);
    let log = shards.active().ok_or_else(|| CliError::internal("no shard takes entries"))?;
    let router = rekor::sharded_router(Arc::clone(&shards), kind(args)).map_err(CliError::internal)?;
    let search = args.search.map(|mode| Searching::open(&shards, mode.into())).transpose();
    let search = search.map_err(|error| CliError::unwritable(&args.data, &error))?;
    let router = search.iter().fold(router, |router, search| router.merge(search.router()));
    let host = address.listen()?;
    let stop = runtime::stopped();
    face.serving(&document(args, &log, &host, operators.address()), text)?;
    let _following: JoinSet<()> = search.iter().cloned().map(Searching::follow).collect();
    let _answering = operators.answer(rekor::operators(Arc::clone(&shards)));
    let ready = Arc::clone(&shards);
    let served = host.run(router.merge(health(move || rekor::is_ready(&ready))), stop);
    tokio::select! {
        () = served => {}
        () = shards.answer_requests(|shard| search.iter().for_each(|search| search.add(shard))) => {}
    }
    shards.close().await;
    Ok(Status::Yes)
}

fn kind(args: &ServeLogArgs) -> Kind {
    if args.opaque { Kind::Opaque } else { Kind::HashedRekord }
}

fn config(args: &ServeLogArgs) -> Result<Config, CliError> {
    let policy = args.witness_policy.as_deref().map(read_policy).transpose()?;
    let within = Duration::from_millis(args.witness_timeout_ms);
    let mut config = witnessed(Config::new(args.data.clone()), policy, within)?;
    if let Some(interval) = args.checkpoint_interval_ms {
        config.limits.interval = Duration::from_millis(interval);
    }
    config.kind = Some(kind(args));
    config.floor = args.at_least.as_deref().map(read_checkpoint).transpose()?;
    Ok(config)
}

fn read_checkpoint(path: &Path) -> Result<Checkpoint, CliError> {
    let signed = SignedCheckpoint::parse(&files::read(path, MAX_NOTE_BYTES)?);
    let signed = signed.map_err(|error| CliError::new(Code::ConfigInvalid, about(path, error)))?;
    Ok(signed.checkpoint().clone())
}

/// Whoever reaches a log of any bytes fills the disk; what it has can never be taken out.
fn refuse_the_network(args: &ServeLogArgs) -> Result<(), CliError> {
    match args.opaque && !args.listen.ip().is_loopback() {
        true => Err(CliError::new(
            Code::ListenRefused,
            format!(
                "{} is not on loopback: whoever reaches a log of any bytes could fill the disk",
                args.listen
            ),
        )
        .hint("listen on this machine only, or leave `--opaque` out: a log of signatures may be reached")),
        false => Ok(()),
    }
}

fn document(args: &ServeLogArgs, log: &Log, host: &Host, admin: Option<SocketAddr>) -> ServeLogDocument {
    ServeLogDocument {
        address: host.local_addr(),
        url: host.url(),
        data: args.data.display().to_string(),
        origin: log.signer().origin().to_owned(),
        keys: log.signer().keys().map(ToString::to_string).collect(),
        size: log.head().checkpoint.size,
        admin,
    }
}

fn text(document: &ServeLogDocument) -> String {
    let ServeLogDocument { url, data, origin, size, .. } = document;
    let keys: String = document.keys.iter().map(|key| format!("key {key}\n")).collect();
    format!("serving the log `{origin}` of {size} entries at {url} from `{data}`\n{keys}")
}
