//! How a command asks the running log in a directory to rotate or to freeze: by a file in it, answered by another. Whoever can
//! write in the directory owns the log anyway.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::{HomeError, Log, OpenError, RotateError, Shards};

/// What is asked of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// To go on in a new shard.
    Rotate(Rotation),
    /// To take no more entries, for good.
    Freeze,
}

/// The new shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rotation {
    /// Its name; unset, one is made up.
    pub origin: Option<String>,
    /// Only make it, and do not use it yet.
    #[serde(default)]
    pub prepare: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The new shard takes entries, or is prepared.
    Shard {
        /// Its name.
        origin: String,
        /// Its keys, Ed25519 first.
        keys: Vec<String>,
    },
    /// The log takes no more entries.
    Frozen {
        /// How many it has.
        size: u64,
    },
    /// Nothing has changed, in words.
    Refused(String),
}

impl Answer {
    /// That this is the new shard.
    pub fn shard(log: &Log) -> Self {
        let signer = log.signer();
        let keys = signer.keys().map(ToString::to_string).collect();
        Self::Shard { origin: signer.origin().to_owned(), keys }
    }
}

impl Shards {
    /// Does what is asked. Calls `then` with a new shard that takes entries.
    pub async fn answer(&self, request: Request, then: impl Fn(&Log)) -> Answer {
        let done = match request {
            Request::Freeze => self.freeze().await,
            Request::Rotate(Rotation { origin, prepare: true }) => {
                self.prepare(origin).await.map(|log| Answer::shard(&log))
            }
            Request::Rotate(Rotation { origin, prepare: false }) => {
                self.rotate(origin).await.inspect(then).map(|log| Answer::shard(&log))
            }
        };
        done.unwrap_or_else(|error| Answer::Refused(error.to_string()))
    }

    /// Answers the requests in the directory, until it is dropped. Calls `then` with each new shard that takes entries.
    pub async fn answer_requests(&self, then: impl Fn(&Log)) {
        let root = self.book.root();
        loop {
            sleep(LOOK_EVERY).await;
            let Ok(request) = fs::read(root.join(REQUEST)) else { continue };
            let answer = match serde_json::from_slice::<Request>(&request) {
                Ok(request) => self.answer(request, &then).await,
                Err(error) => Answer::Refused(error.to_string()),
            };
            if let Err(error) = reply(root, &answer) {
                tracing::error!(%error, "the request could not be answered");
            }
        }
    }

    /// Lets the log take no more entries. Nothing more is signed for it.
    async fn freeze(&self) -> Result<Answer, RotateError> {
        let none = || HomeError::Open(OpenError::Damaged("no shard takes entries".to_owned()));
        let log = self.active().ok_or_else(none)?;
        log.freeze().await.map_err(|error| HomeError::Open(error.into()))?;
        Ok(Answer::Frozen { size: log.durable() })
    }
}

/// Gives up what was asked before the start: nobody waits for it any more.
pub(super) fn give_up(root: &Path) -> io::Result<()> {
    remove(&root.join(REQUEST))
}

/// Asks the log that runs in `root`, and waits for its answer; an error of kind `TimedOut` if nobody answers.
pub async fn request(root: &Path, request: &Request) -> io::Result<Answer> {
    remove(&root.join(ANSWER))?;
    whole(root, REQUEST, &serde_json::to_vec(request).map_err(io::Error::other)?)?;
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

fn reply(root: &Path, answer: &Answer) -> io::Result<()> {
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

const REQUEST: &str = "log.request";
const ANSWER: &str = "log.answer";
const LOOK_EVERY: Duration = Duration::from_millis(200);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
