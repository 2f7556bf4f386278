//! `signet backup` and `signet restore`.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_server::stack::{self, BackupError, Restored, Witnessed};

use crate::args::{BackupArgs, RestoreArgs};
use crate::clock;
use crate::commands::witnesses::read_policy;
use crate::document::{BackupDocument, DoubtDocument, RestoreDocument};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::files;
use crate::runtime;

/// Writes a backup.
pub(crate) fn backup(args: &BackupArgs, face: Face) -> Answer {
    let stated = args.data.join("stack.json");
    std::fs::metadata(&stated).map_err(|error| CliError::unreadable(&stated, error))?;
    refuse_inside(&args.data, &args.out)?;
    let copied = files::write_secret(&args.out, |file| {
        let write = if args.moves { stack::move_out } else { stack::backup };
        write(&args.data, BufWriter::new(file), clock::now()).map_err(CliError::from)
    })?;
    let document = BackupDocument {
        data: args.data.display().to_string(),
        file: args.out.display().to_string(),
        files: copied.files,
        bytes: copied.bytes,
    };
    face.result(&document, |document| {
        let BackupDocument { data, file, files, bytes } = document;
        format!("{files} files with {bytes} bytes of `{data}` are in `{file}`\n")
    })?;
    Ok(Status::Yes)
}

/// The next backup would have this one in it.
fn refuse_inside(data: &Path, out: &Path) -> Result<(), CliError> {
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let places = parent.canonicalize().ok().zip(data.canonicalize().ok());
    match places.is_some_and(|(parent, data)| parent.starts_with(data)) {
        true => Err(BackupError::Inside { path: out.to_owned() }.into()),
        false => Ok(()),
    }
}

/// Makes a stack from a backup.
pub(crate) fn restore(args: &RestoreArgs, face: Face) -> Answer {
    let witnessed = Witnessed {
        heads: args.head.iter().map(|path| head(path)).collect::<Result<_, _>>()?,
        policy: args.witness_policy.as_deref().map(read_policy).transpose()?,
        stopped: args.stopped,
    };
    let file = File::open(&args.from).map_err(|error| CliError::unreadable(&args.from, error))?;
    runtime::block_on(async {
        let restored = stack::restore(BufReader::new(file), &args.data, witnessed, clock::now()).await?;
        face.result(&document(&args.data, restored), text)?;
        Ok(Status::Yes)
    })
}

fn document(data: &Path, restored: Restored) -> RestoreDocument {
    let (frozen, doubts) = restored
        .frozen
        .into_iter()
        .map(|(log, doubt)| (log.clone(), DoubtDocument { log, why: doubt.to_string() }))
        .unzip();
    RestoreDocument {
        data: data.display().to_string(),
        files: restored.copied.files,
        bytes: restored.copied.bytes,
        resumed: restored.resumed,
        frozen,
        doubts,
    }
}

fn text(document: &RestoreDocument) -> String {
    let RestoreDocument { data, files, bytes, resumed, doubts, frozen: _ } = document;
    let resumed: String = resumed.iter().map(|log| format!("`{log}` goes on\n")).collect();
    let frozen: String = doubts
        .iter()
        .map(|DoubtDocument { log, why }| {
            format!("`{log}` is frozen, another log begins in its place: {why}\n")
        })
        .collect();
    format!("{files} files with {bytes} bytes are in `{data}`\n{resumed}{frozen}")
}

fn head(path: &Path) -> Result<SignedCheckpoint, CliError> {
    let bytes = files::read(path, MAX_HEAD_BYTES)?;
    SignedCheckpoint::parse(&bytes).map_err(|error| CliError::unreadable(path, error))
}

const MAX_HEAD_BYTES: usize = 1 << 20;
