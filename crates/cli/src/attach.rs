//! Storing signatures beside the images they are about.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use signet_crypto::Digest;
use signet_formats::cosign::LegacySignature;
use signet_formats::in_toto::COSIGN_SIGN_V1;
use signet_formats::oci::{Descriptor, Manifest, Repository, Tag, media_type};
use signet_formats::time;
use signet_registry::{Attached, Client, ImageStore, Resolved};
use signet_verify::Code;
use tokio::sync::OnceCell;

use crate::clock;
use crate::error::{CliError, Stop};

/// Where a signature was put.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// In words: `referrer sha256:…` or `tag sha256-….sig`.
    pub(crate) place: String,
    /// Whether another writer could still remove it from a list unseen.
    pub(crate) race_possible: bool,
}

/// A store that bundles are attached in.
pub(crate) struct Bundles {
    store: Arc<dyn ImageStore>,
    /// The configuration that all of them share, once it is there.
    config: OnceCell<Descriptor>,
}

impl Bundles {
    /// Bundles in this store.
    pub(crate) fn new(store: Arc<dyn ImageStore>) -> Self {
        Self { store, config: OnceCell::new() }
    }

    /// Attaches a bundle to a manifest, as a referrer.
    pub(crate) async fn attach(&self, subject: &Descriptor, bundle: String) -> Result<Stored, Stop> {
        let empty = || self.store.put_bytes(media_type::OCI_EMPTY, Bytes::from_static(b"{}"));
        let config = self.config.get_or_try_init(empty);
        let layer = self.store.put_new_bytes(media_type::SIGSTORE_BUNDLE, bundle.into());
        let (config, layer) = tokio::try_join!(config, layer)?;
        let manifest = to_json(&referrer(config.clone(), layer, subject.clone())?)?;
        let digest = Digest::sha256(&manifest);
        let manifest = Resolved::new("the signature", manifest, Some(media_type::OCI_MANIFEST), digest)?;
        let attached = self.store.put_referrer(&manifest, &subject.digest).await?;
        self.store.finish().await?;
        let race_possible = matches!(attached, Attached::FallbackTag { race_possible: true, .. });
        Ok(Stored { place: format!("referrer {}", attached.digest()), race_possible })
    }
}

/// The manifest of a bundle (cosign's BUNDLE_SPEC).
fn referrer(config: Descriptor, layer: Descriptor, subject: Descriptor) -> Result<Manifest, CliError> {
    let created = time::format(clock::created()).map_err(CliError::internal)?;
    let annotations = [
        ("dev.sigstore.bundle.content", "dsse-envelope"),
        ("dev.sigstore.bundle.predicateType", COSIGN_SIGN_V1),
        ("org.opencontainers.image.created", &created),
    ];
    Ok(Manifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_MANIFEST.to_owned()),
        artifact_type: Some(media_type::SIGSTORE_BUNDLE.to_owned()),
        config: Some(config),
        layers: Some(vec![layer]),
        manifests: None,
        subject: Some(Descriptor { annotations: BTreeMap::new(), platform: None, ..subject }),
        annotations: annotations.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    })
}

/// Adds a signature to cosign's tag for `subject`, keeping those that are there.
pub(crate) async fn legacy(
    client: &Client,
    repository: &Repository,
    subject: &Digest,
    signature: &LegacySignature,
) -> Result<Stored, Stop> {
    let unnamed = || {
        let detail = format!("{subject}: cosign's tag for its signatures would be longer than a tag may be");
        CliError::new(Code::AlgorithmNotInFormat, detail)
            .hint("sign with the default format, or name the image by its sha256 digest")
    };
    let tag = Tag::cosign_attachment(subject, "sig").ok_or_else(unnamed)?;
    let payload = signature.payload.clone().into();
    let layer = client.push_bytes(repository, media_type::SIMPLE_SIGNING, payload);
    let annotations = signature.annotations().map_err(CliError::internal)?;
    let layer = Descriptor { annotations, ..layer.await? };
    let race_possible = client.add_layer(repository, &tag, &layer).await?;
    Ok(Stored { place: format!("tag {tag}"), race_possible })
}

fn to_json<T: Serialize>(value: &T) -> Result<Bytes, CliError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(CliError::internal)
}
