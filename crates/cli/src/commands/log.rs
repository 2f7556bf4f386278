//! `signet log`: work on a log's data directory.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::note::{NoteError, VerifierKey};
use signet_server::rekor::shard_path;
use signet_server::stack::{log_shards, requests, stopped_certificate_logs};
use signet_services::ca::own_log;
use signet_services::clock::SystemClock;
use signet_services::ctlog;
use signet_services::log::{
    Answer as Reply, Config, FsckReport, HomeError, HomeOptions, OpenError, Opener, Place, Request, Rotation,
    SearchError, Shards, export, fsck_shards, fsck_tiles, places_of, prove, request,
};
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind, kind_of, lock};
use signet_verify::Code;

use super::witnesses::witnessed;
use crate::args::{LogCommand, LogExportArgs, LogFreezeArgs, LogFsckArgs, LogProofArgs, LogRotateArgs};
use crate::document::{LogDocument, LogFsckDocument, LogProofDocument, LogRotateDocument, LogShardReport};
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::runtime::block_on;

/// Runs one of the commands.
pub(crate) fn run(command: &LogCommand, face: Face) -> Answer {
    match command {
        LogCommand::Fsck(args) => check(args, face),
        LogCommand::Proof(args) => proof(args, face),
        LogCommand::Search(args) => super::log_search::run(args, face),
        LogCommand::Monitor(args) => block_on(super::log_monitor::run(args, face)),
        LogCommand::Export(args) => write_files(args, face),
        LogCommand::Freeze(args) => block_on(freeze(args, face)),
        LogCommand::Rotate(args) => block_on(rotate(args, face)),
    }
}

fn check(args: &LogFsckArgs, face: Face) -> Answer {
    let (data, reports) = match (&args.data, &args.tiles) {
        (Some(data), _) => (data, fsck_shards(&shards(data)?)?),
        (None, Some(tiles)) => {
            exists(tiles)?;
            (tiles, vec![fsck_tiles(tiles, verifier_key(args)?.as_ref())?])
        }
        (None, None) => return Err(CliError::internal("neither of two directories").into()),
    };
    let shards = reports.into_iter().map(checked).collect::<Result<Vec<_>, _>>()?;
    let newest = shards.last().ok_or_else(|| CliError::internal("a log without shards"))?;
    let document = LogFsckDocument {
        data: data.display().to_string(),
        origin: newest.origin.clone(),
        size: newest.size,
        root: newest.root,
        findings: shards.iter().flat_map(|shard| shard.findings.clone()).collect(),
        shards,
    };
    face.result(&document, fsck_text)?;
    match document.findings.is_empty() {
        true => Ok(Status::Yes),
        false => Ok(Status::No),
    }
}

fn checked(FsckReport { origin, size, root, findings }: FsckReport) -> Result<LogShardReport, CliError> {
    let root = Digest::from_bytes(DigestAlgorithm::Sha256, &root).map_err(CliError::internal)?;
    Ok(LogShardReport { origin, size, root, findings })
}

fn verifier_key(args: &LogFsckArgs) -> Result<Option<VerifierKey>, CliError> {
    let key = args.key.as_ref().map(|key| key.parse()).transpose();
    key.map_err(|error: NoteError| CliError::new(Code::KeyUnusable, error.to_string()))
}

fn fsck_text(document: &LogFsckDocument) -> String {
    let shard = |shard: &LogShardReport| {
        let findings: String = shard.findings.iter().map(|finding| format!("{finding}\n")).collect();
        let sound = if shard.findings.is_empty() { "sound" } else { "sound before the damage" };
        format!("{findings}`{}`: {} entries {sound}, root {}\n", shard.origin, shard.size, shard.root)
    };
    document.shards.iter().map(shard).collect()
}

fn proof(args: &LogProofArgs, face: Face) -> Answer {
    let shards = named(shards(&args.data)?, args.shard.as_deref())?;
    let [shard] = shards.as_slice() else {
        let why = format!("the log has {} shards, and each has entries of its own", shards.len());
        return Err(CliError::new(Code::UsageInvalid, why).hint("say which by `--shard`").into());
    };
    let proof = prove(&shard.data, args.index)?;
    let document = LogProofDocument {
        index: proof.index,
        size: proof.checkpoint.checkpoint().size,
        proof: proof.to_string(),
    };
    face.result(&document, |document| document.proof.clone())?;
    Ok(Status::Yes)
}

/// One shard into the directory itself, several below it as a running log serves earlier ones.
fn write_files(args: &LogExportArgs, face: Face) -> Answer {
    let shards = named(shards(&args.data)?, args.shard.as_deref())?;
    let mut size = 0;
    for shard in &shards {
        let below = args.out.join(shard_path(&shard.name()?.unwrap_or_default()));
        let target = if shards.len() == 1 { &args.out } else { &below };
        size += export(&shard.data, target)?;
    }
    let document = LogDocument { data: args.data.display().to_string(), size };
    face.result(&document, |document| format!("{} entries in `{}`\n", document.size, args.out.display()))?;
    Ok(Status::Yes)
}

