//! A log that goes on in another when it is large enough: shards, each a log with a name and keys of its own, one of which
//! takes entries.
//!
//! A [`Book`] says which shards there are. That it says that the next one takes entries is the moment of a rotation. Earlier
//! shards are frozen, at the latest at the next start; a later one is prepared only. An [`Opener`] says what they are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use signet_store::fs::Disk;

use super::numbered::Numbered;
use super::requests;
use super::{Config, HomeError, HomeOptions, Log, OpenError, Witnesses, origin_of};

/// Which shards there are, where, and which of them takes entries. Its functions read and write the disk.
#[async_trait]
pub trait Book: Send + Sync {
    /// The directory in which somebody asks for a rotation.
    fn root(&self) -> &Path;

    /// All shards, the oldest first; the last takes entries.
    fn shards(&self) -> Result<Vec<Place>, OpenError>;

    /// The one that is to come: the same until it takes entries. The name is for one that has none yet.
    fn next(&self, origin: Option<String>) -> Result<Place, OpenError>;

    /// From now on the next one takes entries: durable when it returns.
    fn turn(&self) -> io::Result<()>;

    /// The next one is there, and nobody can use it yet: whoever has to know its key is told now. An error in words.
    async fn introduce(&self, _next: &Log) -> Result<(), String> {
        Ok(())
    }

    /// The last act before the next one takes entries. An error in words.
    async fn begin(&self, _next: &Log) -> Result<(), String> {
        Ok(())
    }
}

/// Where a shard is.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its data directory.
    pub data: PathBuf,
    /// Its name; unset, it has one already, or one is made up.
    pub origin: Option<String>,
}

impl Place {
    /// The name of the shard that is there, or is to be; `None` if it has none yet.
    pub fn name(&self) -> Result<Option<String>, OpenError> {
        Ok(origin_of(&self.data)?.or(self.origin.clone()))
    }
}

/// The shards of the log in a data directory, the oldest first; the last takes entries.
pub fn places_of(data: &Path) -> Result<Vec<Place>, OpenError> {
    Numbered::new(Disk::default(), data.to_owned(), None).shards()
}

/// What shards are opened with, and so what they are.
#[async_trait]
pub trait Opener: Send + Sync {
    /// A shard. Clones are the same one.
    type Shard: AsRef<Log> + Clone + Send + Sync + 'static;

    /// The name of the first, where it has none yet.
    fn origin(&self) -> Option<String>;

    /// Opens one, or makes it; the name is for one that has none yet.
    async fn open(
        &self,
        disk: Disk,
        config: Config,
        origin: Option<String>,
    ) -> Result<Self::Shard, HomeError>;
}

#[async_trait]
impl Opener for HomeOptions {
    type Shard = Log;

    fn origin(&self) -> Option<String> {
        self.origin.clone()
    }

    async fn open(&self, disk: Disk, config: Config, origin: Option<String>) -> Result<Log, HomeError> {
        Log::open_home(disk, config, Self { origin, ..self.clone() }).await
    }
}

impl AsRef<Log> for Log {
    fn as_ref(&self) -> &Log {
        self
    }
}

/// The shards of one log.
pub struct Shards<O: Opener = HomeOptions> {
    pub(super) book: Arc<dyn Book>,
    disk: Disk,
    config: Config,
    pub(crate) opener: O,
    /// In order; the last takes entries.
    logs: RwLock<Vec<O::Shard>>,
    /// Held by who rotates.
    rotating: tokio::sync::Mutex<()>,
}

impl<O: Opener> Shards<O> {
    /// Opens those of the data directory: the first is the directory itself, the others are in `shards/<number>`. The opener's
    /// name is for the first; the others have the names that they were given.
    pub async fn open(disk: Disk, config: Config, opener: O) -> Result<Self, HomeError> {
        let data = std::path::absolute(&config.data).map_err(OpenError::Io)?;
        let book = Numbered::new(disk.clone(), data, opener.origin());
        Self::of(Arc::new(book), disk, config, opener).await
    }

    /// Opens all that a book has. Directories and names are the book's.
    pub async fn of(book: Arc<dyn Book>, disk: Disk, config: Config, opener: O) -> Result<Self, HomeError> {
        let (logs, rotating) = (RwLock::default(), tokio::sync::Mutex::default());
        let shards = Self { book, disk, config, opener, logs, rotating };
        let places = shards.read(|book| book.shards()).await?;
        shards.refuse_another(&places)?;
        let opened = shards.open_all(places).await;
        // What is asked from now on is answered, also if the answering begins later.
        let opened = match opened {
            Ok(()) => shards.read(|book| requests::give_up(book.root()).map_err(OpenError::Io)).await,
            error => error,
        };
        if opened.is_err() {
            shards.close().await;
        }
        opened.map(|()| shards)
    }

    /// The one that takes entries.
    pub fn active(&self) -> Option<O::Shard> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> Vec<O::Shard> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the next shard, without using it: clients can be given its key before its first entry.
    pub async fn prepare(&self, origin: Option<String>) -> Result<O::Shard, RotateError> {
        let _alone = self.rotating.lock().await;
        let next = self.open_next(origin).await?;
        let introduced = self.book.introduce(next.as_ref()).await;
        next.as_ref().close().await;
        introduced.map_err(RotateError::Refused).map(|()| next)
    }

