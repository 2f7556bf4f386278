//! `signet log`: work on a log's data directory.

use std::path::Path;

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::note::{NoteError, VerifierKey};
use signet_server::stack::rotation_requests;
use signet_services::log::{
    Config, FsckReport, HomeError, HomeOptions, Log, OpenError, Rotated, Rotation, Shards, export, fsck,
    fsck_tiles, prove, request_rotation,
};
use signet_store::fs::Disk;
use signet_verify::Code;

use crate::args::{LogCommand, LogExportArgs, LogFreezeArgs, LogFsckArgs, LogProofArgs, LogRotateArgs};
use crate::document::{LogDocument, LogFsckDocument, LogProofDocument, LogRotateDocument};
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
        LogCommand::Freeze(args) => freeze(args, face),
        LogCommand::Rotate(args) => block_on(rotate(args, face)),
    }
}

fn check(args: &LogFsckArgs, face: Face) -> Answer {
    let (data, report) = match (&args.data, &args.tiles) {
        (Some(data), _) => (data, exists(data).map(|()| fsck(data))?),
        (None, Some(tiles)) => {
            (tiles, exists(tiles).and_then(|()| Ok(fsck_tiles(tiles, verifier_key(args)?.as_ref())))?)
        }
        (None, None) => return Err(CliError::internal("neither of two directories").into()),
    };
    let FsckReport { origin, size, root, findings } = report?;
    let document = LogFsckDocument {
        data: data.display().to_string(),
        origin,
        size,
        root: Digest::from_bytes(DigestAlgorithm::Sha256, &root).map_err(CliError::internal)?,
        findings,
    };
    face.result(&document, fsck_text)?;
    match document.findings.is_empty() {
        true => Ok(Status::Yes),
        false => Ok(Status::No),
    }
}

fn verifier_key(args: &LogFsckArgs) -> Result<Option<VerifierKey>, CliError> {
    let key = args.key.as_ref().map(|key| key.parse()).transpose();
    key.map_err(|error: NoteError| CliError::new(Code::KeyUnusable, error.to_string()))
}

fn fsck_text(report: &LogFsckDocument) -> String {
    let findings: String = report.findings.iter().map(|finding| format!("{finding}\n")).collect();
    let sound = if report.findings.is_empty() { "sound" } else { "sound before the damage" };
    format!("{findings}`{}`: {} entries {sound}, root {}\n", report.origin, report.size, report.root)
}

fn proof(args: &LogProofArgs, face: Face) -> Answer {
    exists(&args.data)?;
    let proof = prove(&args.data, args.index)?;
    let document = LogProofDocument {
        index: proof.index,
        size: proof.checkpoint.checkpoint().size,
        proof: proof.to_string(),
    };
    face.result(&document, |document| document.proof.clone())?;
    Ok(Status::Yes)
}

fn write_files(args: &LogExportArgs, face: Face) -> Answer {
    exists(&args.data)?;
    let size = export(&args.data, &args.out)?;
    let document = LogDocument { data: args.data.display().to_string(), size };
    face.result(&document, |document| format!("{} entries in `{}`\n", document.size, args.out.display()))?;
    Ok(Status::Yes)
}

fn freeze(args: &LogFreezeArgs, face: Face) -> Answer {
    exists(&args.data)?;
    block_on(async {
        let config = Config::new(args.data.clone());
        let log = Log::open_home(Disk::default(), config, HomeOptions::default()).await?;
        let frozen = log.freeze().await;
        log.close().await;
        frozen.map_err(|error| CliError::unwritable(&args.data, &error))?;
        let document =
            LogDocument { data: args.data.display().to_string(), size: log.head().checkpoint.size };
        face.result(&document, |document| {
            format!("`{}` is frozen at {} entries\n", document.data, document.size)
        })?;
        Ok(Status::Yes)
    })
}

/// Here, or where the log runs.
async fn rotate(args: &LogRotateArgs, face: Face) -> Answer {
    exists(&args.data)?;
    let rotation = Rotation { origin: args.origin.clone(), prepare: args.prepare };
    let rotated = match rotation_requests(&args.data) {
        Some(stack) => asked(&stack, &rotation, &args.data).await?,
        None => rotated(&args.data, rotation).await?,
    };
    let (origin, keys) = match rotated {
        Rotated::Done { origin, keys } => (origin, keys),
        Rotated::Refused(why) => return Err(CliError::new(Code::ServiceFailed, why).into()),
    };
    let document =
        LogRotateDocument { data: args.data.display().to_string(), origin, keys, prepared: args.prepare };
    face.result(&document, |document| {
        let keys: String = document.keys.iter().map(|key| format!("key {key}\n")).collect();
        let what = if document.prepared { "can go on" } else { "goes on" };
        format!("`{}` {what} in the shard `{}`\n{keys}", document.data, document.origin)
    })?;
    Ok(Status::Yes)
}

/// Of a log by itself, which may be running or not.
async fn rotated(data: &Path, rotation: Rotation) -> Result<Rotated, CliError> {
    match Shards::open(Disk::default(), Config::new(data.to_owned()), HomeOptions::default()).await {
        Ok(shards) => {
            let rotated = shards.answer(rotation).await;
            let answer =
                rotated.map_or_else(|error| Rotated::Refused(error.to_string()), |log| Rotated::to(&log));
            shards.close().await;
            Ok(answer)
        }
        Err(HomeError::Open(OpenError::Dir(signet_store::OpenError::InUse { .. }))) => {
            asked(data, &rotation, data).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What the running log that is asked in `requests` answers.
async fn asked(requests: &Path, rotation: &Rotation, data: &Path) -> Result<Rotated, CliError> {
    let answer = request_rotation(requests, rotation).await;
    answer.map_err(|error| {
        CliError::new(Code::ServiceFailed, about(data, error)).hint("it has to be running to be rotated")
    })
}

/// A misspelt directory would otherwise be made, and found sound.
pub(super) fn exists(path: &Path) -> Result<(), CliError> {
    std::fs::metadata(path).map(drop).map_err(|error| CliError::unreadable(path, error))
}
