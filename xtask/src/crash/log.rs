//! The log: killed at random instants, aborted, failed and cut off at every step on the disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use signet_crypto::KeyAlgorithm;
use signet_formats::base64;
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::merkle::verify_consistency;
use signet_formats::tlog::{Entries, EntryBundle, TILE_WIDTH};
use signet_keys::PrivateKey;
use signet_services::log::{AddError, Config, Head, HomeOptions, Log, LogSigner, fsck};
use signet_store::fs::Disk;

use super::disk::{Fault, FaultAt, Then};
use super::play::{Killer, Role, aborts, tell};
use super::power::{Journal, Model, Unsynced};
use super::random::Random;

/// The hidden task.
pub(super) const COMMAND: &str = "play-log";

/// Kills the log so often; what was seen.
pub(super) async fn kills(dir: &Path, kills: u32, seed: u64) -> Result<String, String> {
    let (mut killer, mut entries, mut heads) = (Killer::new(COMMAND, seed, LONGEST_LIFE_MICROS), 0, 0);
    for group in 0..kills.div_ceil(KILLS_PER_DIRECTORY) {
        let dir = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
        let (data, mut told) = (dir.path().join("log"), Told::default());
        for life in 0..KILLS_PER_DIRECTORY.min(kills - group * KILLS_PER_DIRECTORY) {
            let why = |why| format!("directory {group}, kill {life}: {why}");
            let lines = killer.life(&data, life).await.map_err(why)?;
            lines.iter().try_for_each(|line| told.hear(line)).map_err(why)?;
            // A log that was not begun yet has nothing to check.
            if data.join("log.json").is_file() {
                is_sound(&data).map_err(why)?;
            }
        }
        let log = open_home(Disk::default(), &data).await?;
        check(&log, &told).await.map_err(|why| format!("directory {group}: {why}"))?;
        log.close().await;
        entries += told.added.len();
        heads += told.heads.len();
    }
    Ok(format!("{kills} kills: {entries} acknowledged entries and {heads} checkpoints as they must be"))
}

/// Every step on the disk, aborted, failed, and the power cut after it; what was seen.
pub(super) async fn steps(dir: &Path, seed: u64) -> Result<String, String> {
    let (aborts, errors, cuts) = (all_aborts(dir).await?, errors(dir).await?, power_cuts(dir, seed).await?);
    Ok(format!("every step: {aborts} aborts, {errors} errors, {cuts} power cuts"))
}

