//! Reading what is attached to an image. Nothing is judged here: whatever cannot be read is said to be unread.

use std::future::{self, Future};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use signet_crypto::Digest;
use signet_formats::base64::Base64;
use signet_formats::oci::{Descriptor, Tag, media_type};
use signet_formats::{bundle, dsse, simple_signing};
use signet_registry::{Error, ImageStore, ManifestName, Referrers, Resolved, parallel, spread};
use signet_verify::{Code, Content, Evidence, EvidenceItem, Unread};

use crate::error::registry_code;

/// Where evidence is read from.
#[async_trait]
pub(crate) trait Source: Send + Sync {
    /// A manifest.
    async fn manifest(&self, name: &ManifestName) -> Result<Resolved, Error>;

    /// What refers to a manifest.
    async fn referrers(&self, subject: &Digest) -> Result<Referrers, Error>;

    /// A blob of at most `max` bytes.
    async fn blob(&self, blob: &Descriptor, max: u64) -> Result<Bytes, Error>;
}

/// A store of images as a source.
pub(crate) fn of_store(store: &Arc<dyn ImageStore>) -> Arc<dyn Source> {
    Arc::new(Store(store.clone()))
}

struct Store(Arc<dyn ImageStore>);

#[async_trait]
impl Source for Store {
    async fn manifest(&self, name: &ManifestName) -> Result<Resolved, Error> {
        self.0.resolve(Some(name)).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers, Error> {
        self.0.referrers(subject).await
    }

    async fn blob(&self, blob: &Descriptor, max: u64) -> Result<Bytes, Error> {
        self.0.blob(blob).await?.collect_bytes(max).await
    }
}

/// Where signatures are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The manifests that refer to the image.
    Referrers,
    /// cosign's tag of signatures, `sha256-….sig`.
    SignatureTag,
    /// cosign's tag of attestations, `sha256-….att`.
    AttestationTag,
}

impl Place {
    /// Every place, the likeliest first.
    pub(crate) const ALL: [Self; 3] = [Self::Referrers, Self::SignatureTag, Self::AttestationTag];

    fn suffix(self) -> &'static str {
        match self {
            Self::AttestationTag => "att",
            Self::Referrers | Self::SignatureTag => "sig",
        }
    }
}

/// Something attached to an image: its manifest, which was opened, and where it was found.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    /// `referrer sha256:…` or `tag sha256-….sig`.
    pub(crate) origin: String,
    /// The manifest.
    pub(crate) manifest: Resolved,
}

/// Reads everything in `place` about `subject`. Of the manifests no more is kept than their signatures.
pub(crate) async fn gather(source: &Arc<dyn Source>, subject: &Digest, place: Place) -> Evidence {
    let reader = Arc::new(Reader::new(source));
    let read = move |attachment: Attachment| {
        let reader = Arc::clone(&reader);
        async move { reader.layers(&attachment).await }
    };
    let (pieces, unread) = find(source, subject, place, read).await;
    let mut evidence = evidence(pieces.into_iter().flatten());
    evidence.unread.extend(unread);
    evidence
}

/// The manifests in `place` about `subject`, and what could not be opened.
pub(crate) async fn attachments(
    source: &Arc<dyn Source>,
    subject: &Digest,
    place: Place,
) -> (Vec<Attachment>, Vec<Unread>) {
    find(source, subject, place, future::ready).await
}

/// The signatures in the layers of what is attached.
pub(crate) async fn read(source: &Arc<dyn Source>, attachments: &[Attachment]) -> Evidence {
    let reader = Reader::new(source);
    let pieces = parallel(attachments.iter().collect(), PARALLEL, |attachment| reader.layers(attachment));
    evidence(pieces.await.into_iter().flatten())
}

fn evidence(pieces: impl Iterator<Item = Piece>) -> Evidence {
    let mut evidence = Evidence::default();
    for piece in pieces {
        match piece {
            Ok(item) => evidence.items.push(item),
            Err(unread) => evidence.unread.push(unread),
        }
    }
    evidence
}

