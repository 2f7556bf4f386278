//! The shards of one log of a stack.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use signet_services::log::{Log, OpenError, Place};
use signet_services::witness::WitnessedLog;
use tokio::task::spawn_blocking;

use super::ledger::Ledger;
use super::names::{Line, Shard};
use crate::rekor;

/// A line of logs, as the ledger has it.
pub(super) struct Book {
    ledger: Arc<Ledger>,
    line: Line,
    /// Where the shards are, and where a rotation is asked for.
    dir: PathBuf,
}

impl Book {
    pub(super) fn new(ledger: &Arc<Ledger>, line: Line) -> Self {
        Self { ledger: Arc::clone(ledger), line, dir: ledger.dir(line) }
    }

    fn place(&self, shard: &Shard) -> Place {
        Place { data: self.ledger.place(self.line, shard), origin: Some(shard.origin.clone()) }
    }
}

#[async_trait]
impl signet_services::log::Book for Book {
    fn root(&self) -> &Path {
        &self.dir
    }

    fn shards(&self) -> Result<Vec<Place>, OpenError> {
        Ok(self.ledger.shards(self.line).iter().map(|shard| self.place(shard)).collect())
    }

    fn next(&self, origin: Option<String>) -> Result<Place, OpenError> {
        Ok(self.place(&self.ledger.next(self.line, origin)?))
    }

    fn turn(&self) -> std::io::Result<()> {
        self.ledger.turn(self.line)?;
        // They know the new shard already; what is new is that the old one has ended.
        self.ledger.tell_clients();
        Ok(())
    }

    async fn introduce(&self, next: &Log) -> Result<(), String> {
        let (ledger, log) = (Arc::clone(&self.ledger), witnessed(next));
        // There are no witnesses of certificates.
        let log = Some(log).filter(|_| self.line == Line::Log);
        let done = spawn_blocking(move || introduce(&ledger, log)).await;
        done.map_err(|error| error.to_string())??;
        self.ledger.publish().await
    }

    async fn begin(&self, next: &Log) -> Result<(), String> {
        match self.line {
            Line::Log => rekor::begin(next).await.map_err(|error| error.to_string()),
            Line::Ct => Ok(()),
        }
    }
}

/// The log as a witness has to know it.
pub(super) fn witnessed(log: &Log) -> WitnessedLog {
    let signer = log.signer();
    WitnessedLog { origin: signer.origin().to_owned(), keys: signer.keys().cloned().collect(), per_day: None }
}

