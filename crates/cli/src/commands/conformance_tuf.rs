//! `signet conformance tuf`: the client protocol of tuf-conformance (CLIENT-CLI.md there), which knows only
//! success and failure.

use std::path::Path;

use signet_services::trust::{Repository, Store, download, look_up, update};
use signet_store::fs::Disk;
use signet_verify::Code;

use crate::args::{ConformanceTufArgs, ConformanceTufCommand};
use crate::error::{Answer, CliError, Status, Stop};
use crate::face::Face;
use crate::runtime::block_on;
use crate::trust_fetch::HttpFetch;
use crate::{clock, files};

/// Runs one of the commands.
pub(crate) fn run(args: &ConformanceTufArgs, face: Face) -> Answer {
    let done = match &args.command {
        ConformanceTufCommand::Init { root } => init(args, root),
        ConformanceTufCommand::Refresh => block_on(follow(args, &[])),
        ConformanceTufCommand::Download => block_on(follow(args, &args.target_name)),
    };
    match done {
        Err(Stop::Error(error)) => {
            face.error(&error).map_err(Stop::output)?;
            Ok(Status::No)
        }
        other => other,
    }
}

fn init(args: &ConformanceTufArgs, root: &Path) -> Answer {
    let root = files::read(root, MAX_FILE)?;
    store(&args.metadata_dir)?.put("root.json", &root).map_err(CliError::internal)?;
    Ok(Status::Yes)
}

async fn follow(args: &ConformanceTufArgs, targets: &[String]) -> Answer {
    let fetch = HttpFetch::trusting(None);
    let metadata = args.metadata_url.as_deref().unwrap_or_default();
    let base = args.target_base_url.as_deref().unwrap_or_default();
    let repository = Repository::apart(&fetch, metadata, base);
    let own = store(&args.metadata_dir)?;
    let updater = update(&own, &repository, clock::now()).await?;
    for target in targets {
        let found = look_up(&updater, &own, &repository, target).await?;
        let found =
            found.ok_or_else(|| CliError::new(Code::TrustMissing, format!("no target `{target}`")))?;
        let kept = store(args.target_dir.as_deref().unwrap_or(Path::new(".")))?;
        download(&found, &kept, &repository, MAX_FILE).await?;
    }
    Ok(Status::Yes)
}

fn store(dir: &Path) -> Result<Store, CliError> {
    let dir = std::path::absolute(dir).map_err(CliError::internal)?;
    Ok(Store::new(Disk::default(), dir))
}

/// The largest root or target of the suite is far smaller.
const MAX_FILE: usize = 16 * 1024 * 1024;
