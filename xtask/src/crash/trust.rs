//! The publisher of trust: whenever it ends, whoever follows its repository, also at that moment, is led to a state that was
//! published whole, and never to an older one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use signet_formats::tuf::Role;
use signet_services::clock::{Clock, SystemClock};
use signet_services::trust::{Fetch, FetchError, Home, Periods, Pin, Publisher, TRUSTED_ROOT};
use signet_store::fs::Disk;

use super::play::{Killer, Role as Played, aborts, tell, whole};

/// The hidden task.
pub(super) const COMMAND: &str = "play-trust";

/// Kills the publisher so often; what was seen.
pub(super) async fn kills(dir: &Path, kills: u32, seed: u64) -> Result<String, String> {
    let dir = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
    let (data, home) = (dir.path().join("data"), dir.path().join("home"));
    let mut killer = Killer::new(COMMAND, seed, LONGEST_LIFE_MICROS);
    let (mut newest, mut looks) = (Seen::default(), 0);
    for life in 0..kills {
        let why = |why| format!("kill {life}: {why}");
        // Somebody follows it while it lives, too.
        let (alive, follower) = (Arc::new(AtomicBool::new(true)), Follower::new(&data, &home)?);
        let following = tokio::spawn(follower.follow_while(Arc::clone(&alive), newest));
        let lines = killer.life(&data, life).await.map_err(why);
        alive.store(false, Ordering::Release);
        let followed = following.await.map_err(|error| error.to_string())?.map_err(why)?;
        (newest, looks) = (followed.0, looks + followed.1);
        let told = newest_of(&lines?)?;
        newest = Follower::new(&data, &home)?.look(newest.max(told)).await.map_err(why)?;
    }
    Ok(format!("{kills} kills: {looks} looks while it lived, the last at {newest:?}"))
}

/// The process aborts at each step on the disk, and starts again on what is left.
pub(super) async fn steps(dir: &Path) -> Result<String, String> {
    let aborts = aborts(dir, COMMAND, async |data, lines| {
        let home = data.with_file_name("home");
        let seen = Follower::new(data, &home)?.look(newest_of(&lines)?).await?;
        let told = newest_of(&whole(COMMAND, data, 1)?)?;
        let after = Follower::new(data, &home)?.look(seen.max(told)).await?;
        match after > seen {
            true => Ok(()),
            false => Err(format!("it does not go on: {after:?}")),
        }
    });
    Ok(format!("every step: {} aborts", aborts.await?))
}

/// The publisher, in the process that is killed.
pub(super) async fn play(args: &[&str]) -> Result<(), String> {
    let role = Played::parse(args)?;
    let publisher = publisher(role.data)?.on(role.disk.clone());
    let failed = |error| format!("nothing was published: {error}");
    let started = SystemClock::start();
    publisher.own_root(&[]).await.map_err(failed)?;
    let each = if role.ends { 3 } else { u64::MAX };
    for _ in 0..each {
        // Each is another target than all before, also of earlier lives.
        let content = format!("{:?} {}", started.read().wall, role.life);
        let published =
            publisher.keep(&[(TRUSTED_ROOT.to_owned(), content.into_bytes())]).await.map_err(failed)?;
        let versions = published.roles.iter().filter(|(role, _, _)| *role == Role::Timestamp);
        versions.for_each(|(_, version, _)| tell(&version.to_string()));
    }
    Ok(())
}

/// The version of the timestamp that somebody has seen; 0 for none.
type Seen = u64;

fn newest_of(lines: &[String]) -> Result<Seen, String> {
    let versions = lines.iter().map(|line| line.parse::<u64>().map_err(|_| format!("told `{line}`")));
    Ok(versions.collect::<Result<Vec<_>, _>>()?.into_iter().max().unwrap_or_default())
}

/// Somebody who has pinned the first root and reads the files as they are served.
struct Follower {
    home: Home,
    files: Files,
}

impl Follower {
    fn new(data: &Path, home: &Path) -> Result<Self, String> {
        let home = Home::new(home).map_err(|error| error.to_string())?;
        Ok(Self { home, files: Files(publisher(data)?) })
    }

    /// Looks at least once; the newest seen, and how many looks it took.
    async fn follow_while(self, alive: Arc<AtomicBool>, mut seen: Seen) -> Result<(Seen, u64), String> {
        let mut looks = 0;
        loop {
            seen = self.look(seen).await?;
            looks += 1;
            if !alive.load(Ordering::Acquire) {
                return Ok((seen, looks));
            }
            tokio::task::yield_now().await;
        }
    }

    /// Follows the repository to its end. An error if that cannot be, or leads to less than was seen.
    async fn look(&self, seen: Seen) -> Result<Seen, String> {
        // Before anything was published whole there is a root only.
        if seen == 0 && !self.has_timestamp()? {
            return Ok(0);
        }
        let now = SystemClock::start().seconds();
        let root = self.files.0.file("1.root.json").map_err(|error| error.to_string())?;
        let root = root.ok_or("there is no root any more")?;
        let pin = Pin { root: &root, url: Some(URL), authorities: None };
        let followed = self.home.init(pin, &self.files, now).await;
        followed.map_err(|error| format!("it cannot be followed: {error}"))?;
        let current = self.home.current(now).map_err(|error| error.to_string())?;
        let version = current.updater.timestamp().map_or(0, |timestamp| timestamp.version);
        match version >= seen {
            true => Ok(version),
            false => Err(format!("version {version} is shown, after version {seen}")),
        }
    }

    fn has_timestamp(&self) -> Result<bool, String> {
        self.files.0.file("timestamp.json").map(|file| file.is_some()).map_err(|error| error.to_string())
    }
}

/// A repository as it is served.
struct Files(Publisher);

#[async_trait]
impl Fetch for Files {
    async fn get(&self, url: &str, limit: usize) -> Result<Option<Vec<u8>>, FetchError> {
        let path = url.strip_prefix(URL).unwrap_or(url).trim_start_matches('/');
        let file = self.0.file(path).map_err(|error| FetchError::Silent(error.to_string()))?;
        match file {
            Some(bytes) if bytes.len() > limit => Err(FetchError::Silent(format!("`{path}` is too large"))),
            file => Ok(file),
        }
    }
}

fn publisher(data: &Path) -> Result<Publisher, String> {
    let publisher = Publisher::new(data, Periods::default(), Arc::new(SystemClock::start()));
    publisher.map(|publisher| publisher.on(Disk::default())).map_err(|error| error.to_string())
}

const URL: &str = "https://trust.example";
const LONGEST_LIFE_MICROS: u64 = 150_000;