fn introduce(ledger: &Ledger, log: Option<WitnessedLog>) -> Result<(), String> {
    // First: from then on somebody knows its key.
    ledger.note_begun().map_err(|error| error.to_string())?;
    log.map_or(Ok(()), |log| ledger.tell_witness(log))?;
    ledger.write_clients()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use signet_services::clock::{Clock, SystemClock};
    use signet_services::ctlog::CertificateLogs;
    use signet_services::log::{Config, HomeError, HomeOptions, Opener, Shards};
    use signet_store::fs::{Disk, Faults, Step};
    use signet_store::{DataDir, Kind};

    use super::super::client::key_of;
    use super::super::names::Names;
    use super::*;

    /// Dies before one of its steps: that one and all later ones fail.
    struct DeadFrom(AtomicUsize);

    impl Faults for DeadFrom {
        fn before(&self, _: Step<'_>, _: &Path) -> io::Result<()> {
            let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            left.map(drop).map_err(|_| io::Error::other("dead"))
        }
    }

    fn ledger(data: &Path, disk: &Disk) -> Arc<Ledger> {
        let root = Arc::new(DataDir::open_on(disk.clone(), data, Kind::Stack).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let names = Names::of(&root, clock.seconds(), false).unwrap();
        Arc::new(Ledger::new(root, names, clock))
    }

    async fn logs(ledger: &Arc<Ledger>, disk: Disk) -> Result<Shards, HomeError> {
        let book = Book::new(ledger, Line::Log);
        let config = Config::new(book.dir.clone());
        Shards::of(Arc::new(book), disk, config, HomeOptions::default()).await
    }

    async fn certificate_logs(ledger: &Arc<Ledger>, disk: Disk) -> Result<CertificateLogs, HomeError> {
        let clock = Arc::new(SystemClock::start());
        CertificateLogs::open_all_of(Arc::new(Book::new(ledger, Line::Ct)), disk, clock).await
    }

    /// Whether it lived: it was to die later.
    async fn dies_at<O: Opener>(
        step: usize,
        line: Line,
        open: impl AsyncFn(&Arc<Ledger>, Disk) -> Result<Shards<O>, HomeError>,
    ) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let faults = Arc::new(DeadFrom(AtomicUsize::new(usize::MAX)));
        let disk = Disk::with_faults(faults.clone());
        let first = ledger(dir.path(), &disk);
        let shards = open(&first, disk.clone()).await.unwrap();
        first.note_begun().unwrap();
        faults.0.store(step, Ordering::SeqCst);
        let rotated = shards.rotate(Some("next.example".to_owned())).await.is_ok();
        shards.close().await;
        let lived = faults.0.load(Ordering::SeqCst) > 0;
        drop((shards, first));

        let next = ledger(dir.path(), &Disk::default());
        let shards = open(&next, Disk::default()).await.unwrap();
        next.note_begun().unwrap();
        let names = next.shards(line);
        assert!(!rotated || names.len() == 2, "{line:?}, step {step}: what was acknowledged is so");
        let is_ended: Vec<bool> = names.iter().map(|shard| shard.end.is_some()).collect();
        let is_frozen: Vec<bool> = shards.all().iter().map(|log| log.as_ref().is_frozen()).collect();
        let is_earlier: Vec<bool> = (1..=names.len()).map(|number| number < names.len()).collect();
        assert_eq!((&is_ended, &is_frozen), (&is_earlier, &is_earlier), "{line:?}, step {step}");
        // What clients are given is written at the start.
        for entry in fs::read_dir(next.dir(line)).unwrap() {
            key_of(&entry.unwrap().path()).unwrap();
        }
        if names.len() == 1 {
            shards.rotate(Some("next.example".to_owned())).await.unwrap();
        }
        assert_eq!(shards.active().unwrap().as_ref().signer().origin(), "next.example", "step {step}");
        shards.close().await;
        assert!(!lived || rotated && step > 10, "the steps were seen");
        lived
    }

    #[tokio::test]
    async fn whenever_a_stack_dies_its_next_start_has_one_log_of_each_kind_that_is_written() {
        let all = async |line| {
            for first in (0..).step_by(AT_ONCE) {
                let steps = first..first + AT_ONCE;
                let lived = match line {
                    Line::Log => join_all(steps.map(|step| dies_at(step, line, logs))).await,
                    Line::Ct => join_all(steps.map(|step| dies_at(step, line, certificate_logs))).await,
                };
                if lived.contains(&true) {
                    return;
                }
            }
        };
        tokio::join!(all(Line::Log), all(Line::Ct));
    }

    /// It would be in the other's directory, and no start would find it.
    #[tokio::test]
    async fn a_shard_that_is_only_named_is_not_made_under_another_name() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = ledger(dir.path(), &Disk::default());
        ledger.next(Line::Ct, Some("a.example".to_owned())).unwrap();
        let shards = certificate_logs(&ledger, Disk::default()).await.unwrap();
        let refused = shards.rotate(Some("b.example".to_owned())).await.err().unwrap().to_string();
        assert!(refused.contains("`a.example` is prepared already"), "{refused}");
        shards.rotate(None).await.unwrap();
        assert_eq!(shards.active().unwrap().log().signer().origin(), "a.example");
        shards.close().await;
    }

    const AT_ONCE: usize = 16;
}
