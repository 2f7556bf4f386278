//! Reading what is attached to an image. Nothing is judged here: whatever cannot be read is said to be unread.

use std::cell::Cell;

use bytes::Bytes;
use signet_crypto::Digest;
use signet_formats::base64::Base64;
use signet_formats::oci::{Descriptor, Manifest, Tag, media_type};
use signet_formats::{bundle, dsse, simple_signing};
use signet_registry::{Error, ImageStore, ManifestName, parallel};
use signet_verify::{Code, Content, Evidence, EvidenceItem, Unread};

use crate::error::registry_code;

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

/// Reads everything in `place` about `subject`.
pub(crate) async fn gather(store: &dyn ImageStore, subject: &Digest, place: Place) -> Evidence {
    let reader = Reader { store, room: Cell::new(MAX_TOTAL_BYTES) };
    match place {
        Place::Referrers => reader.referrers(subject).await,
        Place::SignatureTag | Place::AttestationTag => reader.tag(subject, place.suffix()).await,
    }
}

/// Adds what was found elsewhere.
pub(crate) fn append(evidence: &mut Evidence, more: Evidence) {
    evidence.items.extend(more.items);
    evidence.unread.extend(more.unread);
}

struct Reader<'a> {
    store: &'a dyn ImageStore,
    /// The bytes that may still be read.
    room: Cell<u64>,
}

/// What was read, or not, of one layer.
type Piece = Result<EvidenceItem, Unread>;

impl Reader<'_> {
    async fn referrers(&self, subject: &Digest) -> Evidence {
        let listed = match self.store.referrers(subject).await {
            Ok(listed) => listed,
            Err(error) => return evidence(vec![Err(unread("the list of referrers", &error))]),
        };
        // The list's artifact types and annotations are only claims (cosign#4641): each manifest is opened.
        let read = |descriptor: Descriptor| async move {
            let origin = format!("referrer {}", descriptor.digest);
            self.manifest(&ManifestName::Digest(descriptor.digest), &origin, false).await
        };
        let mut pieces = parallel(listed.descriptors, PARALLEL, read).await.concat();
        let incomplete = listed.incomplete.map(|error| Err(unread("the list of referrers", &error)));
        pieces.extend(incomplete);
        evidence(pieces)
    }

    async fn tag(&self, subject: &Digest, suffix: &str) -> Evidence {
        let tag = Tag::cosign_attachment(subject, suffix);
        let origin = format!("tag {tag}");
        evidence(self.manifest(&ManifestName::Tag(tag), &origin, true).await)
    }

    /// The layers of one manifest. A tag may be absent; a manifest that is listed may not.
    async fn manifest(&self, name: &ManifestName, origin: &str, may_be_absent: bool) -> Vec<Piece> {
        let resolved = match self.store.resolve(Some(name)).await {
            Ok(resolved) => resolved,
            Err(error) if may_be_absent && error.is_not_found() => return Vec::new(),
            Err(error) => return vec![Err(unread(origin, &error))],
        };
        let layers = self.layers(&resolved.manifest, origin);
        parallel(layers, PARALLEL, |(origin, layer)| self.layer(origin, layer)).await
    }

    /// The layers that may hold signatures, with where they are.
    fn layers(&self, manifest: &Manifest, origin: &str) -> Vec<(String, Descriptor)> {
        let known =
            manifest.layers().iter().enumerate().filter(|(_, layer)| max_bytes(&layer.media_type).is_some());
        known
            .map(|(number, layer)| {
                let origin = match manifest.layers().len() {
                    1 => origin.to_owned(),
                    _ => format!("{origin}, layer {number}"),
                };
                (origin, layer.clone())
            })
            .collect()
    }

    async fn layer(&self, origin: String, layer: Descriptor) -> Piece {
        let max = max_bytes(&layer.media_type).unwrap_or(0);
        self.reserve(&origin, &layer, max)?;
        match self.read(&layer, max).await {
            Ok(bytes) => Ok(EvidenceItem { origin, content: content(&layer, &bytes) }),
            Err(error) => Err(unread(&origin, &error)),
        }
    }

    async fn read(&self, layer: &Descriptor, max: u64) -> Result<Bytes, Error> {
        self.store.blob(layer).await?.collect_bytes(max).await
    }

    /// Takes the layer's size out of the room there is.
    fn reserve(&self, origin: &str, layer: &Descriptor, max: u64) -> Result<(), Unread> {
        let left = self.room.get().checked_sub(layer.size).filter(|_| layer.size <= max);
        let left = left.ok_or_else(|| Unread {
            origin: origin.to_owned(),
            code: Code::EvidenceLimit,
            reason: format!("{} bytes; one may have {max}, all together {MAX_TOTAL_BYTES}", layer.size),
        })?;
        self.room.set(left);
        Ok(())
    }
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

fn evidence(pieces: Vec<Piece>) -> Evidence {
    let mut evidence = Evidence::default();
    for piece in pieces {
        match piece {
            Ok(item) => evidence.items.push(item),
            Err(unread) => evidence.unread.push(unread),
        }
    }
    evidence
}

fn unread(origin: &str, error: &Error) -> Unread {
    // What is listed and not there is missing evidence; it does not make the image missing.
    let code = match error.is_not_found() {
        true => Code::EvidenceUnread,
        false => registry_code(error),
    };
    Unread { origin: origin.to_owned(), code, reason: error.to_string() }
}

/// Requests under way at once.
const PARALLEL: usize = 16;
/// All that is read of one image's signatures, in bytes.
const MAX_TOTAL_BYTES: u64 = 32 * 1024 * 1024;
