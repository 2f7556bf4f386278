//! All of a stack's directory, checked. The stack must not be running.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use signet_formats::signing_config::SigningConfig;
use signet_formats::trusted_root::TrustedRoot;
use signet_services::clock::{Clock, SystemClock};
use signet_services::{ctlog, journal, key_files, log, tsa, witness};
use signet_store::registry::{self, FsRegistry};
use signet_store::{DataDir, Kind};

use super::names::{Line, Names, Shard};
use super::{StackError, made, trust};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct StackReport {
    /// How many repositories were checked.
    pub repositories: usize,
    /// How many pieces of content were read.
    pub contents: usize,
    /// The logs, each with its name and how many entries are sound.
    pub logs: Vec<(String, u64)>,
    /// What is wrong, a sentence each.
    pub findings: Vec<String>,
}

/// Reads all that a stack has.
pub async fn fsck(data: &Path) -> Result<StackReport, StackError> {
    let root = DataDir::open(data, Kind::Stack)?;
    let mut report = StackReport::default();
    let names = Names::read(&root)?;
    report.findings.extend(made::lost(names.as_ref(), root.path()).iter().map(ToString::to_string));
    report.registry(&root.path().join("registry")).await?;
    if let Some(names) = &names {
        for line in [Line::Log, Line::Ct] {
            names.known(line).for_each(|shard| report.log(&root, line, shard));
        }
    }
    let (ca, tsa) = (root.path().join("ca"), root.path().join("tsa"));
    for (part, found) in [
        ("ca", key_files::fsck(&ca)),
        ("ca/audit.jsonl", journal::fsck(&ca.join("audit.jsonl"))),
        ("tsa", key_files::fsck(&tsa)),
        ("tsa", tsa::fsck(&tsa)),
    ] {
        report.findings.extend(found.into_iter().map(|finding| format!("{part}: {finding}")));
    }
    let witness = root.path().join("witness");
    report.findings.extend(witness::fsck(&witness).into_iter().map(|finding| format!("witness: {finding}")));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let damage = trust::open(&root, &clock)?.publisher().fsck();
    report.findings.extend(damage.into_iter().map(|finding| format!("trust: {finding}")));
    report.client(root.path());
    Ok(report)
}

impl StackReport {
    async fn registry(&mut self, path: &Path) -> Result<(), StackError> {
        if !path.is_dir() {
            return Ok(());
        }
        match FsRegistry::open(path, registry::Limits::default())?.fsck().await {
            Ok(found) => {
                (self.repositories, self.contents) = (found.repositories, found.contents);
                self.findings.extend(found.findings.iter().map(|finding| format!("registry: {finding}")));
            }
            Err(error) => self.findings.push(format!("registry: {error}")),
        }
        Ok(())
    }

    fn log(&mut self, root: &DataDir, line: Line, shard: &Shard) {
        let path = Names::dir(root, line, shard);
        let about = |finding: &dyn std::fmt::Display| format!("{}/{}: {finding}", line.dir(), shard.origin);
        // It is made at the next start, or it was said that it is gone.
        if !path.exists() {
            return;
        }
        match log::fsck(&path) {
            Ok(found) => {
                self.logs.push((found.origin, found.size));
                self.findings.extend(found.findings.iter().map(|finding| about(finding)));
            }
            Err(error) => self.findings.push(about(&error)),
        }
        self.findings.extend(log::fsck_keys(&path).iter().map(|finding| about(finding)));
        if line == Line::Ct {
            self.findings.extend(ctlog::fsck_issuers(&path).iter().map(|finding| about(finding)));
        }
    }

    /// What clients are given is written at each start; damage in it is still worth a word.
    fn client(&mut self, root: &Path) {
        let read = |name: &str| fs::read(root.join("client").join(name)).ok();
        let trusted = read("trusted_root.json").and_then(|text| TrustedRoot::parse(&text).err());
        self.findings.extend(trusted.map(|error| format!("client/trusted_root.json: {error}")));
        let config = read("signing_config.json").and_then(|text| SigningConfig::parse(&text).err());
        self.findings.extend(config.map(|error| format!("client/signing_config.json: {error}")));
    }
}
