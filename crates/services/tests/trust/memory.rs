use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use signet_services::trust::{Fetch, FetchError};

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
            return Err(FetchError("no route".to_owned()));
        }
        let file = files.get(url.strip_prefix(URL).unwrap().trim_start_matches('/')).cloned();
        assert!(file.as_ref().is_none_or(|file| file.len() <= limit), "{url} is larger than was wanted");
        Ok(file)
    }
}

pub(crate) const URL: &str = "https://trust.example.com";
