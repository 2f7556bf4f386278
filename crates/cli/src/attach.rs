//! Storing signatures beside the images they are about.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use signet_crypto::Digest;
use signet_formats::cosign::LegacySignature;
use signet_formats::in_toto::COSIGN_SIGN_V1;
use signet_formats::oci::{Descriptor, Manifest, Repository, Tag, media_type};
use signet_formats::time;
use signet_registry::{
    Attached, Client, Error, ImageStore, ManifestName, Precondition, PushOutcome, Resolved,
};
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
        artifact_type: Some(media_type::SIGSTORE_BUNDLE.to_owned()),
        subject: Some(Descriptor { annotations: BTreeMap::new(), platform: None, ..subject }),
        annotations: annotations.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ..image_manifest(config, vec![layer])
    })
}

fn image_manifest(config: Descriptor, layers: Vec<Descriptor>) -> Manifest {
    Manifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_MANIFEST.to_owned()),
        artifact_type: None,
        config: Some(config),
        layers: Some(layers),
        manifests: None,
        subject: None,
        annotations: BTreeMap::new(),
    }
}

/// Adds a signature to cosign's tag for `subject`, keeping those that are there.
///
/// The tag is read, changed and written on the condition that it has not changed. Where the registry does
/// not say that it held the condition, the tag is read again after a while, because there the later of
/// two writers wins (cosign#2432).
pub(crate) async fn legacy(
    client: &Client,
    repository: &Repository,
    subject: &Digest,
    signature: &LegacySignature,
) -> Result<Stored, Stop> {
    let tag = Tag::cosign_attachment(subject, "sig");
    let place = format!("tag {tag}");
    let list = List { client, repository, name: ManifestName::Tag(tag) };
    let payload = signature.payload.clone().into();
    let layer = client.push_bytes(repository, media_type::SIMPLE_SIGNING, payload);
    let annotations = signature.annotations().map_err(CliError::internal)?;
    let layer = Descriptor { annotations, ..layer.await? };
    let mut conflicts = 0;
    for _ in 0..MAX_ROUNDS {
        let started = Instant::now();
        let current = list.read().await?;
        if current.as_ref().is_some_and(|current| current.manifest.layers().contains(&layer)) {
            return Ok(Stored { place, race_possible: conflicts == 0 });
        }
        match list.write(current, &layer).await? {
            Ok(PushOutcome { condition_held: true, .. }) => {
                return Ok(Stored { place, race_possible: false });
            }
            Ok(_) => {}
            Err(Error::Conflict { .. }) => conflicts += 1,
            Err(error) if is_torn(&error) => {}
            Err(error) => return Err(error.into()),
        }
        pause(started.elapsed()).await;
    }
    Err(CliError::new(Code::ConcurrentUpdate, format!("{repository}, {place}")).into())
}

/// The image under a tag whose layers are signatures.
struct List<'a> {
    client: &'a Client,
    repository: &'a Repository,
    name: ManifestName,
}

impl List<'_> {
    async fn read(&self) -> Result<Option<Resolved>, Error> {
        match self.client.named(self.repository, &self.name).await {
            Ok(resolved) => Ok(Some(resolved)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes `current` with one layer more; what the registry makes of it is for the caller to judge.
    async fn write(
        &self,
        current: Option<Resolved>,
        layer: &Descriptor,
    ) -> Result<Result<PushOutcome, Error>, Stop> {
        let precondition = match &current {
            None => Precondition::Absent,
            Some(current) => current.etag.clone().map_or(Precondition::None, Precondition::Unchanged),
        };
        let mut layers = current.map(|current| current.manifest.layers().to_vec()).unwrap_or_default();
        layers.push(layer.clone());
        let config = to_json(&LegacyConfig::of(&layers))?;
        let config = self.client.push_new_bytes(self.repository, media_type::OCI_CONFIG, config).await?;
        let manifest = to_json(&image_manifest(config, layers))?;
        let (repository, name) = (self.repository, &self.name);
        let media_type = media_type::OCI_MANIFEST;
        Ok(self.client.put_manifest(repository, name, media_type, manifest, &precondition).await)
    }
}

/// docker-registry 2.8 answers so where it reads the tag while another writer is writing it. A manifest that
/// is stored by tag states no digest, so that it cannot be about what was sent.
fn is_torn(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 400, detail, .. } if detail.contains("DIGEST_INVALID"))
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

/// A while that differs between writers: one that read before we wrote writes within about the time that
/// we took.
async fn pause(took: Duration) {
    let took = took.clamp(Duration::from_millis(2), Duration::from_secs(2));
    let random = RandomState::new().hash_one(took) % 2_000;
    tokio::time::sleep(took + took * u32::try_from(random).unwrap_or_default() / 1_000).await;
}

fn to_json<T: Serialize>(value: &T) -> Result<Bytes, CliError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(CliError::internal)
}

const MAX_ROUNDS: u32 = 32;
