//! How a command asks the running log in a directory to rotate or to freeze: by a file in it, answered by another. Whoever can
//! write in the directory owns the log anyway.
//!
//! Each request has a name of its own: `<name>.request` becomes `<name>.begun` when the log takes it up, and `<name>.answer` is what
//! came of it. Who asks takes back what was not begun, and waits long for what was. Where neither is there any more and no answer,
//! none comes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use signet_store::is_locked;
use tokio::time::sleep;
use uuid::Uuid;

use super::{HomeError, Log, OpenError, Opener, RotateError, Shards};

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
        /// How many it has, and will ever have.
        size: u64,
        /// How many of them are published: fewer, while its witnesses are no quorum.
        published: u64,
    },
    /// It was not done, in words.
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

impl<O: Opener> Shards<O> {
    /// Does what is asked. Calls `then` with a new shard that takes entries.
    pub async fn answer(&self, request: Request, then: impl Fn(&O::Shard)) -> Answer {
        let done = match request {
            Request::Freeze => self.freeze().await,
            Request::Rotate(Rotation { origin, prepare: true }) => {
                self.prepare(origin).await.map(|log| Answer::shard(log.as_ref()))
            }
            Request::Rotate(Rotation { origin, prepare: false }) => {
                self.rotate(origin).await.inspect(then).map(|log| Answer::shard(log.as_ref()))
            }
        };
        done.unwrap_or_else(|error| Answer::Refused(error.to_string()))
    }

    /// Answers the requests in the directory, one after the other, until it is dropped. Calls `then` with each new shard that
    /// takes entries.
    pub async fn answer_requests(&self, then: impl Fn(&O::Shard)) {
        let root = self.book.root();
        loop {
            sleep(LOOK_EVERY).await;
            let Some(asked) = oldest(root) else { continue };
            if let Err(error) = self.carry_out(&asked, &then).await {
                tracing::error!(%error, "the request could not be answered");
            }
        }
    }

    async fn carry_out(&self, asked: &Asked, then: impl Fn(&O::Shard)) -> io::Result<()> {
        // Who asked may just have taken it back.
        if fs::rename(asked.file(REQUEST), asked.file(BEGUN)).is_err() {
            return Ok(());
        }
        let read = fs::read(asked.file(BEGUN)).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
        let answer = match read {
            Ok(request) => self.answer(request, then).await,
            Err(error) => Answer::Refused(error.to_string()),
        };
        let told = asked.put(ANSWER, &answer);
        remove(&asked.file(BEGUN))?;
        told
    }

    /// Lets the log take no more entries. Nothing more is signed for it.
    async fn freeze(&self) -> Result<Answer, RotateError> {
        let none = || HomeError::Open(OpenError::Damaged("no shard takes entries".to_owned()));
        let active = self.active().ok_or_else(none)?;
        let log = active.as_ref();
        log.freeze().await.map_err(RotateError::Freeze)?;
        Ok(Answer::Frozen { size: log.durable(), published: log.head().checkpoint.size })
    }
}

/// Asks the log that looks for requests in `root`, and waits for its answer; an error of kind `TimedOut` if nobody answers in time,
/// and of another at once if no process has the directory `data` for itself any more.
pub async fn request(root: &Path, data: &Path, request: &Request) -> io::Result<Answer> {
    let asked = Asked { root: root.to_owned(), name: Uuid::new_v4() };
    asked.put(REQUEST, request)?;
    if let Some(answer) = asked.wait(data, BEGUN_WITHIN).await? {
        return Ok(answer);
    }
    if remove(&asked.file(REQUEST))? {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "the running log does not answer"));
    }
    let unfinished = "the running log has begun, and is not done yet: its witnesses may be slow";
    asked.wait(data, DONE_WITHIN).await?.ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, unfinished))
}

/// A request, by its name.
struct Asked {
    root: PathBuf,
    name: Uuid,
}

impl Asked {
    fn file(&self, extension: &str) -> PathBuf {
        self.root.join(format!("{}.{extension}", self.name))
    }

    /// Nobody sees half of it. That it lasts is not needed.
    fn put(&self, extension: &str, content: &impl Serialize) -> io::Result<()> {
        let (unfinished, content) = (self.file(UNFINISHED), serde_json::to_vec(content)?);
        let put =
            fs::write(&unfinished, content).and_then(|()| fs::rename(&unfinished, self.file(extension)));
        put.inspect_err(|_| drop(fs::remove_file(&unfinished)))
    }

    async fn wait(&self, data: &Path, within: Duration) -> io::Result<Option<Answer>> {
        for turn in 1..=within.as_millis() / LOOK_EVERY.as_millis() {
            sleep(LOOK_EVERY).await;
            // Seldom: who looks has the lock for a moment if nobody else has.
            let has_ended = turn % TURNS_TO_LOCK == 0 && !is_locked(data);
            // Looked at before the answer: that is there before they go.
            let is_open = self.file(REQUEST).exists() || self.file(BEGUN).exists();
            match fs::read(self.file(ANSWER)) {
                Ok(answer) => {
                    // What is left there goes at the next start.
                    let _ = remove(&self.file(ANSWER));
                    return Ok(Some(serde_json::from_slice(&answer)?));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && has_ended => {
                    return Err(io::Error::other("the log has ended before it answered"));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound && is_open => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(io::Error::other(
                        "the running log has given no answer: it has no room for one, or was started again",
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// The request that waits longest.
fn oldest(root: &Path) -> Option<Asked> {
    let waiting = fs::read_dir(root).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = named(&entry.path()).filter(|(_, extension)| extension == REQUEST)?.0;
        let asked_at = entry.metadata().and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        Some((asked_at, name))
    });
    waiting.min().map(|(_, name)| Asked { root: root.to_owned(), name })
}

/// Gives up what was asked before the start: nobody waits for it any more.
pub(super) fn give_up(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if is_request(&path) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Whether a file is part of a request, and so nothing that the log keeps.
pub fn is_request(path: &Path) -> bool {
    named(path)
        .is_some_and(|(_, extension)| [REQUEST, BEGUN, ANSWER, UNFINISHED].contains(&extension.as_str()))
}

fn named(path: &Path) -> Option<(Uuid, String)> {
    let (name, extension) = path.file_name()?.to_str()?.split_once('.')?;
    Some((name.parse().ok()?, extension.to_owned()))
}

/// Whether it was there.
fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

const REQUEST: &str = "request";
const BEGUN: &str = "begun";
const ANSWER: &str = "answer";
const UNFINISHED: &str = "unfinished";
const LOOK_EVERY: Duration = Duration::from_millis(200);
const TURNS_TO_LOCK: u128 = 10;
const BEGUN_WITHIN: Duration = Duration::from_secs(30);
/// All witnesses, twice, and what waited.
const DONE_WITHIN: Duration = Duration::from_secs(300);
