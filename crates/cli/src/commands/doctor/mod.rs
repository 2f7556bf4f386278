//! `signet doctor`: what signing and verifying depend on, each finding with its fix.

mod pinned;
mod registry;

use std::path::Path;
use std::time::UNIX_EPOCH;

use signet_formats::time;
use signet_registry::Location;
use signet_verify::{TrustSnapshot, Window};

use crate::args::DoctorArgs;
use crate::document::{DoctorDocument, Finding, Health};
use crate::error::{Answer, Status};
use crate::face::Face;
use crate::runtime::block_on;
use crate::{clock, connection, render, trust};

/// Makes every check that the options allow.
pub(crate) fn run(args: &DoctorArgs, face: Face) -> Answer {
    let now = clock::now();
    let mut findings = vec![clock(now)];
    if let Some(path) = &args.trusted_root {
        findings.extend(trust_root(path, now));
    }
    findings.extend(pinned::findings(now));
    if let Some(data) = &args.trust_data {
        findings.push(pinned::repository(data, now));
    }
    let place = args.image.as_deref().map(connection::place).transpose()?;
    block_on(async {
        match &place {
            Some(Location::Registry(reference)) => {
                let client = connection::client(&args.connection, place.as_slice());
                findings.extend(registry::findings(&client, reference, now).await);
            }
            Some(place) => findings.push(Finding::new(
                "registry",
                Health::Pass,
                format!("none to ask: `{place}` is not in a registry"),
            )),
            None => {}
        }
        let worst = findings.iter().map(status).max().unwrap_or(Status::Yes);
        face.result(&DoctorDocument { findings }, render::doctor)?;
        Ok(worst)
    })
}

/// How a finding counts among others.
fn status(finding: &Finding) -> Status {
    match finding.health {
        Health::Pass | Health::Warn => Status::Yes,
        Health::Fail if finding.open => Status::Undecided,
        Health::Fail => Status::No,
    }
}

/// A clock that is behind this program's own making is wrong; how one is ahead, a registry tells.
fn clock(now: i64) -> Finding {
    let text = moment(now);
    match now < MADE_AFTER {
        true => Finding::new("clock", Health::Fail, format!("it is {text}, before this program was made"))
            .fix(SET_CLOCK),
        false => Finding::new("clock", Health::Pass, format!("it is {text}")),
    }
}

fn trust_root(path: &Path, now: i64) -> Vec<Finding> {
    match trust::trusted_root(path) {
        Ok(snapshot) => [Some(validity(&snapshot, now)), age(path, now)].into_iter().flatten().collect(),
        Err(error) => vec![Finding::fail("trust root", &error)],
    }
}

/// Whether there is an authority and a log that is trusted now.
fn validity(snapshot: &TrustSnapshot, now: i64) -> Finding {
    let authorities = snapshot.certificate_authorities.iter().map(|authority| authority.valid_for);
    let logs = snapshot.logs.iter().map(|log| log.valid_for);
    let current =
        |windows: &mut dyn Iterator<Item = Window>| windows.filter(|window| window.contains(now)).count();
    let (authorities, logs) = (current(&mut authorities.into_iter()), current(&mut logs.into_iter()));
    let detail = format!("{authorities} certificate authorities and {logs} logs are trusted now");
    match authorities == 0 || logs == 0 {
        true => Finding::new("trust root", Health::Warn, detail).fix(
            "what was signed in the past still verifies; fetch the trust root again for what is signed now",
        ),
        false => Finding::new("trust root", Health::Pass, detail),
    }
}

/// How long ago the file was written. The document itself does not say how old it is.
fn age(path: &Path, now: i64) -> Option<Finding> {
    let written = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()?;
    let written = i64::try_from(written.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let days = now.saturating_sub(written) / DAY;
    let detail = format!("its file was written {} ({days} days ago)", moment(written));
    Some(match days > STALE_DAYS {
        true => Finding::new("trust root age", Health::Warn, detail)
            .fix("fetch it again: logs and authorities may have been added to it, or taken out"),
        false => Finding::new("trust root age", Health::Pass, detail),
    })
}

/// A time as text; as a number where it lies outside the years that have one.
fn moment(at: i64) -> String {
    time::format(at).unwrap_or_else(|_| at.to_string())
}

const SET_CLOCK: &str = "set the clock: certificates and timestamps are judged by it";
/// 2026-11-01: no clock was behind it when this program was made.
const MADE_AFTER: i64 = 1_793_491_200;
const DAY: i64 = 24 * 3600;
/// Sigstore's public instance changes its trust root a few times a year.
const STALE_DAYS: i64 = 90;
