//! `signet fsck` and `signet registry`: work on a data directory that no service is using.

use std::path::Path;

use signet_crypto::Digest;
use signet_server::stack::{self, StackReport};
use signet_store::registry::{Finding, FsRegistry, FsckReport, GcOptions, GcReport, Limits, RegistryStore};
use signet_store::{Kind, OpenError, RepositoryName, format_of};
use signet_verify::Code;

use crate::args::{FsckArgs, GcArgs, RegistryCommand};
use crate::document::{CheckedLog, FsckDocument, GcDocument};
use crate::error::{Answer, CliError, Status, Stop};
use crate::face::Face;
use crate::render;
use crate::runtime::block_on;

/// Runs one of the registry's commands.
pub(crate) fn registry(command: &RegistryCommand, face: Face) -> Answer {
    match command {
        RegistryCommand::Gc(args) => gc(args, face),
    }
}

/// Checks a data directory for damage.
pub(crate) fn fsck(args: &FsckArgs, face: Face) -> Answer {
    block_on(async {
        let document = match kind(&args.data)? {
            Kind::Stack if args.repair => return Err(of_which(args).into()),
            Kind::Stack => of_stack(args, stack::fsck(&args.data).await?),
            Kind::Registry => of_registry(args).await?,
            other => return Err(checked_elsewhere(&args.data, other).into()),
        };
        face.result(&document, render::fsck)?;
        match document.findings.is_empty() {
            true => Ok(Status::Yes),
            false => Ok(Status::No),
        }
    })
}

/// Checks, and where it is asked for mends and checks again.
async fn of_registry(args: &FsckArgs) -> Result<FsckDocument, Stop> {
    let store = open(&args.data)?;
    let report = store.fsck().await?;
    if !args.repair {
        return Ok(registry_document(args, report, Vec::new()));
    }
    let repaired = store.repair(report.findings).await?;
    Ok(registry_document(args, store.fsck().await?, repaired))
}

fn registry_document(args: &FsckArgs, report: FsckReport, repaired: Vec<Finding>) -> FsckDocument {
    FsckDocument {
        repaired: repaired.iter().map(ToString::to_string).collect(),
        data: args.data.display().to_string(),
        repositories: report.repositories,
        contents: report.contents,
        logs: Vec::new(),
        findings: report.findings.iter().map(ToString::to_string).collect(),
    }
}

fn of_stack(args: &FsckArgs, report: StackReport) -> FsckDocument {
    let logs = report.logs.into_iter().map(|(origin, entries)| CheckedLog { origin, entries });
    FsckDocument {
        data: args.data.display().to_string(),
        repositories: report.repositories,
        contents: report.contents,
        logs: logs.collect(),
        findings: report.findings,
        repaired: Vec::new(),
    }
}

fn of_which(args: &FsckArgs) -> CliError {
    CliError::new(Code::UsageInvalid, format!("`{}` is a whole stack", args.data.display()))
        .hint("`--repair` mends registries: name the directory `registry` in it, and restore the rest from a backup")
}

fn gc(args: &GcArgs, face: Face) -> Answer {
    block_on(async {
        let options = GcOptions {
            grace: args.older_than,
            without_subject: args.absent_subjects,
            dry_run: args.dry_run,
            ..GcOptions::default()
        };
        let report = open(&args.data)?.collect_garbage(options).await?;
        face.result(&gc_document(args, report), render::gc)?;
        Ok(Status::Yes)
    })
}

fn gc_document(args: &GcArgs, report: GcReport) -> GcDocument {
    let names = |pairs: Vec<(RepositoryName, Digest)>| {
        pairs.into_iter().map(|(repository, digest)| format!("{repository}@{digest}")).collect()
    };
    GcDocument {
        data: args.data.display().to_string(),
        dry_run: args.dry_run,
        manifests: names(report.manifests),
        blobs: names(report.blobs),
        contents: report.contents,
        bytes: report.bytes,
        uploads: report.uploads.len(),
        without_subject: names(report.without_subject),
        damaged: report.damaged.iter().map(ToString::to_string).collect(),
    }
}

/// Opens a registry that exists; a misspelt or unmounted one would otherwise be made, and found sound.
fn open(path: &Path) -> Result<FsRegistry, CliError> {
    match kind(path)? {
        Kind::Registry => Ok(FsRegistry::open(path, Limits::default())?),
        found => {
            let other = OpenError::Kind { path: path.to_owned(), found, wanted: Kind::Registry };
            Err(CliError::from(other)
                .hint("name the directory that `signet serve registry --data` was given, or `registry` in a stack's"))
        }
    }
}

fn kind(path: &Path) -> Result<Kind, CliError> {
    format_of(path).map_err(|error| match error {
        OpenError::Io { error, .. } => CliError::unreadable(path, error),
        begun @ OpenError::NotBegun { .. } => CliError::from(begun)
            .hint("is its disk mounted? If its first start was cut off, start the service again"),
        error => CliError::from(error).hint("name the directory that a service's `--data` was given"),
    })
}

/// What has its own command, or looks at itself whenever it starts.
fn checked_elsewhere(path: &Path, kind: Kind) -> CliError {
    let why = format!("`{}` holds the data of `{kind}`, which is not checked here", path.display());
    CliError::new(Code::DataDirForeign, why).hint(match kind {
        Kind::Log | Kind::Ct => "`signet log fsck --data DIR` checks it",
        _ => "it is checked whenever its service starts, and as part of a whole stack",
    })
}