/// The log and its clients, in the process that is killed.
pub(super) async fn play(args: &[&str]) -> Result<(), String> {
    let role = Role::parse(args)?;
    let log = open_home(role.disk.clone(), role.data).await?;
    show(&log.head());
    let (life, each) = (role.life, if role.ends { 3 } else { u64::MAX });
    let clients = (0..if role.ends { 2 } else { CLIENTS }).map(|client| {
        let log = log.clone();
        tokio::spawn(async move {
            for number in 0..each {
                let entry = format!("{life}/{client}/{number}");
                match log.add(Bytes::from(entry.clone())).await {
                    Ok(added) => {
                        show(&added.head);
                        tell(&self::added(entry.as_bytes(), added.index));
                    }
                    Err(AddError::Busy) => tokio::task::yield_now().await,
                    Err(_) => return,
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.map_err(|error| error.to_string())?;
    }
    log.close().await;
    Ok(())
}

fn show(head: &Head) {
    tell(&self::head(&head.note));
}

/// The line that says that an entry was acknowledged, at this index.
pub(super) fn added(entry: &[u8], index: u64) -> String {
    format!("added {} {index}", base64::encode(entry))
}

/// The line that says that a checkpoint was shown.
pub(super) fn head(note: &[u8]) -> String {
    format!("head {}", base64::encode(note))
}

/// What clients were told.
#[derive(Clone, Default)]
pub(super) struct Told {
    /// The index of each entry.
    pub(super) added: BTreeMap<Vec<u8>, u64>,
    /// The checkpoints, by their size.
    pub(super) heads: BTreeMap<u64, SignedCheckpoint>,
}

impl Told {
    pub(super) fn hear(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["added", entry, index] => {
                let index = index.parse().map_err(|_| format!("told `{line}`"))?;
                self.added.insert(base64::decode(entry).map_err(|error| error.to_string())?, index);
                Ok(())
            }
            ["head", note] => {
                let note = base64::decode(note).map_err(|error| error.to_string())?;
                self.see(&note)
            }
            _ => Err(format!("told `{line}`")),
        }
    }

    fn see(&mut self, note: &[u8]) -> Result<(), String> {
        let signed = SignedCheckpoint::parse(note).map_err(|error| error.to_string())?;
        let size = signed.checkpoint().size;
        let known = self.heads.entry(size).or_insert_with(|| signed.clone());
        match known.checkpoint() == signed.checkpoint() {
            true => Ok(()),
            false => Err(format!("two checkpoints of size {size}: a fork")),
        }
    }
}

/// All that was told is so.
pub(super) async fn check(log: &Log, told: &Told) -> Result<(), String> {
    let now = log.head();
    for (size, head) in &told.heads {
        let (old, new) = (head.checkpoint(), &now.checkpoint);
        if *size > new.size {
            return Err(format!("a checkpoint of {size} entries was shown, and there are {}", new.size));
        }
        let proof = log.consistency_proof(*size, new.size).map_err(|error| error.to_string())?;
        verify_consistency(*size, new.size, &old.root, &new.root, &proof)
            .map_err(|error| format!("the checkpoint of size {size} is of another history: {error}"))?;
        let key = log.signer().keys().next().ok_or("no key")?;
        head.note().verify(key).map_err(|error| error.to_string())?;
    }
    let entries = entries(log)?;
    let places: BTreeMap<&[u8], usize> = entries.iter().map(Vec::as_slice).zip(0..).collect();
    if places.len() != entries.len() {
        return Err("an entry has two indices".to_owned());
    }
    for (entry, index) in &told.added {
        let found = places.get(entry.as_slice()).and_then(|place| u64::try_from(*place).ok());
        if found != Some(*index) {
            let entry = String::from_utf8_lossy(entry);
            return Err(format!("entry {entry} was said to be at {index}; it is at {found:?}"));
        }
    }
    if let Some((entry, index)) = told.added.iter().next() {
        let added = log.add(Bytes::from(entry.clone())).await.map_err(|error| error.to_string())?;
        if (added.index, added.duplicate) != (*index, true) {
            let entry = String::from_utf8_lossy(entry);
            return Err(format!("entry {entry} was added twice, at {index} and {}", added.index));
        }
    }
    Ok(())
}

fn entries(log: &Log) -> Result<Vec<Vec<u8>>, String> {
    let (size, mut entries) = (log.head().checkpoint.size, Vec::new());
    for index in 0..size.div_ceil(TILE_WIDTH) {
        let bundle = EntryBundle::of_log(index, size).ok_or("no bundle")?;
        let bytes = log.entries(bundle).map_err(|error| error.to_string())?.ok_or("an unpublished bundle")?;
        for entry in Entries::new(&bytes) {
            entries.push(entry.map_err(|error| error.to_string())?.to_vec());
        }
    }
    Ok(entries)
}

fn is_sound(data: &Path) -> Result<(), String> {
    let report = fsck(data).map_err(|error| format!("fsck: {error}"))?;
    match report.findings.as_slice() {
        [] => Ok(()),
        findings => Err(format!("fsck: {}", findings.join("; "))),
    }
}

/// The process aborts at each step.
async fn all_aborts(dir: &Path) -> Result<usize, String> {
    aborts(dir, COMMAND, async |data, lines| {
        let mut told = Told::default();
        lines.iter().try_for_each(|line| told.hear(line))?;
        let log = open_home(Disk::default(), data).await?;
        check(&log, &told).await?;
        log.close().await;
        is_sound(data)
    })
    .await
}

/// Each step fails once; what was told until then, and whatever is told after, is so.
async fn errors(dir: &Path) -> Result<usize, String> {
    let (mut errors, signer) = (0, signer()?);
    for fault in Fault::ALL {
        for step in 0.. {
            let why = |why| format!("step {step} failed, {}: {why}", fault.name());
            let dir = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
            let (data, told) = (dir.path().join("log"), Arc::new(Mutex::new(Told::default())));
            let faults = Arc::new(FaultAt::new(step, fault, Then::GoOn));
            script(Disk::with_faults(faults.clone()), &data, &signer, |told_now| {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = told_now.clone();
            })
            .await
            .map_err(why)?;
            let told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
            restart(&data, &signer, &told).await.map_err(why)?;
            if !faults.happened() {
                break;
            }
            errors += 1;
        }
    }
    Ok(errors)
}

/// The power goes after each step; nothing that was not synced survives, or some of it.
async fn power_cuts(dir: &Path, seed: u64) -> Result<usize, String> {
    let (journal, signer) = (Arc::new(Journal::<Told>::default()), signer()?);
    let original = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
    for _ in 0..2 {
        // The second time on what the first has left.
        let disk = Disk::with_faults(journal.clone());
        script(disk, &original.path().join("log"), &signer, |told| journal.know(told)).await?;
    }
    let (mut model, mut random, mut cuts) = (Model::<Told>::default(), Random::new(seed), 0);
    for (step, event) in journal.events().iter().enumerate() {
        model.apply(event);
        for mut unsynced in [Unsynced::Lost, Unsynced::Random(Random::new(random.next()))] {
            let why = |why| format!("the power was cut after event {step}: {why}");
            let dir = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
            let restored = model.restore(original.path(), dir.path(), &mut unsynced);
            restored.map_err(|error| why(error.to_string()))?;
            restart(&dir.path().join("log"), &signer, &model.known).await.map_err(why)?;
            cuts += 1;
        }
    }
    Ok(cuts)
}

/// Adds entries until the disk fails; says what is known after each.
async fn script(disk: Disk, data: &Path, signer: &LogSigner, know: impl Fn(&Told)) -> Result<(), String> {
    let mut told = Told::default();
    let Ok(log) = Log::open_on(disk, config(data), signer.clone()).await else { return Ok(()) };
    told.see(&log.head().note)?;
    know(&told);
    for number in 0..6 {
        let entry = format!("{}/{number}", log.head().checkpoint.size);
        let Ok(added) = log.add(Bytes::from(entry.clone())).await else { break };
        told.added.insert(entry.into_bytes(), added.index);
        told.see(&added.head.note)?;
        know(&told);
    }
    log.close().await;
    Ok(())
}

/// It starts clean, has what was told, and goes on.
async fn restart(data: &Path, signer: &LogSigner, told: &Told) -> Result<(), String> {
    let log = Log::open_on(Disk::default(), config(data), signer.clone()).await;
    let log = log.map_err(|error| format!("it does not start: {error}"))?;
    check(&log, told).await?;
    let added = log.add(Bytes::from_static(b"afterwards")).await.map_err(|error| error.to_string())?;
    if added.duplicate {
        return Err("a new entry was said to be there".to_owned());
    }
    log.close().await;
    drop(log);
    is_sound(data)
}

fn config(data: &Path) -> Config {
    let mut config = Config::new(data.to_owned());
    config.limits.interval = Duration::ZERO;
    config
}

async fn open_home(disk: Disk, data: &Path) -> Result<Log, String> {
    let log = Log::open_home(disk, config(data), HomeOptions::default()).await;
    log.map_err(|error| format!("it does not start: {error}"))
}

fn signer() -> Result<LogSigner, String> {
    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).map_err(|error| error.to_string())?;
    LogSigner::new("log.example.org", Arc::new(key), None).map_err(|error| error.to_string())
}

const CLIENTS: u32 = 8;
const KILLS_PER_DIRECTORY: u32 = 25;
const LONGEST_LIFE_MICROS: u64 = 150_000;
