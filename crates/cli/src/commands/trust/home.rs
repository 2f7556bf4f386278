//! The verifying side: one pinned root and what it leads to.

use std::path::Path;

use signet_formats::trust_bundle::{MAX_BYTES, TrustBundle};
use signet_formats::tuf::{MAX_ROOT_BYTES, Metadata, Role, Root};
use signet_services::trust::{self, Current, Home, HomeError, Pin, SIGNING_CONFIG, TRUSTED_ROOT};
use signet_verify::Code;

use super::{moment, roles, text};
use crate::args::{TrustExportArgs, TrustHomeArgs, TrustImportArgs, TrustInitArgs};
use crate::document::{TrustDocument, TrustExportDocument};
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::runtime::block_on;
use crate::trust_fetch::HttpFetch;
use crate::{clock, files, pinned};

/// Pins a root.
pub(super) fn init(args: &TrustInitArgs, face: Face) -> Answer {
    let root = files::read(&args.root, MAX_ROOT_BYTES)?;
    Metadata::<Root>::parse(&root).map_err(|error| {
        CliError::new(Code::TrustMalformed, about(&args.root, error))
            .hint("give the root of a TUF repository (`root.json`), not a trusted root that it leads to")
    })?;
    let authorities = args.services_cacert.as_deref();
    let pem = authorities.map(|path| files::read(path, MAX_AUTHORITIES)).transpose()?;
    let url = args.url.as_deref();
    let home = pinned::home(args.home.trust_dir.as_deref())?;
    let pin = Pin { root: &root, url, authorities: pem.as_deref() };
    block_on(async {
        let fetch = HttpFetch::trusting(authorities.map(Path::to_owned).or_else(|| home.authorities()));
        home.init(pin, &fetch, clock::now()).await.map_err(|error| not_pinned(error, url))?;
        if home.source()?.updated.is_some() {
            return show(&home, face);
        }
        face.result(&unfollowed(&home, &root)?, text)?;
        face.note("pinned: `signet trust import` takes trust from a bundle")?;
        Ok(Status::Yes)
    })
}

/// Where there is no repository at the URL, its owner cannot help.
fn not_pinned(error: HomeError, url: Option<&str>) -> CliError {
    let error = CliError::from(error);
    match url {
        Some(url) if error.code == Code::TrustMissing => error.hint(format!(
            "it was asked for at `{}`: give the URL that a repository's files are below, such as `https://HOST/tuf`",
            url.trim_end_matches('/')
        )),
        _ => error,
    }
}

/// Of a root that leads to nothing yet.
fn unfollowed(home: &Home, root: &[u8]) -> Result<TrustDocument, CliError> {
    let root: Metadata<Root> = Metadata::parse(root).map_err(CliError::internal)?;
    Ok(TrustDocument {
        directory: home.path().display().to_string(),
        repository: home.source()?.url,
        updated: None,
        max_age_seconds: None,
        roles: roles(&[(Role::Root, root.version, root.expires)]),
        targets: Vec::new(),
        alerts: Vec::new(),
        rehearsed: false,
    })
}

/// Shows what is pinned, also if it may not be used any more: that is then the answer.
pub(super) fn status(args: &TrustHomeArgs, face: Face) -> Answer {
    let home = pinned::home(args.trust_dir.as_deref())?;
    let now = clock::now();
    let Err(error) = home.current(now) else { return show(&home, face) };
    let error = CliError::from(error);
    let source = home.source().unwrap_or_default();
    // As it was when it was last followed to its end.
    let was = source.updated.and_then(|then| home.current(then).ok());
    let Some(was) = was else { return Err(error.into()) };
    let why = format!("{}: {}; {}", error.code, error.detail, error.hint);
    let alerts = source.failed.as_ref().map(pinned::failed).into_iter().chain([why]).collect();
    face.result(&document(&home, &was, alerts)?, text)?;
    Ok(Status::of(error.code))
}

/// Follows the repository.
pub(super) fn update(args: &TrustHomeArgs, face: Face) -> Answer {
    let home = pinned::home(args.trust_dir.as_deref())?;
    block_on(async {
        home.update(&pinned::fetch(&home), clock::now()).await?;
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
    let current = home.current(now)?;
    let outage = home.outage(&current, now)?.map(|outage| pinned::told(&outage));
    let alerts = outage.into_iter().chain(alerts(&current, now)).collect();
    face.result(&document(home, &current, alerts)?, text)?;
    Ok(Status::Yes)
}

fn document(home: &Home, current: &Current, alerts: Vec<String>) -> Result<TrustDocument, CliError> {
    let source = home.source()?;
    Ok(TrustDocument {
        directory: home.path().display().to_string(),
        repository: source.url,
        updated: source.updated.map(moment),
        max_age_seconds: current.max_age,
        roles: roles(&current.roles()),
        targets: targets(current),
        alerts,
        rehearsed: false,
    })
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
/// All authorities that a system has are a fifth of that.
const MAX_AUTHORITIES: usize = 1024 * 1024;
