//! What the doctor asks a registry, and whom it would be to it.

use std::time::UNIX_EPOCH;

use signet_formats::oci::Reference;
use signet_registry::{Client, Credentials, Found, Keychain, ReferrersVia, Resolved};

use super::{SET_CLOCK, moment};
use crate::document::{Finding, Health};
use crate::error::CliError;

/// Credentials, access to the image, the registry's clock and what it can do.
pub(super) async fn findings(client: &Client, reference: &Reference, now: i64) -> Vec<Finding> {
    let credentials = credentials(client, reference).await;
    let image = match client.resolve(reference).await {
        Ok(image) => image,
        Err(error) => return vec![credentials, Finding::fail("registry", &error.into())],
    };
    let reachable = Finding::new("registry", Health::Pass, format!("{reference} is {}", image.digest()));
    vec![
        credentials,
        reachable,
        clock(client, reference, now).await,
        referrers(client, reference, &image).await,
        guarded_writes(&image),
    ]
}

/// What would be shown to the registry, and where that was found.
async fn credentials(client: &Client, reference: &Reference) -> Finding {
    let registry = &reference.repository.registry;
    let Found { credentials, origin } =
        match Keychain::from_environment().find(&reference.repository, client.limits()).await {
            Ok(found) => found,
            Err(error) => return Finding::fail("credentials", &error.into()),
        };
    let from = origin.map(|origin| format!(", from {origin}")).unwrap_or_default();
    let what = match credentials {
        Credentials::Anonymous => {
            let detail = format!("none for {registry}, which is asked anonymously");
            return Finding::new("credentials", Health::Pass, detail)
                .fix("if it wants some, log in with `docker login`, `podman login` or `oras login`");
        }
        Credentials::Basic { username, .. } => format!("`{username}` for {registry}"),
        Credentials::IdentityToken(_) => format!("an identity token for {registry}"),
        Credentials::RegistryToken(_) => format!("a bearer token for {registry}"),
    };
    Finding::new("credentials", Health::Pass, format!("{what}{from}"))
}

/// Two clocks that differ: one of them is wrong, and ours is the one that judges.
async fn clock(client: &Client, reference: &Reference, now: i64) -> Finding {
    let date = match client.date(&reference.repository).await {
        Ok(date) => date,
        Err(error) => return Finding::fail("registry clock", &error.into()),
    };
    let stated = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
    let stated = stated.and_then(|since| i64::try_from(since.as_secs()).ok());
    match stated {
        None => Finding::new("registry clock", Health::Pass, "it does not tell its time".to_owned()),
        Some(stated) => skew(now, stated),
    }
}

fn skew(now: i64, stated: i64) -> Finding {
    let apart = now.saturating_sub(stated);
    if apart.unsigned_abs() <= SKEW_SECONDS {
        let detail = format!("within {SKEW_SECONDS} seconds of this machine's");
        return Finding::new("registry clock", Health::Pass, detail);
    }
    let side = if apart > 0 { "ahead of" } else { "behind" };
    let detail = format!(
        "this machine's clock is {} seconds {side} the registry's, which says {}",
        apart.unsigned_abs(),
        moment(stated)
    );
    Finding::new("registry clock", Health::Warn, detail).fix(SET_CLOCK)
}

async fn referrers(client: &Client, reference: &Reference, image: &Resolved) -> Finding {
    match client.referrers(&reference.repository, &image.digest()).await {
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

/// Whether of two that change a tag at once neither is lost. That takes a registry that checks `If-Match`, and only
/// one that says so is known to: docker-registry sends an `ETag` and ignores what comes back.
fn guarded_writes(image: &Resolved) -> Finding {
    let found = |health, detail: &str| Finding::new("guarded writes", health, detail.to_owned());
    let fix = "do not change one tag from two places at once, as `sign --format cosign-legacy` does";
    match (image.checks_conditions, &image.etag) {
        (true, _) => {
            found(Health::Pass, "the registry says that it checks `If-Match` where a tag is changed")
        }
        (false, Some(_)) => {
            let detail = "manifests bear an `ETag`; whether `If-Match` is checked, only a write would show";
            found(Health::Warn, detail).fix(fix)
        }
        (false, None) => {
            let detail = "manifests bear no `ETag`: of two that change a tag at once, one may be lost";
            found(Health::Warn, detail).fix(fix)
        }
    }
}

/// `Date` has whole seconds, and the answer takes its time.
const SKEW_SECONDS: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    /// docker-registry 2.8 passed for its `ETag`, and loses changes all the same.
    #[test]
    fn an_etag_alone_does_not_make_writes_guarded() {
        let bytes = r#"{"schemaVersion":2,"manifests":[]}"#;
        let digest = signet_crypto::Digest::sha256(bytes.as_bytes());
        let resolved = Resolved::new("x", bytes.into(), None, digest).expect("an index");
        let etag = Some("\"tag\"".to_owned());
        for (etag, checks_conditions, health) in
            [(None, false, Health::Warn), (etag.clone(), false, Health::Warn), (etag, true, Health::Pass)]
        {
            let image = Resolved { etag, checks_conditions, ..resolved.clone() };
            assert_eq!(guarded_writes(&image).health, health);
        }
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        for (now, stated, health) in [
            (1_000_000, 1_000_060, Health::Pass),
            (1_000_000, 1_000_061, Health::Warn),
            (1_000_061, 1_000_000, Health::Warn),
            (i64::MIN, i64::MAX, Health::Warn),
        ] {
            assert_eq!(skew(now, stated).health, health, "{now} {stated}");
        }
        assert!(skew(1_000_100, 1_000_000).detail.contains("100 seconds ahead of"));
        assert!(skew(1_000_000, 1_000_100).detail.contains("100 seconds behind"));
    }
}
