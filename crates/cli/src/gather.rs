//! Reading what is attached to an image. Nothing is judged here: whatever cannot be read is said to be unread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use signet_crypto::Digest;
use signet_formats::base64::Base64;
use signet_formats::oci::{Descriptor, Tag, media_type};
use signet_formats::{bundle, dsse, simple_signing};
use signet_registry::{Error, ImageStore, ManifestName, Referrers, Resolved, parallel};
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

#[async_trait]
impl Source for Arc<dyn ImageStore> {
    async fn manifest(&self, name: &ManifestName) -> Result<Resolved, Error> {
        self.resolve(Some(name)).await
    }

    async fn referrers(&self, subject: &Digest) -> Result<Referrers, Error> {
        self.as_ref().referrers(subject).await
    }

    async fn blob(&self, blob: &Descriptor, max: u64) -> Result<Bytes, Error> {
        self.as_ref().blob(blob).await?.collect_bytes(max).await
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

/// Reads everything in `place` about `subject`. Of the manifests no more is kept than where their signatures are.
pub(crate) async fn gather(source: &dyn Source, subject: &Digest, place: Place) -> Evidence {
    let (layers, unread) = find(source, subject, place, |attachment| signature_layers(&attachment)).await;
    let mut evidence = read_layers(source, layers.into_iter().flatten().collect()).await;
    evidence.unread.extend(unread);
    evidence
}

/// The manifests in `place` about `subject`, and what could not be opened.
pub(crate) async fn attachments(
    source: &dyn Source,
    subject: &Digest,
    place: Place,
) -> (Vec<Attachment>, Vec<Unread>) {
    find(source, subject, place, |attachment| attachment).await
}

/// The signatures in the layers of what is attached.
pub(crate) async fn read(source: &dyn Source, attachments: &[Attachment]) -> Evidence {
    read_layers(source, attachments.iter().flat_map(signature_layers).collect()).await
}

async fn read_layers(source: &dyn Source, layers: Vec<Layer>) -> Evidence {
    let reader = Reader { source, room: AtomicU64::new(MAX_TOTAL_BYTES) };
    let pieces = parallel(layers, PARALLEL, |(origin, layer)| reader.layer(origin, layer)).await;
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
async fn find<T>(
    source: &dyn Source,
    subject: &Digest,
    place: Place,
    keep: impl Fn(Attachment) -> T,
) -> (Vec<T>, Vec<Unread>) {
    match place {
        Place::Referrers => referrers(source, subject, keep).await,
        Place::SignatureTag | Place::AttestationTag => {
            let (found, missed) = tag(source, subject, place.suffix()).await;
            (found.into_iter().map(keep).collect(), missed)
        }
    }
}

/// Adds what was found elsewhere.
pub(crate) fn append(evidence: &mut Evidence, more: Evidence) {
    evidence.items.extend(more.items);
    evidence.unread.extend(more.unread);
}

async fn referrers<T>(
    source: &dyn Source,
    subject: &Digest,
    keep: impl Fn(Attachment) -> T,
) -> (Vec<T>, Vec<Unread>) {
    let listed = match source.referrers(subject).await {
        Ok(listed) => listed,
        Err(error) => return (Vec::new(), vec![unread(LIST, &error)]),
    };
    let room = AtomicU64::new(MAX_MANIFEST_BYTES);
    // The list's artifact types and annotations are only claims (cosign#4641): each manifest is opened.
    let open = |descriptor: Descriptor| async { referrer(source, &room, descriptor).await.map(&keep) };
    let (mut attachments, mut missed, mut without_room) = (Vec::new(), Vec::new(), 0_usize);
    for opened in parallel(listed.descriptors, PARALLEL, open).await {
        match opened {
            Ok(attachment) => attachments.push(attachment),
            Err(Missed::Unread(unread)) => missed.push(unread),
            Err(Missed::Room) => without_room += 1,
        }
    }
    if without_room > 0 {
        let reason =
            format!("{without_room} of their manifests: all together may have {MAX_MANIFEST_BYTES} bytes");
        missed.push(limit(LIST, reason));
    }
    missed.extend(listed.incomplete.map(|error| unread(LIST, &error)));
    (attachments, missed)
}

/// Opens a manifest if there is room for it. The list says how large it is before it is fetched; where it says too
/// little, the room pays for what came.
async fn referrer(source: &dyn Source, room: &AtomicU64, listed: Descriptor) -> Result<Attachment, Missed> {
    take(room, listed.size).map_err(|()| Missed::Room)?;
    let origin = format!("referrer {}", listed.digest);
    let manifest = source.manifest(&ManifestName::Digest(listed.digest)).await;
    let manifest = manifest.map_err(|error| Missed::Unread(unread(&origin, &error)))?;
    match take(room, manifest.descriptor.size.saturating_sub(listed.size)) {
        Ok(()) => Ok(Attachment { origin, manifest }),
        Err(()) => {
            room.store(0, Ordering::Relaxed);
            Err(Missed::Room)
        }
    }
}

/// Why a referrer was not opened.
enum Missed {
    /// It could not be.
    Unread(Unread),
    /// What was opened before it is all that may be.
    Room,
}

/// A tag of cosign's may be absent; then there is nothing, and nothing is missing.
async fn tag(source: &dyn Source, subject: &Digest, suffix: &str) -> (Vec<Attachment>, Vec<Unread>) {
    let Some(tag) = Tag::cosign_attachment(subject, suffix) else { return (Vec::new(), Vec::new()) };
    let origin = format!("tag {tag}");
    match source.manifest(&ManifestName::Tag(tag)).await {
        Ok(manifest) => (vec![Attachment { origin, manifest }], Vec::new()),
        Err(error) if error.is_not_found() => (Vec::new(), Vec::new()),
        Err(error) => (Vec::new(), vec![unread(&origin, &error)]),
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

struct Reader<'a> {
    source: &'a dyn Source,
    /// The bytes that may still be read.
    room: AtomicU64,
}

/// What was read, or not, of one layer.
type Piece = Result<EvidenceItem, Unread>;

impl Reader<'_> {
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use signet_formats::oci::MAX_MANIFEST_BYTES as LARGEST;
    use signet_registry::ReferrersVia;

    use super::*;

    /// Large manifests, of which a list says the truth or not, and the bytes of those that were asked for.
    struct Flood {
        listed: Vec<Descriptor>,
        large: Bytes,
        fetched: Mutex<u64>,
    }

    impl Flood {
        /// So many manifests that are as large as may be, and are said to have this many bytes less.
        fn of(count: usize, less: u64) -> Self {
            let start = r#"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:"#;
            let rest = format!("{}\",\"size\":1}},\"layers\":[]}}", "0".repeat(64));
            let large = format!("{start}{rest}{}", " ".repeat(LARGEST - start.len() - rest.len()));
            let size = LARGEST as u64 - less;
            let entry = |number: usize| {
                Descriptor::new(media_type::OCI_MANIFEST, Digest::sha256(&number.to_be_bytes()), size)
            };
            Self { listed: (0..count).map(entry).collect(), large: large.into(), fetched: Mutex::new(0) }
        }
    }

    #[async_trait]
    impl Source for Flood {
        async fn manifest(&self, name: &ManifestName) -> Result<Resolved, Error> {
            *self.fetched.lock().unwrap() += self.large.len() as u64;
            let digest = Digest::sha256(&self.large);
            Resolved::new(&name.to_string(), self.large.clone(), Some(media_type::OCI_MANIFEST), digest)
        }

        async fn referrers(&self, _: &Digest) -> Result<Referrers, Error> {
            let descriptors = self.listed.clone();
            Ok(Referrers { descriptors, via: ReferrersVia::Api, incomplete: None })
        }

        async fn blob(&self, _: &Descriptor, _: u64) -> Result<Bytes, Error> {
            unreachable!("the manifests have no layers")
        }
    }

    /// A hundred of them had all been fetched, and then there was no room for all but four.
    #[tokio::test]
    async fn nothing_is_fetched_that_there_is_no_room_for() {
        let flood = Flood::of(100, 0);
        let (opened, missed) = attachments(&flood, &Digest::sha256(b""), Place::Referrers).await;
        assert_eq!(opened.len() as u64, MAX_MANIFEST_BYTES / LARGEST as u64);
        assert_eq!(*flood.fetched.lock().unwrap(), MAX_MANIFEST_BYTES);
        assert_eq!(missed.len(), 1, "one note for all of them: {missed:?}");
        assert_eq!(missed.first().map(|unread| unread.code), Some(Code::EvidenceLimit));
    }

    #[tokio::test]
    async fn a_list_that_says_too_little_gets_no_more_room() {
        let flood = Flood::of(100, LARGEST as u64 - 1);
        let (opened, missed) = attachments(&flood, &Digest::sha256(b""), Place::Referrers).await;
        assert!(opened.len() as u64 <= MAX_MANIFEST_BYTES / LARGEST as u64 && missed.len() == 1);
        let under_way = PARALLEL as u64 * LARGEST as u64;
        assert!(*flood.fetched.lock().unwrap() <= MAX_MANIFEST_BYTES + under_way);
    }
}
