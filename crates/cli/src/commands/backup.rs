//! `signet backup` and `signet restore`.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_server::stack;

use crate::args::{BackupArgs, RestoreArgs};
use crate::clock;
use crate::document::{BackupDocument, RestoreDocument};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::files;

/// Writes a backup.
pub(crate) fn backup(args: &BackupArgs, face: Face) -> Answer {
    let stated = args.data.join("stack.json");
    std::fs::metadata(&stated).map_err(|error| CliError::unreadable(&stated, error))?;
    let copied = files::write_secret(&args.out, |file| {
        stack::backup(&args.data, BufWriter::new(file)).map_err(CliError::from)
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

/// Makes a stack from a backup.
pub(crate) fn restore(args: &RestoreArgs, face: Face) -> Answer {
    let heads = args.head.iter().map(|path| head(path)).collect::<Result<Vec<_>, _>>()?;
    let file = File::open(&args.from).map_err(|error| CliError::unreadable(&args.from, error))?;
    let restored = stack::restore(BufReader::new(file), &args.data, &heads, clock::now())?;
    let document = RestoreDocument {
        data: args.data.display().to_string(),
        files: restored.copied.files,
        bytes: restored.copied.bytes,
        resumed: restored.resumed,
        frozen: restored.frozen,
    };
    face.result(&document, text)?;
    Ok(Status::Yes)
}

fn text(document: &RestoreDocument) -> String {
    let RestoreDocument { data, files, bytes, resumed, frozen } = document;
    let resumed: String = resumed.iter().map(|log| format!("`{log}` goes on\n")).collect();
    let frozen: String =
        frozen.iter().map(|log| format!("`{log}` is frozen: another log begins in its place\n")).collect();
    format!("{files} files with {bytes} bytes are in `{data}`\n{resumed}{frozen}")
}

fn head(path: &Path) -> Result<SignedCheckpoint, CliError> {
    let bytes = files::read(path, MAX_HEAD_BYTES)?;
    SignedCheckpoint::parse(&bytes).map_err(|error| CliError::unreadable(path, error))
}

const MAX_HEAD_BYTES: usize = 1 << 20;
