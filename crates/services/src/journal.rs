//! A file that lines are added to and nothing else: the audit records of a CA.
//!
//! Trusted? As its owner is. What is acknowledged is on the disk: whoever waits for a line to be added is
//! answered after the disk has it; many lines go in one write. The first failure ends the journal for
//! good, because what is on the disk is unknown then. A line that a crash cut off was never acknowledged,
//! and is cut away at the next start. May the file be moved? Yes, at any time: the next line begins another one in its place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use signet_store::fs::{Disk, is_named, read_exact_at};
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
        let file = open(&disk, path)?;
        let (lines, waiting) = sync_channel(MAX_WAITING);
        let failed = Arc::new(AtomicBool::new(false));
        let writer = Writer { disk, path: path.to_owned(), file, failed: Arc::clone(&failed) };
        thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run(&waiting))?;
        Ok(Self { lines, failed })
    }

    /// Whether lines can be added: not after a failure.
    pub fn is_writing(&self) -> bool {
        !self.failed.load(Ordering::Acquire)
    }

    /// Adds a line without line breaks; returns once the disk has it.
    pub async fn append(&self, line: String) -> Result<(), JournalError> {
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
    done: oneshot::Sender<()>,
}

struct Writer {
    disk: Disk,
    path: PathBuf,
    file: File,
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
                let _ = waiting.done.send(());
            }
        }
    }

    fn write(&mut self, batch: &[Waiting]) -> io::Result<()> {
        if !is_named(&self.file, &self.path)? {
            self.file = open(&self.disk, &self.path)?;
        }
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

/// The journal at `path`, made if there is none in its directory, without a line that was not finished.
fn open(disk: &Disk, path: &Path) -> io::Result<File> {
    // A directory that is gone is not made again.
    path.parent().map(fs::metadata).transpose()?;
    match disk.create(path) {
        Ok(_) => disk.sync_parent(path)?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    file.set_len(end_of_lines(&file)?)?;
    file.sync_all()?;
    OpenOptions::new().append(true).open(path)
}

/// Where the last line ends. From the end on: the file may be long.
fn end_of_lines(file: &File) -> io::Result<u64> {
    let (mut end, mut block) = (file.metadata()?.len(), [0; BLOCK]);
    while end > 0 {
        let length = end.min(BLOCK as u64);
        let read = block.get_mut(..length as usize).unwrap_or_default();
        read_exact_at(file, read, end - length)?;
        if let Some(last) = read.iter().rposition(|byte| *byte == b'\n') {
            return Ok(end - length + last as u64 + 1);
        }
        end -= length;
    }
    Ok(0)
}

const BLOCK: usize = 4_096;
const MAX_WAITING: usize = 4_096;
const MAX_BATCH: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use signet_store::fs::{Faults, Step};

    use super::*;

    #[tokio::test]
    async fn lines_follow_each_other_after_a_restart_and_a_cut_line_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let journal = Journal::open(Disk::default(), &path).unwrap();
        journal.append("a".into()).await.unwrap();
        journal.append("b".into()).await.unwrap();
        drop(journal);
        let long = "x".repeat(2 * BLOCK);
        for (left, kept) in [
            ("a\nb\nhalf".to_owned(), "a\nb\n".to_owned()),
            (format!("a\n{long}"), "a\n".to_owned()),
            (long.clone(), String::new()),
            (format!("{long}\n"), format!("{long}\n")),
        ] {
            fs::write(&path, left).unwrap();
            let journal = Journal::open(Disk::default(), &path).unwrap();
            journal.append("c".into()).await.unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{kept}c\n"));
        }
    }

    /// As `logrotate` does, with and without making another file itself.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_journal_that_was_moved_away_goes_on_in_another_file() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("journal"), dir.path().join("journal.1"));
        let journal = Journal::open(Disk::default(), &path).unwrap();
        journal.append("a".into()).await.unwrap();
        for makes_another in [false, true] {
            let before = fs::read(&path).unwrap();
            fs::rename(&path, &moved).unwrap();
            if makes_another {
                fs::write(&path, "").unwrap();
            }
            journal.append("b".into()).await.unwrap();
            assert_eq!(
                (fs::read(&moved).unwrap(), fs::read_to_string(&path).unwrap()),
                (before, "b\n".into())
            );
        }
    }

    /// Nobody would look for the records where nothing else is.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_journal_whose_directory_is_gone_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (home, moved) = (dir.path().join("home"), dir.path().join("moved"));
        fs::create_dir(&home).unwrap();
        let journal = Journal::open(Disk::default(), &home.join("journal")).unwrap();
        fs::rename(&home, moved).unwrap();
        assert_eq!(journal.append("a".into()).await, Err(JournalError::Ended));
        assert!(!home.exists());
    }

    #[tokio::test]
    async fn many_at_once_are_all_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let journal = Journal::open(Disk::default(), &path).unwrap();
        let adding = (0..200).map(|n: u32| {
            let journal = journal.clone();
            tokio::spawn(async move { journal.append(n.to_string()).await.unwrap() })
        });
        for one in adding.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        let mut added: Vec<u32> =
            fs::read_to_string(&path).unwrap().lines().map(|line| line.parse().unwrap()).collect();
        added.sort_unstable();
        assert_eq!(added, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_not_called_sound() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        assert!(fsck(&file).is_empty(), "there is none");
        fs::write(&file, "").unwrap();
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
            assert_eq!(journal.append("a".into()).await, Ok(()));
            assert!(journal.is_writing());
            assert_eq!(journal.append("b".into()).await, Err(JournalError::Ended));
            assert!(!journal.is_writing());
            assert_eq!(journal.append("c".into()).await, Err(JournalError::Ended));
        }
    }
}