async fn freeze(args: &LogFreezeArgs, face: Face) -> Answer {
    let (size, published) = match ask(&args.data, Request::Freeze).await? {
        Reply::Frozen { size, published } => (size, published),
        other => return Err(refused(other).into()),
    };
    let document = LogDocument { data: args.data.display().to_string(), size };
    face.result(&document, |document| {
        let rest = match size - published.min(size) {
            0 => String::new(),
            rest => format!("; the last {rest} are published once its witnesses cosign them"),
        };
        format!("`{}` is frozen at {} entries{rest}\n", document.data, document.size)
    })?;
    Ok(Status::Yes)
}

async fn rotate(args: &LogRotateArgs, face: Face) -> Answer {
    let asked = Request::Rotate(Rotation { origin: args.origin.clone(), prepare: args.prepare });
    let answer = match args.certificates {
        true => ask_certificates(&args.data, asked).await?,
        false => ask(&args.data, asked).await?,
    };
    let (origin, keys) = match answer {
        Reply::Shard { origin, keys } => (origin, keys),
        other => return Err(refused(other).into()),
    };
    let document =
        LogRotateDocument { data: args.data.display().to_string(), origin, keys, prepared: args.prepare };
    face.result(&document, |document| {
        let keys: String = document.keys.iter().map(|key| format!("key {key}\n")).collect();
        let what = if document.prepared { "can go on" } else { "goes on" };
        format!("`{}` {what} in the shard `{}`\n{keys}", document.data, document.origin)
    })?;
    if !args.prepare {
        face.note(
            "what is signed from now on verifies with a trusted root that names this shard; `--prepare` has clients know it beforehand",
        )?;
    }
    Ok(Status::Yes)
}

fn refused(answer: Reply) -> CliError {
    let why = match answer {
        Reply::Refused(why) => why,
        _ => "the running log is of another version".to_owned(),
    };
    CliError::new(Code::ServiceFailed, why)
}

/// Asks where the log runs, or does it here if it does not: with the witnesses that it has.
async fn ask(data: &Path, asked: Request) -> Result<Reply, CliError> {
    exists(data)?;
    if let Some(stack) = requests(data) {
        return ask_running(&stack, &asked, data).await;
    }
    let config = witnessed(Config::new(data.to_owned()), None, WITNESS_WITHIN)?;
    match Shards::open(Disk::default(), config, HomeOptions::default()).await {
        Ok(shards) => Ok(answered(shards, asked).await),
        Err(HomeError::Open(OpenError::Dir(signet_store::OpenError::InUse { .. }))) => {
            ask_running(data, &asked, data).await
        }
        Err(error) => Err(error.into()),
    }
}

/// The same of the log of certificates of a stack, or of an authority by itself.
async fn ask_certificates(data: &Path, asked: Request) -> Result<Reply, CliError> {
    exists(data)?;
    let requests = data.join(ctlog::DIR);
    let (kind, is_there) = (kind_of(data), requests.is_dir());
    let Some(kind @ (Kind::Stack | Kind::Ca)) = kind.filter(|_| is_there) else {
        return Err(CliError::new(Code::UsageInvalid, about(data, "there is no log of certificates in it"))
            .hint("give the directory of `signet up`, or of a `signet serve ca` that keeps a log itself"));
    };
    if matches!(lock(data), Err(signet_store::OpenError::InUse { .. })) {
        return ask_running(&requests, &asked, data).await;
    }
    match kind {
        Kind::Stack => Ok(answered(stopped_certificate_logs(data).await?, asked).await),
        _ => {
            // Nobody else's until it is done.
            let dir = DataDir::open(data, kind)?;
            Ok(answered(own_log(&dir, Arc::new(SystemClock::start())).await?, asked).await)
        }
    }
}

/// What a log answers that nobody else has open.
async fn answered<O: Opener>(shards: Shards<O>, asked: Request) -> Reply {
    let answer = shards.answer(asked, |_| ()).await;
    shards.close().await;
    answer
}

/// What the running log that is asked in `requests` answers.
async fn ask_running(requests: &Path, asked: &Request, data: &Path) -> Result<Reply, CliError> {
    request(requests, data, asked).await.map_err(|error| {
        let told = CliError::new(Code::ServiceFailed, about(data, &error));
        match error.kind() {
            io::ErrorKind::TimedOut => told.hint("it has to be running to be asked"),
            _ => told,
        }
    })
}

/// The shards of a log by itself or of a stack, the oldest first.
pub(super) fn shards(data: &Path) -> Result<Vec<Place>, CliError> {
    exists(data)?;
    match log_shards(data)? {
        Some(shards) => Ok(shards),
        None => Ok(places_of(data)?),
    }
}

/// All of them, or the one of this name.
fn named(shards: Vec<Place>, wanted: Option<&str>) -> Result<Vec<Place>, CliError> {
    let Some(wanted) = wanted else { return Ok(shards) };
    for shard in shards {
        if shard.name()?.as_deref() == Some(wanted) {
            return Ok(vec![shard]);
        }
    }
    Err(CliError::new(Code::UsageInvalid, SearchError::NoShard(wanted.to_owned()).to_string()))
}

/// A misspelt directory would otherwise be made, and found sound.
pub(super) fn exists(path: &Path) -> Result<(), CliError> {
    std::fs::metadata(path).map(drop).map_err(|error| CliError::unreadable(path, error))
}

const WITNESS_WITHIN: Duration = Duration::from_secs(2);
