//! Publishing.

use std::path::Path;
use std::sync::Arc;

use signet_formats::signing_config::SigningConfig;
use signet_formats::trusted_root::TrustedRoot;
use signet_formats::tuf::MAX_ROOT_BYTES;
use signet_services::clock::SystemClock;
use signet_services::trust::{
    Periods, Published, Publisher, PublisherError, SIGNING_CONFIG, TRUSTED_ROOT, root_alert,
};
use signet_verify::Code;

use super::{roles, text};
use crate::args::TrustPublishArgs;
use crate::document::TrustDocument;
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::runtime::block_on;
use crate::{clock, files};

/// Publishes a root and targets.
pub(super) fn run(args: &TrustPublishArgs, face: Face) -> Answer {
    let publisher = publisher(&args.data)?;
    let targets = targets(args)?;
    let root = match &args.root {
        Some(path) => Some(files::read(path, MAX_ROOT_BYTES)?),
        None => publisher.ripe_root(&targets)?,
    };
    block_on(async {
        if args.rehearse {
            let rehearsed = publisher.rehearse(root.as_deref(), &targets).map_err(refused)?;
            face.result(&TrustDocument { rehearsed: true, ..document(&args.data, rehearsed) }, text)?;
            face.note("a rehearsal: clients would accept the root, and nothing was published")?;
            return Ok(Status::Yes);
        }
        let published = publisher.publish(root.as_deref(), &targets).await.map_err(refused)?;
        face.result(&document(&args.data, published), text)?;
        let draft = publisher.staged_root();
        if draft.is_file() {
            face.note(&format!("note: the root in `{}` is still being signed, and stays", draft.display()))?;
        }
        Ok(Status::Yes)
    })
}

/// Too few signatures are an attack where a root is followed; here people have yet to sign.
fn refused(error: PublisherError) -> CliError {
    let error = CliError::from(error);
    match error.code {
        Code::TrustSignatures => error.hint(UNSIGNED),
        _ => error,
    }
}

/// The publisher of a data directory.
pub(crate) fn publisher(data: &Path) -> Result<Publisher, CliError> {
    Ok(Publisher::new(data, Periods::default(), Arc::new(SystemClock::start()))?)
}

fn targets(args: &TrustPublishArgs) -> Result<Vec<(String, Vec<u8>)>, CliError> {
    let mut targets = Vec::new();
    if let Some(path) = &args.trusted_root {
        let bytes = files::read(path, MAX_TARGET)?;
        // What no client could use is not published.
        TrustedRoot::parse(&bytes)
            .map_err(|error| CliError::new(Code::TrustRootInvalid, about(path, error)))?;
        targets.push((TRUSTED_ROOT.to_owned(), bytes));
    }
    if let Some(path) = &args.signing_config {
        let bytes = files::read(path, MAX_TARGET)?;
        SigningConfig::parse(&bytes)
            .map_err(|error| CliError::new(Code::SigningConfigInvalid, about(path, error)))?;
        targets.push((SIGNING_CONFIG.to_owned(), bytes));
    }
    Ok(targets)
}

fn document(data: &Path, published: Published) -> TrustDocument {
    TrustDocument {
        directory: data.display().to_string(),
        repository: None,
        updated: None,
        max_age_seconds: None,
        roles: roles(&published.roles),
        alerts: root_alert(&published, clock::now()).into_iter().collect(),
        targets: published.targets,
        rehearsed: false,
    }
}

const UNSIGNED: &str = "have enough of those sign it whose keys it names, and of those whom the root before it names: `signet trust sign --key KEY FILE`";
const MAX_TARGET: usize = 4 * 1024 * 1024;
