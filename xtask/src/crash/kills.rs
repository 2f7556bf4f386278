//! Kills at random instants, under load.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::actions::{image, tag_path};
use super::client::{Client, Gone};
use super::ledger::Ledger;
use super::random::Random;
use super::server::{Process, fsck};

/// Kills the registry so often; what was seen.
pub(super) async fn run(dir: &Path, kills: u32, seed: u64) -> Result<String, String> {
    let mut tally = Tally::default();
    for life in 0..kills.div_ceil(KILLS_PER_DIRECTORY) {
        let rounds = KILLS_PER_DIRECTORY.min(kills - life * KILLS_PER_DIRECTORY);
        let random = Random::new(seed.wrapping_add(u64::from(life) << 32));
        // In every other directory garbage is collected as soon as nothing keeps it.
        let grace = Duration::from_secs(if life % 2 == 0 { 3600 } else { 0 });
        let lived = live(dir, rounds, random, grace, &mut tally).await;
        lived.map_err(|why| format!("directory {life}, grace {grace:?}: {why}"))?;
    }
    let Tally { requests, answers, contents } = tally;
    Ok(format!(
        "{kills} kills: {requests} actions, {answers} answers and {contents} contents as they must be"
    ))
}

#[derive(Default)]
struct Tally {
    requests: usize,
    answers: usize,
    contents: usize,
}

async fn live(
    dir: &Path,
    rounds: u32,
    mut random: Random,
    grace: Duration,
    tally: &mut Tally,
) -> Result<(), String> {
    let dir = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
    let data = dir.path().join("data");
    let ledgers: Vec<_> = (0..CLIENTS).map(|_| Arc::new(Mutex::new(Ledger::default()))).collect();
    for round in 0..rounds {
        let why = |why| format!("kill {round}: {why}");
        let mut server = Process::start(&data, grace, None)?;
        tally.answers += verify(&server.base, &ledgers, grace).await.map_err(why)?;
        let mut clients = Vec::new();
        for (me, ledger) in ledgers.iter().enumerate() {
            let client = Client::new(&server.base, Arc::clone(ledger))?;
            let actor = Actor { client, me, random: Random::new(random.next()), hungry: grace.is_zero() };
            clients.push(tokio::spawn(actor.act_until_gone()));
        }
        tokio::time::sleep(Duration::from_micros(random.next() % LONGEST_LIFE_MICROS)).await;
        server.kill()?;
        for client in clients {
            tally.requests += client.await.map_err(|error| error.to_string())?;
        }
        tally.contents += fsck(&data).await.map_err(why)?;
    }
    last_look(&data, &ledgers, grace, tally).await
}

async fn last_look(
    data: &Path,
    ledgers: &[Arc<Mutex<Ledger>>],
    grace: Duration,
    tally: &mut Tally,
) -> Result<(), String> {
    let server = Process::start(data, grace, None)?;
    tally.answers += verify(&server.base, ledgers, grace).await?;
    Ok(())
}

async fn verify(base: &str, ledgers: &[Arc<Mutex<Ledger>>], grace: Duration) -> Result<usize, String> {
    let mut answers = 0;
    for ledger in ledgers {
        let client = Client::new(base, Arc::clone(ledger))?;
        let keys = if grace.is_zero() { client.ledger().kept() } else { client.ledger().keys() };
        answers += client.verify(keys).await?;
    }
    Ok(answers)
}

/// A client with a repository of its own.
struct Actor {
    client: Client,
    me: usize,
    random: Random,
    /// Garbage is collected without grace: only what a tag keeps is sure to stay.
    hungry: bool,
}

impl Actor {
    /// How many actions it began.
    async fn act_until_gone(mut self) -> usize {
        let mut actions = 1;
        while self.act().await.is_ok() {
            actions += 1;
        }
        actions
    }

    async fn act(&mut self) -> Result<(), Gone> {
        let repository = format!("client{}", self.me);
        let tag = format!("t{}", self.random.below(TAGS));
        match self.random.below(10) {
            0..=3 => self.push_image(&repository, &tag).await,
            4..=5 => self.sign(&repository, &tag).await,
            6 => self.change_junk(&repository).await,
            7..=8 => self.upload(&repository).await,
            _ => {
                self.forget(&repository, &tag);
                self.client.delete_tag(&repository, &tag).await.map(drop)
            }
        }
    }

    async fn push_image(&mut self, repository: &str, tag: &str) -> Result<(), Gone> {
        let (config, layer) = (content(self.random.below(SHARED)), content(self.random.below(SHARED)));
        self.client.push_blob(repository, &config).await?;
        self.client.push_blob(repository, &layer).await?;
        self.forget(repository, tag);
        let image = image(repository, &[&config, &layer], None, self.random.next());
        self.client.push_manifest(repository, Some(tag), &image).await.map(drop)
    }

    async fn sign(&mut self, repository: &str, tag: &str) -> Result<(), Gone> {
        let signed = self.client.ledger().named(&tag_path(repository, tag)).map(str::to_owned);
        let Some(signed) = signed else { return Ok(()) };
        let signature = self.random.bytes(300);
        self.client.push_blob(repository, &signature).await?;
        let manifest = image(repository, &[&signature], Some(&signed), self.random.next());
        self.client.push_manifest(repository, None, &manifest).await.map(drop)
    }

    /// Blobs that no manifest needs come and go.
    async fn change_junk(&mut self, repository: &str) -> Result<(), Gone> {
        let junk = content(SHARED + self.random.below(SHARED));
        let other = format!("client{}", self.random.below(CLIENTS));
        match self.random.below(3) {
            0 => self.client.push_blob(repository, &junk).await.map(drop),
            1 => self.client.delete_blob(repository, &junk).await.map(drop),
            _ => self.client.mount(repository, &other, &junk).await.map(drop),
        }
    }

    /// Begins an upload, or goes on with one, also of an earlier life.
    async fn upload(&mut self, repository: &str) -> Result<(), Gone> {
        let open: Vec<_> =
            self.client.ledger().uploads().map(|(path, offset)| (path.to_owned(), offset)).collect();
        let (path, offset) = match open.get(self.random.below(OPEN_UPLOADS)) {
            Some((path, offset)) => (path.clone(), *offset),
            None => match self.client.begin_upload(repository).await? {
                Some(path) => (path, 0),
                None => return Ok(()),
            },
        };
        let whole = Random::new(hash(&path)).bytes(UPLOAD_BYTES);
        let from = usize::try_from(offset).unwrap_or(UPLOAD_BYTES);
        let to = from + 2 + self.random.below(UPLOAD_BYTES);
        match whole.get(from..to) {
            Some(next) => self.client.append(&path, offset, next).await.map(drop),
            None => self.client.finish(repository, &path, offset, &whole).await.map(drop),
        }
    }

    fn forget(&self, repository: &str, tag: &str) {
        let mut ledger = self.client.ledger();
        if let Some(named) =
            ledger.named(&tag_path(repository, tag)).map(str::to_owned).filter(|_| self.hungry)
        {
            ledger.forget(&named);
        }
    }
}

/// Content that several clients push.
fn content(number: usize) -> Vec<u8> {
    let seed = u64::try_from(number).unwrap_or(0);
    Random::new(seed).bytes(10 << (number % 12))
}

fn hash(text: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(text)
}

const CLIENTS: usize = 4;
const KILLS_PER_DIRECTORY: u32 = 25;
const LONGEST_LIFE_MICROS: u64 = 150_000;
const OPEN_UPLOADS: usize = 3;
const SHARED: usize = 12;
const TAGS: usize = 4;
const UPLOAD_BYTES: usize = 40_000;
