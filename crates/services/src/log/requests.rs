//! How a command asks the running log in a directory to rotate: by a file in it, answered by another. Whoever can write in
//! the directory owns the log anyway.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{Log, RotateError, Shards};

/// What is asked of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rotation {
    /// The new shard's name; unset, one is made up.
    pub origin: Option<String>,
    /// Only make the new shard, and do not use it yet.
    #[serde(default)]
    pub prepare: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rotated {
    /// The new shard takes entries, or is prepared.
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
    /// Does what is asked.
    pub async fn answer(&self, rotation: Rotation) -> Result<Log, RotateError> {
        match rotation.prepare {
            true => self.prepare(rotation.origin).await,
            false => self.rotate(rotation.origin).await,
        }
    }

    /// Answers the requests in the directory, until it is dropped. Calls `then` with each new shard that takes entries.
    pub async fn answer_requests(&self, then: impl Fn(&Log)) {
        let root = self.book.root();
        // One from before the start was given up.
        let _ = fs::remove_file(root.join(REQUEST));
        loop {
            sleep(LOOK_EVERY).await;
            let Ok(request) = fs::read(root.join(REQUEST)) else { continue };
            let answer = match serde_json::from_slice::<Rotation>(&request) {
                Ok(rotation) => self.answer_one(rotation, &then).await,
                Err(error) => Rotated::Refused(error.to_string()),
            };
            if let Err(error) = reply(root, &answer) {
                tracing::error!(%error, "the rotation could not be answered");
            }
        }
    }

    async fn answer_one(&self, rotation: Rotation, then: &impl Fn(&Log)) -> Rotated {
        let is_used = !rotation.prepare;
        match self.answer(rotation).await {
            Ok(log) => {
                if is_used {
                    then(&log);
                }
                Rotated::to(&log)
            }
            Err(error) => Rotated::Refused(error.to_string()),
        }
    }
}

/// Asks the log that runs in `root` to rotate, and waits for its answer; an error of kind `TimedOut` if nobody answers.
pub async fn request_rotation(root: &Path, rotation: &Rotation) -> io::Result<Rotated> {
    remove(&root.join(ANSWER))?;
    whole(root, REQUEST, &serde_json::to_vec(rotation).map_err(io::Error::other)?)?;
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

fn reply(root: &Path, answer: &Rotated) -> io::Result<()> {
    // First, so that it is not carried out again.
    remove(&root.join(REQUEST))?;
    whole(root, ANSWER, &serde_json::to_vec(answer).map_err(io::Error::other)?)
}

/// Nobody sees half of it. That it lasts is not needed.
fn whole(root: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let unfinished = root.join(format!("{name}.unfinished"));
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
