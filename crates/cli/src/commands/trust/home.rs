//! The verifying side: one pinned root and what it leads to.

use signet_formats::trust_bundle::{MAX_BYTES, TrustBundle};
use signet_formats::tuf::MAX_ROOT_BYTES;
use signet_services::trust::{self, Current, Home, SIGNING_CONFIG, TRUSTED_ROOT};
use signet_verify::Code;

use super::{moment, roles, text};
use crate::args::{TrustExportArgs, TrustHomeArgs, TrustImportArgs, TrustInitArgs};
use crate::document::{TrustDocument, TrustExportDocument};
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::runtime::block_on;
use crate::{clock, files, pinned};

/// Pins a root.
pub(super) fn init(args: &TrustInitArgs, face: Face) -> Answer {
    let root = files::read(&args.root, MAX_ROOT_BYTES)?;
    let home = pinned::home(args.home.trust_dir.as_deref())?;
    block_on(async {
        home.init(&root, args.url.as_deref(), &pinned::fetch(), clock::now()).await?;
        if args.url.is_some() {
            return show(&home, face);
        }
        face.note(&format!(
            "pinned in `{}`: `signet trust import` takes trust from a bundle",
            home.path().display()
        ))?;
        Ok(Status::Yes)
    })
}

/// Shows what is pinned.
pub(super) fn status(args: &TrustHomeArgs, face: Face) -> Answer {
    show(&pinned::home(args.trust_dir.as_deref())?, face)
}

/// Follows the repository.
pub(super) fn update(args: &TrustHomeArgs, face: Face) -> Answer {
    let home = pinned::home(args.trust_dir.as_deref())?;
    block_on(async {
        home.update(&pinned::fetch(), clock::now()).await?;
        show(&home, face)
    })
}

/// Writes the newest state into a file.
pub(super) fn export(args: &TrustExportArgs, face: Face) -> Answer {
    let home = pinned::home(args.home.trust_dir.as_deref())?;
    let mut bundle = home.bundle()?;
    bundle.max_age = [bundle.max_age, seconds(args.max_age_days)].into_iter().flatten().min();
    // What cannot be used here is of no use elsewhere.
    trust::open(&bundle, home.source()?.max_age, clock::now())?;
    let json = bundle.to_json().map_err(CliError::internal)?;
    files::create(&args.out, json.as_bytes())?;
    let document = TrustExportDocument {
        file: args.out.display().to_string(),
        files: bundle.metadata.len() + bundle.targets.len(),
        max_age_seconds: bundle.max_age,
    };
    face.result(&document, |document| format!("{} files in `{}`\n", document.files, document.file))?;
    Ok(Status::Yes)
}

/// Takes a state from a file.
pub(super) fn import(args: &TrustImportArgs, face: Face) -> Answer {
    let home = pinned::home(args.home.trust_dir.as_deref())?;
    let bytes = files::read(&args.file, MAX_BYTES)?;
    let bundle = TrustBundle::parse(&bytes)
        .map_err(|error| CliError::new(Code::TrustMalformed, about(&args.file, error)))?;
    block_on(async {
        home.import(&bundle, seconds(args.max_age_days), clock::now()).await?;
        show(&home, face)
    })
}

fn show(home: &Home, face: Face) -> Answer {
    let now = clock::now();
    let (source, current) = (home.source()?, home.current(now)?);
    let document = TrustDocument {
        directory: home.path().display().to_string(),
        repository: source.url,
        updated: source.updated.map(moment),
        max_age_seconds: current.max_age,
        roles: roles(&current.roles()),
        targets: targets(&current),
        alerts: alerts(&current, now),
    };
    face.result(&document, text)?;
    Ok(Status::Yes)
}

fn targets(current: &Current) -> Vec<String> {
    let trusted_root = current.trusted_root.as_ref().map(|_| TRUSTED_ROOT.to_owned());
    let signing_config = current.signing_config.as_ref().map(|_| SIGNING_CONFIG.to_owned());
    trusted_root.into_iter().chain(signing_config).collect()
}

/// What expires within the time that people need to do something about it.
fn alerts(current: &Current, now: i64) -> Vec<String> {
    let soon = |(role, _, expires): &(_, u64, i64)| {
        let hours = (expires - now) / 3_600;
        (hours < SOON_HOURS)
            .then(|| format!("{role} metadata expires at {}: run `signet trust update`", moment(*expires)))
    };
    current.roles().iter().filter_map(soon).collect()
}

fn seconds(days: Option<u32>) -> Option<i64> {
    days.map(|days| i64::from(days) * 24 * 3_600)
}

const SOON_HOURS: i64 = 24;
