use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use signet_services::trust::{Fetch, FetchError};
use signet_store::fs::{Faults, Step};

/// A repository in memory, at any URL; while it has no files it cannot be reached.
#[derive(Default)]
pub(crate) struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    pub(crate) fn of(files: &BTreeMap<String, Vec<u8>>) -> Self {
        Self(Mutex::new(files.clone()))
    }

    pub(crate) fn set(&self, files: &BTreeMap<String, Vec<u8>>) {
        *self.0.lock().unwrap() = files.clone();
    }
}

#[async_trait]
impl Fetch for Memory {
    async fn get(&self, url: &str, limit: usize) -> Result<Option<Vec<u8>>, FetchError> {
        let files = self.0.lock().unwrap();
        if files.is_empty() {
            return Err(FetchError::Silent("no route".to_owned()));
        }
        let file = files.get(url.strip_prefix(URL).unwrap().trim_start_matches('/')).cloned();
        assert!(file.as_ref().is_none_or(|file| file.len() <= limit), "{url} is larger than was wanted");
        Ok(file)
    }
}

/// A repository that takes its time, and after some answers hangs. It counts what it was asked.
pub(crate) struct Hanging {
    memory: Memory,
    answers: usize,
    pub(crate) asked: AtomicUsize,
}

impl Hanging {
    /// So many answers are given.
    pub(crate) fn after(answers: usize, files: &BTreeMap<String, Vec<u8>>) -> Self {
        Self { memory: Memory::of(files), answers, asked: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl Fetch for Hanging {
    async fn get(&self, url: &str, limit: usize) -> Result<Option<Vec<u8>>, FetchError> {
        if self.asked.fetch_add(1, Ordering::AcqRel) >= self.answers {
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
        self.memory.get(url, limit).await
    }
}

/// A disk that is gone before one of its steps.
pub(crate) struct CutOff {
    left: AtomicUsize,
}

impl CutOff {
    /// So many steps are done.
    pub(crate) fn after(steps: usize) -> Self {
        Self { left: AtomicUsize::new(steps) }
    }
}

impl Faults for CutOff {
    fn before(&self, _: Step<'_>, _: &Path) -> io::Result<()> {
        let less = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, less) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("the power is gone")),
        }
    }
}

pub(crate) const URL: &str = "https://trust.example.com";
