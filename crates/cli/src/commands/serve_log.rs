//! `signet serve log`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use signet_formats::tlog::{PolicyLog, WitnessPolicy};
use signet_server::host::{Host, health};
use signet_server::rekor::{self, Identities, SearchHandle};
use signet_services::log::{Config, HomeOptions, Log, REFRESH, Search, Shards};
use signet_store::fs::Disk;
use signet_verify::Code;

use super::operators::Operators;
use super::witnesses::{WITNESSED_INTERVAL, read_policy, witnesses_of};
use crate::args::{SearchMode, ServeLogArgs};
use crate::document::ServeLogDocument;
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::runtime;

/// Serves a log until it is told to stop.
pub(crate) async fn run(args: &ServeLogArgs, face: Face) -> Answer {
    refuse_the_network(args)?;
    let operators = Operators::begin(&args.operators).await?;
    let policy = args.witness_policy.as_deref().map(read_policy).transpose()?;
    let options = HomeOptions { origin: args.origin.clone(), ml_dsa: args.ml_dsa };
    let shards = Shards::open(Disk::default(), config(args, policy.clone())?, options).await?;
    let shards = Arc::new(shards);
    let log = shards.active().ok_or_else(|| CliError::internal("no shard takes entries"))?;
    if let Some(policy) = &policy {
        refuse_a_policy_for_others(&log, policy)?;
    }
    let host = args.tls.listen(args.listen).await?;
    let stop = runtime::stopped();
    face.result(&document(args, &log, &host, operators.address()), text)?;
    let kind = if args.opaque { rekor::Kind::Opaque } else { rekor::Kind::HashedRekord };
    let router = rekor::sharded_router(Arc::clone(&shards), kind).map_err(CliError::internal)?;
    let (router, search) = match args.search {
        Some(mode) => {
            let search = searching(&log).map_err(|error| CliError::unwritable(&args.data, &error))?;
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
fn searching(log: &Log) -> io::Result<SearchHandle> {
    let handle = SearchHandle::new(Search::open(log.clone())?);
    let followed = handle.clone();
    tokio::spawn(async move {
        loop {
            let search = followed.current();
            match tokio::task::spawn_blocking(move || search.follow()).await {
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
    Ok(handle)
}

/// After a rotation the search is that of the new shard.
fn follow_in(search: Option<&SearchHandle>, shard: &Log) {
    let Some(handle) = search else { return };
    match Search::open(shard.clone()) {
        Ok(search) => handle.replace(search),
        Err(error) => tracing::error!(%error, "the search does not follow the new shard"),
    }
}

fn identities(mode: SearchMode) -> Identities {
    match mode {
        SearchMode::Public => Identities::Public,
        SearchMode::HashedIdentity => Identities::Hashed,
    }
}

fn config(args: &ServeLogArgs, policy: Option<WitnessPolicy>) -> Result<Config, CliError> {
    let mut config = Config::new(args.data.clone());
    if let Some(policy) = policy {
        config.witnesses = Some(witnesses_of(policy, Duration::from_millis(args.witness_timeout_ms)));
        config.limits.interval = WITNESSED_INTERVAL;
        config.refresh = Some(REFRESH);
    }
    if let Some(interval) = args.checkpoint_interval_ms {
        config.limits.interval = Duration::from_millis(interval);
    }
    Ok(config)
}

/// A policy that names logs, and this one not, was written for others.
fn refuse_a_policy_for_others(log: &Log, policy: &WitnessPolicy) -> Result<(), CliError> {
    let ours = |known: &PolicyLog| log.signer().keys().any(|key| *key == known.key);
    match policy.logs().is_empty() || policy.logs().iter().any(ours) {
        true => Ok(()),
        false => Err(CliError::new(Code::ConfigInvalid, "the witness policy names logs, but not this one")),
    }
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
