//! CircleCI: a command that is there in every job.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::{Ambient, Surroundings};
use crate::oidc::Token;
use crate::web::Web;
use crate::{Error, Result};

/// Runs `circleci run oidc get`, bounded in time and output.
pub(super) async fn token(web: &Web, here: &Surroundings, audience: &str) -> Result<Token> {
    let failed = |reason: String| Error::no_token(Ambient::CircleCi.name(), reason);
    let program =
        program(here).ok_or_else(|| failed("the command `circleci` is not on the PATH".to_owned()))?;
    let claims = serde_json::json!({ "aud": audience }).to_string();
    let mut child = Command::new(program)
        .args(["run", "oidc", "get", "--claims", &claims])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let stdout = child.stdout.take();
    let work = async {
        let mut text = String::new();
        if let Some(stdout) = stdout {
            stdout.take(super::MAX_TOKEN).read_to_string(&mut text).await?;
        }
        Ok::<_, std::io::Error>((text, child.wait().await?))
    };
    let ended = tokio::time::timeout(web.limits().helper, work).await;
    let (text, status) = ended
        .map_err(|_| failed("`circleci` gave no answer in time".to_owned()))?
        .map_err(|error| failed(error.to_string()))?;
    match status.success() {
        true => Token::read("CircleCI", &text),
        false => Err(failed(format!("`circleci` ended with {status}"))),
    }
}

/// The command, where the job's own PATH has it.
fn program(here: &Surroundings) -> Option<PathBuf> {
    let path = here.variable("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("circleci")).find(|program| program.is_file())
}
