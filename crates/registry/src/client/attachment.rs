//! Adding to cosign's tags.

use std::time::Instant;

use signet_formats::oci::{Descriptor, Repository, Tag, media_type};

use super::attach::pause;
use super::{Client, ManifestName, Precondition, PushOutcome, Resolved};
use crate::attachment::{Added, Joined, config_of, image_of};
use crate::{Error, Result};

impl Client {
    /// Adds a signature or attestation, whose content the repository has, to the image under cosign's tag. Whether a
    /// concurrent writer could still remove it unseen.
    pub async fn add_layer(&self, repository: &Repository, tag: &Tag, layer: &Descriptor) -> Result<bool> {
        self.add_to_tag(repository, tag, Added::Layer(layer)).await
    }

    /// The tag is read, changed and written on the condition that it has not changed. Where the registry does
    /// not say that it held the condition, the tag is read again after a while, because there the later of
    /// two writers wins (cosign#2432).
    pub(crate) async fn add_to_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        added: Added<'_>,
    ) -> Result<bool> {
        let name = ManifestName::Tag(tag.clone());
        let (mut conflicts, mut written) = (0, false);
        for round in 0..self.limits().fallback_rounds {
            let started = Instant::now();
            let current = self.tagged(repository, tag).await?;
            let image = match added.joined_to(current.as_ref()) {
                Joined::Same => return Ok(written && conflicts == 0),
                Joined::Image(image) => *image,
                Joined::Layers(layers) => self.push_image_of(repository, layers, current.as_ref()).await?,
            };
            let condition = Precondition::unchanged(current.as_ref());
            let media_type = &image.descriptor.media_type;
            match self.put_manifest(repository, &name, media_type, image.bytes.clone(), &condition).await {
                Ok(PushOutcome { condition_held: true, .. }) => return Ok(false),
                Ok(_) => written = true,
                Err(Error::Conflict { .. }) => conflicts += 1,
                Err(error) => return Err(error),
            }
            pause(started, round).await;
        }
        let what = format!("writers of {repository}:{tag} at once");
        Err(Error::Conflict { what, detail: String::new() })
    }

    /// An image of these layers, whose configuration is there.
    async fn push_image_of(
        &self,
        repository: &Repository,
        layers: Vec<Descriptor>,
        current: Option<&Resolved>,
    ) -> Result<Resolved> {
        let config = config_of(&layers)?;
        let config = self.push_new_bytes(repository, media_type::OCI_CONFIG, config).await?;
        image_of(config, layers, current)
    }
}
