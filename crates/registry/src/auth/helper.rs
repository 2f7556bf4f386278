//! Credential helper programs: `docker-credential-<name> get`, server on stdin, JSON on stdout.

use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

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
    let talk = tokio::time::timeout(limits.helper, run(&program, server, limits.small_bytes));
    let (success, output) = match talk.await {
        Ok(outcome) => outcome.map_err(|error| failed(&error.to_string()))?,
        Err(_) => return Err(failed("no answer in time")),
    };
    if output.len() > limits.small_bytes {
        return Err(failed("the answer is too long"));
    }
    match success {
        true => parse(&output).map(Some).ok_or_else(|| failed("the answer is malformed")),
        false if is_miss(&output) => Ok(None),
        false => Err(failed("it failed")),
    }
}

async fn run(program: &Path, server: &str, most: usize) -> std::io::Result<(bool, Vec<u8>)> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its input may still answer; its answer decides.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(most as u64 + 1).read_to_end(&mut output).await?;
    }
    if output.len() > most {
        return Ok((false, output));
    }
    Ok((child.wait().await?.success(), output))
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
    let text = String::from_utf8_lossy(output);
    text.contains("credentials not found") || text.trim().is_empty()
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
        assert_eq!(reason(play("failing", Limits::default()).await), "it failed");
    }
}
