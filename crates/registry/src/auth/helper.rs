//! Credential helper programs: `docker-credential-<name> get`, server on stdin, JSON on stdout.

use std::path::Path;

use serde::Deserialize;
use signet_http::printable;
use signet_platform::Answered;

use super::keychain::Credentials;
use crate::{Error, Limits, Result};

/// Asks the helper `name` for the credentials of `server`; none if it says that it has none.
///
/// `directory` replaces the search along `PATH`.
pub(super) async fn ask(
    name: &str,
    directory: Option<&Path>,
    server: &str,
    limits: &Limits,
) -> Result<Option<Credentials>> {
    let failed =
        |reason: &str| Error::CredentialHelper { helper: name.to_owned(), reason: reason.to_owned() };
    if !is_name(name) {
        return Err(failed("the name is not made of letters, digits, `.`, `_` and `-`"));
    }
    let program = signet_platform::program(&format!("docker-credential-{name}"));
    let program = directory.map_or_else(|| program.clone().into(), |directory| directory.join(&program));
    let asked = signet_platform::ask(&program, ["get"], server.as_bytes(), limits.small_bytes);
    let Answered { success, output, complaint } = match tokio::time::timeout(limits.helper, asked).await {
        Ok(outcome) => outcome.map_err(|error| failed(&error.to_string()))?,
        Err(_) => return Err(failed("no answer in time")),
    };
    if output.len() > limits.small_bytes {
        return Err(failed("the answer is too long"));
    }
    match success {
        true => parse(&output).map(Some).ok_or_else(|| failed("the answer is malformed")),
        false if is_miss(&output) => Ok(None),
        false => match [&*output, &*complaint].into_iter().find_map(words) {
            Some(said) => Err(failed(&format!("it failed: {said}"))),
            None => Err(failed("it failed and said nothing")),
        },
    }
}

/// Why a helper failed, in the first line that says something. What may be an answer is not shown: a secret is in it.
fn words(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    (!text.contains('{')).then(|| printable(line))
}

/// `<token>` as the user name marks an identity token (docker-credential-helpers).
fn parse(output: &[u8]) -> Option<Credentials> {
    let answer: Answer = serde_json::from_slice(output).ok()?;
    Some(match answer.username == "<token>" {
        true => Credentials::IdentityToken(answer.secret),
        false => Credentials::Basic { username: answer.username, password: answer.secret },
    })
}

fn is_miss(output: &[u8]) -> bool {
    String::from_utf8_lossy(output).contains("credentials not found")
}

fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    first && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_that_are_paths_are_not_run() {
        for name in ["../evil", "a/b", "", "-x", ".x", "a b", "a;b"] {
            let outcome = ask(name, None, "r", &Limits::default()).await;
            assert!(matches!(outcome, Err(Error::CredentialHelper { .. })), "{name}");
        }
    }

    #[cfg(unix)]
    async fn play(part: &str, limits: Limits) -> Result<Option<Credentials>> {
        let helpers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helpers");
        ask("play", Some(&helpers), part, &limits).await
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn answers_are_read() {
        let want = Credentials::Basic { username: "u".into(), password: "basic get".into() };
        assert_eq!(play("basic", Limits::default()).await, Ok(Some(want)));
        let want = Credentials::IdentityToken("s".into());
        assert_eq!(play("token", Limits::default()).await, Ok(Some(want)));
        assert_eq!(play("miss", Limits::default()).await, Ok(None));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_helper_is_bounded_in_time_and_output() {
        let limits = Limits { helper: std::time::Duration::from_millis(100), ..Limits::default() };
        let reason = |outcome| match outcome {
            Err(Error::CredentialHelper { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(play("slow", limits).await), "no answer in time");
        assert_eq!(reason(play("endless", Limits::default()).await), "the answer is too long");
    }

    /// gcloud and others fail with their reason on standard error: that was taken for having no credentials.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_helper_that_fails_is_no_helper_without_credentials() {
        for (part, wanted) in [
            ("failing", "it failed: oops"),
            ("locked", "it failed: ERROR: the key is locked"),
            ("silent", "it failed and said nothing"),
            ("secret", "it failed and said nothing"),
        ] {
            match play(part, Limits::default()).await {
                Err(Error::CredentialHelper { reason, .. }) => assert_eq!(reason, wanted, "{part}"),
                other => panic!("{part}: {other:?}"),
            }
        }
    }
}
