//! Checking what the disk holds: each piece of content against its digest, each record against the
//! manifest that it repeats.

mod content;
mod finding;
mod repair;
mod repository;
mod strays;

use self::content::is_intact;
pub use self::finding::Finding;
use super::StoreError;
use super::files::{FsRegistry, Inner};

impl FsRegistry {
    /// Reads all content and checks all records.
    pub async fn fsck(&self) -> Result<FsckReport, StoreError> {
        self.blocking(Inner::fsck).await
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// How many repositories were checked.
    pub repositories: usize,
    /// How many pieces of content were read.
    pub contents: usize,
}

impl Inner {
    fn fsck(&self) -> Result<FsckReport, StoreError> {
        let mut report = FsckReport::default();
        for (digest, path) in self.contents_list()? {
            report.contents += 1;
            if !is_intact(digest, &path)? {
                report.findings.push(Finding::CorruptContent { digest });
            }
        }
        for repository in self.layout.repository_names()? {
            report.repositories += 1;
            self.check_repository(&repository, &mut report.findings)?;
        }
        let strays = strays::find(&self.layout)?;
        report.findings.extend(strays.into_iter().map(|path| Finding::StrayFile { path }));
        Ok(report)
    }
}

#[cfg(test)]
mod tests;
