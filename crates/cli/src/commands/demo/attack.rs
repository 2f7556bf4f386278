//! What somebody with power over the registry can do.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use signet_formats::oci::{Descriptor, Manifest, Reference, Tag, media_type};
use signet_registry::{Client, ManifestName, Options, Resolved};
use signet_store::RepositoryName;
use signet_store::registry::RegistryStore;

use super::stage::{REPOSITORIES, Stage};
use crate::error::{CliError, Stop};

/// Somebody with power over the registry, its disk included.
pub(super) struct Attacker<'a> {
    stage: &'a Stage,
    client: Client,
}

impl<'a> Attacker<'a> {
    /// An attacker on this stage.
    pub(super) fn new(stage: &'a Stage) -> Self {
        Self { stage, client: Client::new(Options::default()) }
    }

    /// Changes one letter of a layer in the file in which the registry keeps it.
    pub(super) async fn change_layer(&self) -> Result<ChangedFile, Stop> {
        let index = self.image("app:1").await?;
        let repository = self.reference("app:1")?.repository;
        let first = index.manifest.manifests().first().ok_or_else(gone)?;
        let image = self.client.manifest(&repository, &first.digest).await?;
        let layer = image.manifest.layers().last().ok_or_else(gone)?;
        let path = find(&self.stage.directory, layer).ok_or_else(gone)?;
        Ok(ChangedFile::change(path)?)
    }

    /// Moves the tag to the image tagged `other`, to which it attaches the good image's signature.
    pub(super) async fn swap(&self, other: &str) -> Result<(), Stop> {
        let (good, other) = (self.image("app:1").await?, self.image(&format!("app:{other}")).await?);
        let repository = self.reference("app:1")?.repository;
        let signature = self.signature(&good).await?;
        let forged = Manifest { subject: Some(other.descriptor.clone()), ..signature.manifest };
        let forged = Bytes::from(serde_json::to_vec(&forged).map_err(CliError::internal)?);
        self.client.attach(&repository, &other.digest(), media_type::OCI_MANIFEST, forged).await?;
        self.tag(&good, KEPT).await?;
        self.tag(&other, "1").await
    }

    /// Moves the tag back.
    pub(super) async fn swap_back(&self) -> Result<(), Stop> {
        self.tag(&self.image(&format!("app:{KEPT}")).await?, "1").await
    }

    /// Deletes the content of the signature; the registry still lists it.
    pub(super) async fn delete_signature(&self) -> Result<(), Stop> {
        let signature = self.signature(&self.image("app:1").await?).await?;
        let repository: RepositoryName = format!("{REPOSITORIES}/app").parse().map_err(CliError::internal)?;
        let bundle = signature.manifest.layers().first().ok_or_else(gone)?;
        match self.stage.store.delete_blob(&repository, &bundle.digest).await? {
            true => Ok(()),
            false => Err(gone().into()),
        }
    }

    async fn image(&self, name: &str) -> Result<Resolved, Stop> {
        Ok(self.client.resolve(&self.reference(name)?).await?)
    }

    async fn signature(&self, image: &Resolved) -> Result<Resolved, Stop> {
        let repository = self.reference("app:1")?.repository;
        let referrers = self.client.referrers(&repository, &image.digest()).await?;
        let signature = referrers.descriptors.first().ok_or_else(gone)?;
        Ok(self.client.manifest(&repository, &signature.digest).await?)
    }

    async fn tag(&self, image: &Resolved, tag: &str) -> Result<(), Stop> {
        let repository = self.reference("app:1")?.repository;
        let name = ManifestName::Tag(tag.parse::<Tag>().map_err(CliError::internal)?);
        let media_type = &image.descriptor.media_type;
        self.client.push_manifest(&repository, &name, media_type, image.bytes.clone(), None).await?;
        Ok(())
    }

    fn reference(&self, name: &str) -> Result<Reference, CliError> {
        self.stage.app(name).parse().map_err(CliError::internal)
    }
}

/// A file of the registry that was changed.
pub(super) struct ChangedFile {
    path: PathBuf,
    original: Vec<u8>,
}

impl ChangedFile {
    fn change(path: PathBuf) -> Result<Self, CliError> {
        let original = fs::read(&path).map_err(CliError::internal)?;
        let changed = original.iter().map(|byte| if *byte == b'g' { b'G' } else { *byte }).collect();
        let file = Self { path, original };
        file.write(changed)?;
        Ok(file)
    }

    /// Puts back what was there.
    pub(super) fn restore(self) -> Result<(), CliError> {
        self.write(self.original.clone())
    }

    fn write(&self, bytes: Vec<u8>) -> Result<(), CliError> {
        fs::write(&self.path, bytes).map_err(CliError::internal)
    }
}

/// The file in which the registry keeps some content: it has the digest in its name and its size.
fn find(directory: &Path, content: &Descriptor) -> Option<PathBuf> {
    let hex = content.digest.hex();
    let entries = fs::read_dir(directory.join("registry")).ok()?;
    let mut pending: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    while let Some(path) = pending.pop() {
        let data = fs::symlink_metadata(&path).ok()?;
        if data.is_dir() {
            pending.extend(fs::read_dir(&path).ok()?.filter_map(|entry| Some(entry.ok()?.path())));
        } else if data.len() == content.size && path.to_string_lossy().contains(&hex) {
            return Some(path);
        }
    }
    None
}

fn gone() -> CliError {
    CliError::internal("the demonstration's image or signature is not where it was put")
}

/// The tag that keeps the good image while its own tag is elsewhere.
const KEPT: &str = "kept";
