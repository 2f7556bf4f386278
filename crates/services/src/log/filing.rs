//! The threads that file what the writer wrote.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::chunk::Content;
use super::index::Runs;
use super::run::Run;
use super::{Head, Shared};

/// Files chunks and keeps the checkpoint, and merges the index, each on a thread of its own.
pub(super) struct Filing {
    chunks: Option<SyncSender<Content>>,
    threads: Vec<JoinHandle<()>>,
}

impl Filing {
    pub(super) fn start(shared: Arc<Shared>, runs: Runs) -> io::Result<Self> {
        let (chunks, contents) = mpsc::sync_channel(1);
        let (grown, merges) = mpsc::channel();
        let filer = Filer { shared: Arc::clone(&shared), runs: runs.clone(), grown, kept: None };
        let filing =
            thread::Builder::new().name("log-filing".to_owned()).spawn(move || filer.run(&contents))?;
        let merger = move || {
            while merges.recv().is_ok() {
                if let Err(error) = merge(&shared, &runs) {
                    shared.fail(error.to_string());
                }
            }
        };
        let merging = thread::Builder::new().name("log-merging".to_owned()).spawn(merger)?;
        Ok(Self { chunks: Some(chunks), threads: vec![filing, merging] })
    }

    /// Files a chunk; waits while the one before is not filed yet.
    pub(super) fn file(&self, content: Content) -> io::Result<()> {
        let sent = self.chunks.as_ref().map(|chunks| chunks.send(content));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(io::Error::other("the hashes could not be written")),
        }
    }

    /// Waits until all is filed.
    pub(super) fn end(&mut self) {
        self.chunks = None;
        for thread in self.threads.drain(..) {
            // It has panicked: the defect is in the output already.
            let _ = thread.join();
        }
    }
}

struct Filer {
    shared: Arc<Shared>,
    runs: Runs,
    /// Tells who merges that there is another run.
    grown: mpsc::Sender<()>,
    /// What was kept last.
    kept: Option<Arc<Head>>,
}

impl Filer {
    fn run(mut self, contents: &Receiver<Content>) {
        loop {
            let next = contents.recv_timeout(KEEP_EVERY);
            let done = match &next {
                Ok(content) => self.file(content).and_then(|()| self.keep()),
                Err(_) => self.keep(),
            };
            if let Err(error) = done {
                // The writer learns of it by the channel.
                return self.shared.fail(error.to_string());
            }
            if matches!(next, Err(RecvTimeoutError::Disconnected)) {
                return;
            }
        }
    }

    fn file(&self, content: &Content) -> io::Result<()> {
        let (layout, disk) = (&self.shared.layout, self.shared.dir.disk());
        content.write(disk, layout)?;
        if self.shared.form.is_found_by_hash() {
            self.runs.push(Run::of_chunk(layout, disk, content.number, &content.leaves)?);
        }
        let chunks = content.number + 1;
        self.shared.tree.write().unwrap_or_else(PoisonError::into_inner).release(chunks);
        self.shared.places.write().unwrap_or_else(PoisonError::into_inner).release(chunks);
        // Who merges has ended only if it panicked.
        let _ = self.grown.send(());
        Ok(())
    }

    /// Keeps the newest checkpoint in the directory.
    fn keep(&mut self) -> io::Result<()> {
        let head = self.shared.head();
        // Where witnesses cosign, who publishes keeps it, before.
        let is_kept = self.kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, &head));
        if self.shared.witnesses.is_none() && !is_kept {
            let layout = &self.shared.layout;
            self.shared.dir.disk().put(&layout.scratch, &layout.checkpoint(), &head.note)?;
            self.kept = Some(head);
        }
        Ok(())
    }
}

fn merge(shared: &Shared, runs: &Runs) -> io::Result<()> {
    while runs.merge(&shared.layout, shared.dir.disk())? {}
    Ok(())
}

/// How old the checkpoint on disk may get.
pub(super) const KEEP_EVERY: Duration = Duration::from_secs(1);