/// Opens what is in `place` about `subject`, and keeps of each what `keep` makes of it.
async fn find<T: Send + 'static, F: Future<Output = T> + Send>(
    source: &Arc<dyn Source>,
    subject: &Digest,
    place: Place,
    keep: impl Fn(Attachment) -> F + Clone + Send + Sync + 'static,
) -> (Vec<T>, Vec<Unread>) {
    match place {
        Place::Referrers => referrers(source, subject, keep).await,
        Place::SignatureTag | Place::AttestationTag => match tag(source, subject, place.suffix()).await {
            Ok(Some(found)) => (vec![keep(found).await], Vec::new()),
            Ok(None) => (Vec::new(), Vec::new()),
            Err(unread) => (Vec::new(), vec![unread]),
        },
    }
}

/// Adds what was found elsewhere.
pub(crate) fn append(evidence: &mut Evidence, more: Evidence) {
    evidence.items.extend(more.items);
    evidence.unread.extend(more.unread);
}

async fn referrers<T: Send + 'static, F: Future<Output = T> + Send>(
    source: &Arc<dyn Source>,
    subject: &Digest,
    keep: impl Fn(Attachment) -> F + Clone + Send + Sync + 'static,
) -> (Vec<T>, Vec<Unread>) {
    let listed = match source.referrers(subject).await {
        Ok(listed) => listed,
        Err(error) => return (Vec::new(), vec![unread(LIST, &error)]),
    };
    let opener = Arc::new(Opener { source: Arc::clone(source), room: AtomicU64::new(MAX_MANIFEST_BYTES) });
    let open = move |descriptor: Descriptor| {
        let (opener, keep) = (Arc::clone(&opener), keep.clone());
        async move { Ok(keep(opener.open(descriptor).await?).await) }
    };
    let (mut kept, mut missed) = (Vec::new(), Vec::new());
    for opened in spread(listed.descriptors, PARALLEL, open).await {
        match opened {
            Ok(piece) => kept.push(piece),
            Err(unread) => missed.push(unread),
        }
    }
    missed.extend(listed.incomplete.map(|error| unread(LIST, &error)));
    (kept, missed)
}

/// Opens referrers.
struct Opener {
    source: Arc<dyn Source>,
    /// The bytes of manifests that may still be read.
    room: AtomicU64,
}

impl Opener {
    /// The list's artifact types and annotations are only claims (cosign#4641): each manifest is opened.
    async fn open(&self, descriptor: Descriptor) -> Result<Attachment, Unread> {
        let origin = format!("referrer {}", descriptor.digest);
        match self.source.manifest(&ManifestName::Digest(descriptor.digest)).await {
            Ok(manifest) => {
                take(&self.room, manifest.descriptor.size)
                    .map_err(|()| too_many(&origin, MAX_MANIFEST_BYTES))?;
                Ok(Attachment { origin, manifest })
            }
            Err(error) => Err(unread(&origin, &error)),
        }
    }
}

/// A tag of cosign's may be absent; then there is nothing, and nothing is missing.
async fn tag(source: &Arc<dyn Source>, subject: &Digest, suffix: &str) -> Result<Option<Attachment>, Unread> {
    let tag = Tag::cosign_attachment(subject, suffix);
    let origin = format!("tag {tag}");
    match source.manifest(&ManifestName::Tag(tag)).await {
        Ok(manifest) => Ok(Some(Attachment { origin, manifest })),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(unread(&origin, &error)),
    }
}

/// The layers that may hold signatures, with where they are.
fn signature_layers(attachment: &Attachment) -> Vec<Layer> {
    let (origin, layers) = (&attachment.origin, attachment.manifest.manifest.layers());
    let numbered = layers.iter().enumerate().filter(|(_, layer)| max_bytes(&layer.media_type).is_some());
    numbered
        .map(|(number, layer)| match layers.len() {
            1 => (origin.clone(), layer.clone()),
            _ => (format!("{origin}, layer {number}"), layer.clone()),
        })
        .collect()
}

