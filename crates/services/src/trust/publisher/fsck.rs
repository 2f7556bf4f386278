//! Whether what is published is whole.

use signet_formats::tuf::target_url;
use signet_store::fs::Disk;

use super::{MAX_TARGET_BYTES, Publisher, PublisherError};

impl Publisher {
    /// What is wrong with what is published; nothing, where nothing is.
    pub fn fsck(&self) -> Vec<String> {
        match self.damage() {
            Ok(findings) => findings,
            Err(PublisherError::NoRoot) => Vec::new(),
            Err(error) => vec![error.to_string()],
        }
    }

    fn damage(&self) -> Result<Vec<String>, PublisherError> {
        let repository = self.repository(&Disk::default());
        let root = self.root()?.ok_or(PublisherError::NoRoot)?;
        let targets = self.state(&repository)?.targets.map(|it| it.metadata.body.targets).unwrap_or_default();
        let mut findings = Vec::new();
        findings.extend(self.online_key(&root.body).err().map(|error| error.to_string()));
        for (name, file) in targets {
            let url = target_url(&name, file.hashes.known().into_iter().next().as_ref())?;
            let found = repository.read(&format!("targets/{url}"), MAX_TARGET_BYTES)?;
            if !found.is_some_and(|bytes| file.fits(&bytes)) {
                findings.push(format!("the target `{name}` is missing or damaged"));
            }
        }
        Ok(findings)
    }
}
