//! How a command asks the running log in a directory to rotate: by a file in it, answered by another. Whoever can write in
//! the directory owns the log anyway.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{Log, Shards};

/// What became of a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rotated {
    /// The new shard takes entries.
    Done {
        /// Its name.
        origin: String,
        /// Its keys, Ed25519 first.
        keys: Vec<String>,
    },
    /// Nothing has changed, in words.
    Refused(String),
}

impl Rotated {
    /// The new shard.
    pub fn to(log: &Log) -> Self {
        let signer = log.signer();
        let keys = signer.keys().map(ToString::to_string).collect();
        Self::Done { origin: signer.origin().to_owned(), keys }
    }
}

impl Shards {
    /// Answers the requests in the directory, until it is dropped. Calls `then` with each new shard.
    pub async fn answer_requests(&self, then: impl Fn(&Log)) {
        let root = &self.config.data;
        // One from before the start was given up.
        let _ = fs::remove_file(root.join(REQUEST));
        loop {
            sleep(LOOK_EVERY).await;
            let Ok(request) = fs::read(root.join(REQUEST)) else { continue };
            let answer = match serde_json::from_slice::<Request>(&request) {
                Ok(request) => match self.rotate(request.origin).await {
                    Ok(log) => {
                        then(&log);
                        Rotated::to(&log)
                    }
                    Err(error) => Rotated::Refused(error.to_string()),
                },
                Err(error) => Rotated::Refused(error.to_string()),
            };
            if let Err(error) = reply(root, &answer) {
                tracing::error!(%error, "the rotation could not be answered");
            }
        }
    }
}

/// Asks the log that runs in `root` to rotate, and waits for its answer; an error of kind `TimedOut` if nobody answers.
pub async fn request_rotation(root: &Path, origin: Option<String>) -> io::Result<Rotated> {
    remove(&root.join(ANSWER))?;
    let request = serde_json::to_vec(&Request { origin }).map_err(io::Error::other)?;
    whole(root, REQUEST, &request)?;
    for _ in 0..ANSWER_WITHIN.as_millis() / LOOK_EVERY.as_millis() {
        sleep(LOOK_EVERY).await;
        match fs::read(root.join(ANSWER)) {
            Ok(answer) => return serde_json::from_slice(&answer).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    remove(&root.join(REQUEST))?;
    Err(io::Error::new(io::ErrorKind::TimedOut, "the running log does not answer"))
}

#[derive(Serialize, Deserialize)]
struct Request {
    origin: Option<String>,
}

fn reply(root: &Path, answer: &Rotated) -> io::Result<()> {
    // First, so that it is not carried out again.
    remove(&root.join(REQUEST))?;
    whole(root, ANSWER, &serde_json::to_vec(answer).map_err(io::Error::other)?)
}

/// Nobody sees half of it. That it lasts is not needed.
fn whole(root: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let unfinished = root.join("tmp").join(name);
    fs::write(&unfinished, content)?;
    fs::rename(unfinished, root.join(name))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

const REQUEST: &str = "rotate.request";
const ANSWER: &str = "rotate.answer";
const LOOK_EVERY: Duration = Duration::from_millis(200);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