/// A layer, and where it is.
type Layer = (String, Descriptor);

/// Reads signatures.
struct Reader {
    source: Arc<dyn Source>,
    /// The bytes that may still be read.
    room: AtomicU64,
}

/// What was read, or not, of one layer.
type Piece = Result<EvidenceItem, Unread>;

impl Reader {
    fn new(source: &Arc<dyn Source>) -> Self {
        Self { source: Arc::clone(source), room: AtomicU64::new(MAX_TOTAL_BYTES) }
    }

    async fn layers(&self, attachment: &Attachment) -> Vec<Piece> {
        let layers = signature_layers(attachment);
        parallel(layers, PARALLEL, |(origin, layer)| self.layer(origin, layer)).await
    }

    async fn layer(&self, origin: String, layer: Descriptor) -> Piece {
        let max = max_bytes(&layer.media_type).unwrap_or(0);
        self.reserve(&origin, &layer, max)?;
        match self.source.blob(&layer, max).await {
            Ok(bytes) => Ok(EvidenceItem { origin, content: content(&layer, &bytes) }),
            Err(error) => Err(unread(&origin, &error)),
        }
    }

    /// Takes the layer's size out of the room there is.
    fn reserve(&self, origin: &str, layer: &Descriptor, max: u64) -> Result<(), Unread> {
        match layer.size <= max {
            true => take(&self.room, layer.size).map_err(|()| too_many(origin, MAX_TOTAL_BYTES)),
            false => Err(limit(origin, format!("{} bytes; one may have {max}", layer.size))),
        }
    }
}

/// Takes `size` bytes out of the room there is.
fn take(room: &AtomicU64, size: u64) -> Result<(), ()> {
    let taken = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(size));
    taken.map(|_| ()).map_err(|_| ())
}

fn too_many(origin: &str, max: u64) -> Unread {
    limit(origin, format!("all together may have {max} bytes"))
}

fn limit(origin: &str, reason: String) -> Unread {
    Unread { origin: origin.to_owned(), code: Code::EvidenceLimit, reason }
}

fn content(layer: &Descriptor, bytes: &Bytes) -> Content {
    let annotations = layer.annotations.clone();
    match layer.media_type.as_str() {
        media_type::SIMPLE_SIGNING => {
            Content::CosignSignature { payload: Base64(bytes.to_vec()), annotations }
        }
        media_type::DSSE_ENVELOPE => {
            Content::CosignAttestation { envelope: Base64(bytes.to_vec()), annotations }
        }
        _ => Content::Bundle { bytes: Base64(bytes.to_vec()) },
    }
}

/// The most bytes that a layer of this media type may have; none of a type that holds no signature.
fn max_bytes(media_type: &str) -> Option<u64> {
    let max = match media_type {
        media_type::SIMPLE_SIGNING => simple_signing::MAX_BYTES,
        media_type::DSSE_ENVELOPE => dsse::MAX_ENVELOPE_BYTES,
        _ if media_type.starts_with(media_type::SIGSTORE_BUNDLE_PREFIX) => bundle::MAX_BUNDLE_BYTES,
        _ => return None,
    };
    u64::try_from(max).ok()
}

fn unread(origin: &str, error: &Error) -> Unread {
    // What is listed and not there is missing evidence; it does not make the image missing.
    let code = match error.is_not_found() {
        true => Code::EvidenceUnread,
        false => registry_code(error),
    };
    Unread { origin: origin.to_owned(), code, reason: error.to_string() }
}

/// What the list itself is called where it could not be read.
const LIST: &str = "the list of referrers";
/// Requests under way at once.
const PARALLEL: usize = 16;
/// All manifests of one image's referrers that are opened, in bytes.
const MAX_MANIFEST_BYTES: u64 = 16 * 1024 * 1024;
/// All that is read of one image's signatures, in bytes.
const MAX_TOTAL_BYTES: u64 = 32 * 1024 * 1024;
