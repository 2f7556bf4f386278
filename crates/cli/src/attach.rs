//! Storing signatures beside the images they are about.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use signet_crypto::Digest;
use signet_formats::cosign::LegacySignature;
use signet_formats::in_toto::COSIGN_SIGN_V1;
use signet_formats::oci::{Descriptor, Manifest, Repository, Tag, media_type};
use signet_formats::time;
use signet_registry::{Attached, Client, ManifestName, Resolved};
use signet_verify::Code;

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

/// Attaches a bundle to a manifest, as a referrer.
pub(crate) async fn bundle(
    client: &Client,
    repository: &Repository,
    subject: &Descriptor,
    bundle: String,
) -> Result<Stored, Stop> {
    let config = client.push_bytes(repository, media_type::OCI_EMPTY, Bytes::from_static(b"{}"));
    let layer = client.push_bytes(repository, media_type::SIGSTORE_BUNDLE, bundle.into());
    let (config, layer) = tokio::try_join!(config, layer)?;
    let manifest = to_json(&referrer(config, layer, subject.clone())?)?;
    let attached = client.attach(repository, &subject.digest, media_type::OCI_MANIFEST, manifest).await?;
    let race_possible = matches!(attached, Attached::FallbackTag { race_possible: true, .. });
    Ok(Stored { place: format!("referrer {}", attached.digest()), race_possible })
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
///
/// The tag is read, changed and written with `If-Match`, and read again, because registries that do
/// not honour it let the later of two writers win (cosign#2432).
pub(crate) async fn legacy(
    client: &Client,
    repository: &Repository,
    subject: &Digest,
    signature: &LegacySignature,
) -> Result<Stored, Stop> {
    let tag = Tag::cosign_attachment(subject, "sig");
    let place = format!("tag {tag}");
    let name = ManifestName::Tag(tag);
    let layer = client.push_bytes(repository, media_type::SIMPLE_SIGNING, signature.payload.clone().into());
    let annotations = signature.annotations().map_err(CliError::internal)?;
    let layer = Descriptor { annotations, ..layer.await? };
    let mut guarded = true;
    for round in 0..MAX_ROUNDS {
        let current = existing(client, repository, &name).await?;
        if current.as_ref().is_some_and(|current| current.manifest.layers().contains(&layer)) {
            return Ok(Stored { place, race_possible: !guarded });
        }
        let etag = current.as_ref().and_then(|current| current.etag.clone());
        guarded = etag.is_some();
        match write(client, repository, &name, current, &layer, etag.as_deref()).await {
            Err(Stop::Error(error)) if error.code == Code::ConcurrentUpdate => pause(round).await,
            written => written?,
        }
    }
    Err(CliError::new(Code::ConcurrentUpdate, format!("{repository}, {place}")).into())
}

async fn existing(
    client: &Client,
    repository: &Repository,
    name: &ManifestName,
) -> Result<Option<Resolved>, Stop> {
    match client.named(repository, name).await {
        Ok(resolved) => Ok(Some(resolved)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn write(
    client: &Client,
    repository: &Repository,
    name: &ManifestName,
    current: Option<Resolved>,
    layer: &Descriptor,
    if_match: Option<&str>,
) -> Result<(), Stop> {
    let mut layers = current.map(|current| current.manifest.layers().to_vec()).unwrap_or_default();
    layers.push(layer.clone());
    let config = to_json(&LegacyConfig::of(&layers))?;
    let config = client.push_bytes(repository, media_type::OCI_CONFIG, config).await?;
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_MANIFEST.to_owned()),
        artifact_type: None,
        config: Some(config),
        layers: Some(layers),
        manifests: None,
        subject: None,
        annotations: BTreeMap::new(),
    };
    client.push_manifest(repository, name, media_type::OCI_MANIFEST, to_json(&manifest)?, if_match).await?;
    Ok(())
}

/// The image configuration that readers of the tag expect.
#[derive(Serialize)]
struct LegacyConfig<'a> {
    architecture: &'a str,
    os: &'a str,
    config: BTreeMap<String, String>,
    rootfs: RootFs,
}

#[derive(Serialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: Vec<Digest>,
}

impl LegacyConfig<'_> {
    fn of(layers: &[Descriptor]) -> Self {
        let diff_ids = layers.iter().map(|layer| layer.digest).collect();
        Self {
            architecture: "",
            os: "",
            config: BTreeMap::new(),
            rootfs: RootFs { kind: "layers", diff_ids },
        }
    }
}

/// A while that differs between writers and grows with the rounds.
async fn pause(round: u32) {
    let random = RandomState::new().hash_one(round) % PAUSE_MILLIS;
    tokio::time::sleep(Duration::from_millis(random * u64::from(round + 1))).await;
}

fn to_json<T: Serialize>(value: &T) -> Result<Bytes, CliError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(CliError::internal)
}

const MAX_ROUNDS: u32 = 12;
const PAUSE_MILLIS: u64 = 50;
