//! `signet doctor`: what signing and verifying depend on, each finding with its fix.

use signet_formats::oci::Reference;
use signet_formats::time;
use signet_registry::{Client, Credentials, Keychain, Location, ReferrersVia};
use signet_verify::{TrustSnapshot, Window};

use crate::args::DoctorArgs;
use crate::document::{DoctorDocument, Finding, Health};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::runtime::block_on;
use crate::{clock, connection, render, trust};

/// Makes every check that the options allow.
pub(crate) fn run(args: &DoctorArgs, face: Face) -> Answer {
    let now = clock::now();
    let mut findings = vec![clock(now)];
    findings.extend(args.trusted_root.as_deref().map(|path| match trust::trusted_root(path) {
        Ok(snapshot) => trust_root(&snapshot, now),
        Err(error) => Finding::fail("trust root", &error),
    }));
    let place = args.image.as_deref().map(connection::place).transpose()?;
    block_on(async {
        if let Some(place) = &place {
            let client = connection::client(&args.connection, std::slice::from_ref(place));
            findings.extend(registry(&client, place).await);
        }
        let failed = findings.iter().any(|finding| finding.health == Health::Fail);
        face.result(&DoctorDocument { schema: "signet.dev/doctor/v1", findings }, render::doctor)?;
        Ok(if failed { Status::No } else { Status::Yes })
    })
}

/// A clock that is behind this program's own making is wrong; one that is ahead cannot be told.
fn clock(now: i64) -> Finding {
    let text = time::format(now).unwrap_or_else(|_| now.to_string());
    match now < MADE_AFTER {
        true => Finding::new("clock", Health::Fail, format!("it is {text}, before this program was made"))
            .fix("set the clock: certificates and timestamps are judged by it"),
        false => Finding::new("clock", Health::Pass, format!("it is {text}")),
    }
}

/// What would be shown to the registry, as the credentials files and helpers have it.
async fn credentials(client: &Client, reference: &Reference) -> Finding {
    let registry = &reference.repository.registry;
    let found = Keychain::from_environment().credentials(&reference.repository, client.limits()).await;
    match found {
        Ok(Credentials::Anonymous) => Finding::new(
            "credentials",
            Health::Pass,
            format!("none for {registry}, which is asked anonymously"),
        )
        .fix("if it wants some, log in with `docker login`, `podman login` or `oras login`"),
        Ok(Credentials::Basic { username, .. }) => {
            Finding::new("credentials", Health::Pass, format!("`{username}` for {registry}"))
        }
        Ok(_) => Finding::new("credentials", Health::Pass, format!("a token for {registry}")),
        Err(error) => Finding::fail("credentials", &error.into()),
    }
}

/// Whether there is an authority and a log that is trusted now.
fn trust_root(snapshot: &TrustSnapshot, now: i64) -> Finding {
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

async fn registry(client: &Client, place: &Location) -> Vec<Finding> {
    let Location::Registry(reference) = place else {
        return vec![Finding::new("registry", Health::Pass, format!("`{place}` is not in a registry"))];
    };
    let credentials = credentials(client, reference).await;
    let image = match client.resolve(reference).await {
        Ok(image) => image,
        Err(error) => return vec![credentials, Finding::fail("registry", &error.into())],
    };
    let reachable = Finding::new("registry", Health::Pass, format!("{reference} is {}", image.digest()));
    vec![credentials, reachable, referrers(client, reference, &image.digest()).await]
}

async fn referrers(client: &Client, reference: &Reference, digest: &signet_crypto::Digest) -> Finding {
    match client.referrers(&reference.repository, digest).await {
        Ok(listed) if listed.via == ReferrersVia::Tag => Finding::new(
            "referrers",
            Health::Warn,
            "the registry has no referrers API: signatures are listed under a tag".to_owned(),
        )
        .fix("do not sign the same image from two places at once, or use a registry of OCI 1.1"),
        Ok(listed) => Finding::new(
            "referrers",
            Health::Pass,
            format!("the registry lists {} of them itself", listed.descriptors.len()),
        ),
        Err(error) => Finding::fail("referrers", &CliError::from(error)),
    }
}

/// 2026-11-01: no clock was behind it when this program was made.
const MADE_AFTER: i64 = 1_793_491_200;
