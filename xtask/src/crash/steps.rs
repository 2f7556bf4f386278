//! The scripted push, once for every step that it takes on the disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use signet_store::fs::Disk;

use super::client::Client;
use super::disk::{Fault, FaultAt, Then};
use super::ledger::Ledger;
use super::power::{Journal, Model, Unsynced};
use super::random::Random;
use super::script;
use super::server::{Local, Process, fsck};

/// All of them; what was seen.
pub(super) async fn run(dir: &Path, seed: u64) -> Result<String, String> {
    let (cuts, errors) =
        tokio::try_join!(joined(power_cuts(dir.to_owned(), seed)), joined(errors(dir.to_owned())))?;
    let aborts = aborts(dir).await?;
    Ok(format!("every step: {aborts} aborts, {errors} errors, {cuts} power cuts"))
}

async fn joined(work: impl Future<Output = Result<usize, String>> + Send + 'static) -> Result<usize, String> {
    tokio::spawn(work).await.map_err(|error| error.to_string())?
}

/// The process aborts at each step, in the middle of it if it is a write.
async fn aborts(dir: &Path) -> Result<usize, String> {
    let mut aborts = 0;
    for fault in [Fault::Io, Fault::Torn] {
        for step in 0.. {
            let scene = Scene::new(dir)?;
            let mut server = Process::start(&scene.data(), Duration::ZERO, Some((step, fault)))?;
            let died = script::play(&scene.client(&server.base)?).await.is_err();
            server.kill()?;
            scene.check().await.map_err(|why| format!("aborted at step {step}, {}: {why}", fault.name()))?;
            if !died {
                break;
            }
            aborts += 1;
        }
    }
    Ok(aborts)
}

/// Each step fails once; the registry goes on.
async fn errors(dir: PathBuf) -> Result<usize, String> {
    let mut errors = 0;
    for fault in Fault::ALL {
        for step in 0.. {
            let why = |why| format!("step {step} failed, {}: {why}", fault.name());
            let faults = Arc::new(FaultAt::new(step, fault, Then::GoOn));
            let scene = Scene::new(&dir)?;
            // It may not start without that step; then nobody was told anything.
            if let Ok(server) = Local::start(&scene.data(), Disk::with_faults(faults.clone())).await {
                let client = scene.client(&server.base)?;
                script::play(&client).await.map_err(|_| why("it went away".to_owned()))?;
                let keys = client.ledger().keys();
                client.verify(keys).await.map_err(why)?;
                server.stop().await?;
            }
            scene.check().await.map_err(why)?;
            if !faults.happened() {
                break;
            }
            errors += 1;
        }
    }
    Ok(errors)
}

/// The power goes after each step; nothing that was not synced survives, or some of it.
async fn power_cuts(dir: PathBuf, seed: u64) -> Result<usize, String> {
    let journal = Arc::new(Journal::default());
    let original = Scene::new(&dir)?;
    let server = Local::start(&original.data(), Disk::with_faults(journal.clone())).await?;
    let witness = Arc::clone(&journal);
    let client = original.client(&server.base)?.witnessed(move |ledger| witness.know(ledger));
    script::play(&client).await.map_err(|_| "it went away")?;
    server.stop().await?;

    let (mut model, mut random, mut cuts) = (Model::default(), Random::new(seed), 0);
    for (step, event) in journal.events().iter().enumerate() {
        model.apply(event);
        for mut unsynced in [Unsynced::Lost, Unsynced::Random(Random::new(random.next()))] {
            let scene = Scene::with(&dir, model.known.clone())?;
            let restored = model.restore(original.dir.path(), scene.dir.path(), &mut unsynced);
            restored.map_err(|error| error.to_string())?;
            scene.check().await.map_err(|why| format!("the power was cut after event {step}: {why}"))?;
            cuts += 1;
        }
    }
    Ok(cuts)
}

/// A directory, and what the clients of its registry know.
struct Scene {
    dir: tempfile::TempDir,
    ledger: Arc<Mutex<Ledger>>,
}

impl Scene {
    fn new(dir: &Path) -> Result<Self, String> {
        Self::with(dir, Ledger::default())
    }

    fn with(dir: &Path, ledger: Ledger) -> Result<Self, String> {
        let dir = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
        Ok(Self { dir, ledger: Arc::new(Mutex::new(ledger)) })
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn client(&self, base: &str) -> Result<Client, String> {
        Client::new(base, Arc::clone(&self.ledger))
    }

    /// A new registry starts on the directory, finds nothing wrong, has all that was acknowledged, and serves on.
    async fn check(&self) -> Result<(), String> {
        let data = self.data();
        fsck(&data).await?;
        self.look(&data, true).await?;
        fsck(&data).await.map(drop)
    }

    async fn look(&self, data: &Path, play: bool) -> Result<(), String> {
        let server = Local::start(data, Disk::default()).await?;
        let client = self.client(&server.base)?;
        let keys = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).keys();
        client.verify(keys).await?;
        if play {
            script::play(&client).await.map_err(|_| "it went away")?;
            let keys = client.ledger().keys();
            client.verify(keys).await?;
        }
        server.stop().await
    }
}