    /// Lets a new shard take the entries, the prepared one if there is one, and freezes the one that did. Without a name one
    /// is made from its key.
    ///
    /// With a witness policy, its witnesses have to cosign the new shard first: until they know its key nothing
    /// changes, and another call goes on with the same shard.
    pub async fn rotate(&self, origin: Option<String>) -> Result<O::Shard, RotateError> {
        let _alone = self.rotating.lock().await;
        let next = self.open_next(origin).await?;
        if let Err(error) = self.turn_to(next.as_ref()).await {
            next.as_ref().close().await;
            return Err(error);
        }
        let last = self.active();
        self.logs.write().unwrap_or_else(PoisonError::into_inner).push(next.clone());
        // Whoever has just asked which shard takes entries may add one to it yet.
        tokio::time::sleep(GRACE).await;
        if let Some(last) = last
            && let Err(error) = last.as_ref().freeze().await
        {
            // It takes nothing any more all the same, and the next start freezes all but the newest.
            tracing::error!(%error, "that the shard before is frozen could not be written");
        }
        Ok(next)
    }

    /// Ends the writing of all.
    pub async fn close(&self) {
        for log in self.all() {
            log.as_ref().close().await;
        }
    }

    async fn open_next(&self, origin: Option<String>) -> Result<O::Shard, RotateError> {
        let taken = |log: &O::Shard| origin.as_deref() == Some(log.as_ref().signer().origin());
        if self.all().iter().any(taken) {
            return Err(RotateError::SameName);
        }
        let place = self.read(move |book| book.next(origin)).await?;
        Ok(self.open_at(place).await?)
    }

    async fn turn_to(&self, next: &Log) -> Result<(), RotateError> {
        self.book.introduce(next).await.map_err(RotateError::Refused)?;
        next.ask_witnesses().await.map_err(|why| RotateError::Unwitnessed {
            why,
            keys: next.signer().keys().map(ToString::to_string).collect(),
        })?;
        self.book.begin(next).await.map_err(RotateError::Refused)?;
        Ok(self.read(|book| book.turn().map_err(OpenError::Io)).await?)
    }

    /// Refuses a log that is not the one of which somebody kept a checkpoint.
    fn refuse_another(&self, places: &[Place]) -> Result<(), OpenError> {
        let Some(floor) = &self.config.floor else { return Ok(()) };
        let names: Vec<String> =
            places.iter().filter_map(|place| place.name().transpose()).collect::<Result<_, _>>()?;
        match names.contains(&floor.origin) {
            true => Ok(()),
            false => Err(OpenError::WrongOrigin { found: names.join(", "), wanted: floor.origin.clone() }),
        }
    }

    async fn open_all(&self, places: Vec<Place>) -> Result<(), HomeError> {
        let last = places.len().saturating_sub(1);
        for (number, place) in places.into_iter().enumerate() {
            let log = self.open_at(place).await?;
            self.logs.write().unwrap_or_else(PoisonError::into_inner).push(log.clone());
            if number < last && !log.as_ref().is_frozen() {
                log.as_ref().freeze().await.map_err(OpenError::Io)?;
            }
        }
        Ok(())
    }

    /// Opens the log at this place. What witnesses know is of one log, and so is the floor.
    async fn open_at(&self, place: Place) -> Result<O::Shard, HomeError> {
        let name = place.name()?;
        let floor = self.config.floor.clone().filter(|floor| name.as_ref() == Some(&floor.origin));
        let Place { data, origin } = place;
        let witnesses = self.config.witnesses.as_ref().map(|witnesses| Arc::new(Witnesses::again(witnesses)));
        // What comes after a shard takes what that takes, also where nobody says it.
        let kind = self.config.kind.or_else(|| self.active().and_then(|active| active.as_ref().kind()));
        let config = Config { data, floor, kind, witnesses, ..self.config.clone() };
        self.opener.open(self.disk.clone(), config, origin).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Book) -> Result<T, OpenError> + Send + 'static,
    ) -> Result<T, HomeError> {
        let book = Arc::clone(&self.book);
        let done = tokio::task::spawn_blocking(move || work(book.as_ref())).await;
        Ok(done.map_err(|error| OpenError::Io(io::Error::other(error)))??)
    }
}

/// Why a log was not rotated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotateError {
    /// The log takes no more entries, but not for good.
    #[error("that the log is frozen could not be written, so that its next start takes entries again: {0}")]
    Freeze(io::Error),
    /// The new shard could not be opened.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Somebody who has to know of the new shard does not.
    #[error("the new shard cannot be used: {0}")]
    Refused(String),
    /// Each shard has a name of its own.
    #[error("a shard has this name already")]
    SameName,
    /// The witnesses do not cosign the new shard.
    #[error("the witnesses do not cosign the new shard yet; give them its key {}: {why}", keys.join(" "))]
    Unwitnessed {
        /// What they said.
        why: String,
        /// The new shard's keys.
        keys: Vec<String>,
    },
}

const GRACE: Duration = Duration::from_millis(100);
