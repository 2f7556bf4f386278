//! `signet serve log`.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::note::MAX_NOTE_BYTES;
use signet_server::host::{Host, health};
use signet_server::rekor::{self, Identities};
use signet_services::log::{Config, HomeOptions, Kind, Log, Searches, Shards};
use signet_store::fs::Disk;
use signet_verify::Code;

use super::operators::Operators;
use super::witnesses::{read_policy, witnessed};
use crate::args::{SearchMode, ServeLogArgs};
use crate::document::ServeLogDocument;
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::files;
use crate::runtime;

/// Serves a log until it is told to stop.
pub(crate) async fn run(args: &ServeLogArgs, face: Face) -> Answer {
    refuse_the_network(args)?;
    let operators = Operators::begin(&args.operators).await?;
    let options = HomeOptions { origin: args.origin.clone(), ml_dsa: args.ml_dsa };
    let shards = Shards::open(Disk::default(), config(args)?, options).await?;
    let shards = Arc::new(shards);
    let log = shards.active().ok_or_else(|| CliError::internal("no shard takes entries"))?;
    let host = args.tls.listen(args.listen).await?;
    let stop = runtime::stopped();
    face.result(&document(args, &log, &host, operators.address()), text)?;
    let router = rekor::sharded_router(Arc::clone(&shards), kind(args)).map_err(CliError::internal)?;
    let (router, search) = match args.search {
        Some(mode) => {
            let search = searching(&shards).map_err(|error| CliError::unwritable(&args.data, &error))?;
            (router.merge(rekor::search_router(search.clone(), identities(mode))), Some(search))
        }
        None => (router, None),
    };
    let _answering = operators.answer(rekor::operators(Arc::clone(&shards)));
    let ready = Arc::clone(&shards);
    let served = host.run(router.merge(health(move || rekor::is_ready(&ready))), stop);
    tokio::select! {
        () = served => {}
        () = shards.answer_requests(|shard| follow_in(search.as_ref(), shard)) => {}
    }
    shards.close().await;
    Ok(Status::Yes)
}

/// The search, and a task that lets it follow the log.
fn searching(shards: &Shards) -> io::Result<Searches> {
    let searches = Searches::open(shards.all())?;
    let followed = searches.clone();
    tokio::spawn(async move {
        loop {
            let searches = followed.clone();
            match tokio::task::spawn_blocking(move || searches.follow()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => tokio::time::sleep(FOLLOW_EVERY).await,
                Ok(Err(error)) => {
                    tracing::error!(%error, "the search does not follow the log");
                    tokio::time::sleep(FOLLOW_EVERY).await;
                }
                Err(_) => return,
            }
        }
    });
    Ok(searches)
}

/// After a rotation the new shard is searched, too.
fn follow_in(searches: Option<&Searches>, shard: &Log) {
    if let Some(Err(error)) = searches.map(|searches| searches.add(shard.clone())) {
        tracing::error!(%error, "the search does not follow the new shard");
    }
}

fn identities(mode: SearchMode) -> Identities {
    match mode {
        SearchMode::Public => Identities::Public,
        SearchMode::HashedIdentity => Identities::Hashed,
    }
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
        true => Err(CliError::new(Code::ListenRefused, args.listen.to_string())),
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

const FOLLOW_EVERY: Duration = Duration::from_secs(1);
