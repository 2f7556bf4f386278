//! `signet backup` and `signet restore`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal, Read, Write};
use std::path::Path;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_server::stack::{self, BackupError, Copied, Restored, Witnessed};
use signet_store::{Kind, OpenError, kind_of};
use signet_verify::Code;

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
    if let Some(found) = kind_of(&args.data).filter(|kind| *kind != Kind::Stack) {
        let other = OpenError::Kind { path: args.data.clone(), found, wanted: Kind::Stack };
        return Err(CliError::from(other)
            .hint("name the directory that `signet up --data` was given")
            .into());
    }
    let stated = args.data.join("stack.json");
    std::fs::metadata(&stated).map_err(|error| CliError::unreadable(&stated, error))?;
    let to_standard = is_standard(&args.out);
    match to_standard {
        true => refuse_a_terminal()?,
        false => refuse_inside(&args.data, &args.out)?,
    }
    let now = clock::now();
    let copied = match args.moves {
        true => stack::move_out(&args.data, now, |archive| keep(&args.out, archive))?,
        false => keep(&args.out, &|out| stack::backup(&args.data, out, now))?,
    };
    let document = BackupDocument {
        data: args.data.display().to_string(),
        file: args.out.display().to_string(),
        files: copied.files,
        bytes: copied.bytes,
    };
    match to_standard {
        // There is nothing but the archive on standard output.
        true => face.note(written(&document, "on standard output").trim_end())?,
        false => face.result(&document, |document| written(document, &format!("in `{}`", document.file)))?,
    }
    Ok(Status::Yes)
}

/// Has the archive written to where it is to stay.
fn keep(
    out: &Path,
    archive: &dyn Fn(&mut dyn Write) -> Result<Copied, BackupError>,
) -> Result<Copied, CliError> {
    match is_standard(out) {
        true => Ok(archive(&mut BufWriter::new(io::stdout().lock()))?),
        false => files::write_secret(out, |file| Ok(archive(&mut BufWriter::new(file))?)),
    }
}

fn written(document: &BackupDocument, place: &str) -> String {
    let BackupDocument { data, files, bytes, file: _ } = document;
    format!("{files} files with {bytes} bytes of `{data}` are {place}\n")
}

/// Whether an archive goes through a pipe.
fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

/// Nobody reads it there, and the private keys in it would stay in what the terminal remembers.
fn refuse_a_terminal() -> Result<(), CliError> {
    let refused = "standard output is a terminal, and the archive has private keys in it";
    match io::stdout().is_terminal() {
        true => Err(CliError::new(Code::UsageInvalid, refused)
            .hint("give `--out FILE`, or pipe it: `signet backup … --out - | age -r RECIPIENT > FILE`")),
        false => Ok(()),
    }
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
    let archive: Box<dyn Read> = match is_standard(&args.from) {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(&args.from).map_err(|error| CliError::unreadable(&args.from, error))?),
    };
    runtime::block_on(async {
        let restored = stack::restore(BufReader::new(archive), &args.data, witnessed, clock::now()).await?;
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
