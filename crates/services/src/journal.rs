//! A file that lines are added to and nothing else: the audit records of a CA, the entries of a log.
//!
//! Trusted? As its owner is. What is acknowledged is on the disk: whoever waits for a line to be added is
//! answered after the disk has it; many lines go in one write. The first failure ends the journal for
//! good, because what is on the disk is unknown then. A line that a crash cut off was never acknowledged,
//! and is cut away at the next start.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use signet_store::fs::Disk;
use tokio::sync::oneshot;

/// A journal. Clones write to the same one.
#[derive(Clone)]
pub struct Journal {
    lines: SyncSender<Waiting>,
    /// The writer has ended.
    failed: Arc<AtomicBool>,
}

impl Journal {
    /// Opens or makes the journal at `path`.
    pub fn open(disk: Disk, path: &Path) -> io::Result<Self> {
        let (file, next) = match path.exists() {
            true => recover(path)?,
            false => {
                let file = disk.create(path)?;
                disk.sync_parent(path)?;
                (file, 0)
            }
        };
        let (lines, waiting) = sync_channel(MAX_WAITING);
        let failed = Arc::new(AtomicBool::new(false));
        let writer = Writer { disk, path: path.to_owned(), file, next, failed: Arc::clone(&failed) };
        thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run(&waiting))?;
        Ok(Self { lines, failed })
    }

    /// Whether lines can be added: not after a failure.
    pub fn is_writing(&self) -> bool {
        !self.failed.load(Ordering::Acquire)
    }

    /// Adds a line without line breaks; its number, from 0, once the disk has it.
    pub async fn append(&self, line: String) -> Result<u64, JournalError> {
        let (done, answer) = oneshot::channel();
        self.lines.try_send(Waiting { line, done }).map_err(|error| match error {
            TrySendError::Full(_) => JournalError::Busy,
            TrySendError::Disconnected(_) => JournalError::Ended,
        })?;
        answer.await.map_err(|_| JournalError::Ended)
    }
}

/// Why a line was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Too many lines wait for the disk.
    #[error("the disk does not keep up")]
    Busy,
    /// The disk failed, now or before.
    #[error("the disk failed")]
    Ended,
}

struct Waiting {
    line: String,
    done: oneshot::Sender<u64>,
}

struct Writer {
    disk: Disk,
    path: PathBuf,
    file: File,
    /// The number of the next line.
    next: u64,
    failed: Arc<AtomicBool>,
}

impl Writer {
    /// Writes what comes, as much at once as waits; ends with the last handle, or at the first failure.
    fn run(mut self, waiting: &Receiver<Waiting>) {
        while let Ok(first) = waiting.recv() {
            let batch: Vec<Waiting> =
                std::iter::once(first).chain(waiting.try_iter().take(MAX_BATCH)).collect();
            if let Err(error) = self.write(&batch) {
                self.failed.store(true, Ordering::Release);
                // Those who wait learn it from their answer being dropped, as do all who come later.
                tracing::error!(path = %self.path.display(), %error, "nothing is written to the journal any more");
                return;
            }
            for waiting in batch {
                // Whoever asked may have gone; the line is there all the same.
                let _ = waiting.done.send(self.next);
                self.next += 1;
            }
        }
    }

    fn write(&mut self, batch: &[Waiting]) -> io::Result<()> {
        let text: String = batch.iter().flat_map(|waiting| [waiting.line.as_str(), "\n"]).collect();
        self.disk.write(&mut self.file, &self.path, text.as_bytes())?;
        self.disk.sync(&self.file, &self.path)
    }
}

/// What is wrong with the journal at `path`, if there is one: lines that are no JSON. A last one that a crash cut off is not wrong.
pub fn fsck(path: &Path) -> Vec<String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![error.to_string()],
    };
    let (mut findings, mut reader, mut line) = (Vec::new(), BufReader::new(file), Vec::new());
    for number in 1_u64.. {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) if line.last() != Some(&b'\n') => break,
            Ok(_) if serde_json::from_slice::<serde_json::Value>(&line).is_ok() => {}
            Ok(_) => findings.push(format!("line {number} is damaged")),
            Err(error) => {
                findings.push(error.to_string());
                break;
            }
        }
    }
    findings
}

/// Cuts away a line that was not finished; the file at its end, and how many lines it has.
fn recover(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut reader = BufReader::new(&file);
    let (mut lines, mut whole, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            break;
        }
        lines += 1;
        whole += length as u64;
    }
    drop(reader);
    file.set_len(whole)?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(whole))?;
    Ok((file, lines))
}

const MAX_WAITING: usize = 4_096;
const MAX_BATCH: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use signet_store::fs::{Faults, Step};

    use super::*;

    #[tokio::test]
    async fn lines_are_numbered_on_after_a_restart_and_a_cut_line_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let journal = Journal::open(Disk::default(), &path).unwrap();
        assert_eq!(journal.append("a".into()).await, Ok(0));
        assert_eq!(journal.append("b".into()).await, Ok(1));
        drop(journal);
        std::fs::write(&path, "a\nb\nhalf").unwrap();
        let journal = Journal::open(Disk::default(), &path).unwrap();
        assert_eq!(journal.append("c".into()).await, Ok(2));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
    }

    #[tokio::test]
    async fn many_at_once_are_all_there_under_their_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let journal = Journal::open(Disk::default(), &path).unwrap();
        let added: Vec<_> = (0..200)
            .map(|n| {
                let journal = journal.clone();
                tokio::spawn(async move { (n, journal.append(n.to_string()).await.unwrap()) })
            })
            .collect();
        let mut numbers = vec![0; 200];
        for one in added {
            let (n, number) = one.await.unwrap();
            numbers[number as usize] = n;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().map(|line| line.parse().unwrap()).collect::<Vec<i32>>(), numbers);
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_not_called_sound() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        assert!(fsck(&file).is_empty(), "there is none");
        std::fs::write(&file, "").unwrap();
        assert_eq!(fsck(&file.join("journal")).len(), 1);
    }

    /// Fails the second step that it is meant for.
    struct FailsOnce(fn(Step<'_>) -> bool, AtomicUsize);

    impl Faults for FailsOnce {
        fn before(&self, step: Step<'_>, _: &Path) -> io::Result<()> {
            match self.0(step) && self.1.fetch_add(1, Ordering::SeqCst) == 1 {
                true => Err(io::Error::other("injected")),
                false => Ok(()),
            }
        }
    }

    #[tokio::test]
    async fn after_a_failure_nothing_is_acknowledged_any_more() {
        let steps: [fn(Step<'_>) -> bool; 2] =
            [|step| matches!(step, Step::Write(_)), |step| step == Step::SyncFile];
        for step in steps {
            let dir = tempfile::tempdir().unwrap();
            let disk = Disk::with_faults(Arc::new(FailsOnce(step, AtomicUsize::new(0))));
            let journal = Journal::open(disk, &dir.path().join("journal")).unwrap();
            assert_eq!(journal.append("a".into()).await, Ok(0));
            assert!(journal.is_writing());
            assert_eq!(journal.append("b".into()).await, Err(JournalError::Ended));
            assert!(!journal.is_writing());
            assert_eq!(journal.append("c".into()).await, Err(JournalError::Ended));
        }
    }
}
