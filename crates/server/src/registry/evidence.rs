//! What a gated registry serves undecided: signatures and attestations themselves.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures_util::TryStreamExt;
use signet_crypto::Digest;
use signet_formats::oci::{
    EvidenceKind, MAX_EVIDENCE_BYTES, MAX_MANIFEST_DEPTH, Manifest, ManifestKind, Walk,
};
use signet_store::registry::{OpenBlob, StoreError, StoredManifest};
use tokio::sync::Semaphore;

use super::error::ApiError;
use super::service::{Call, Service};

/// What is known of contents: each is read once, because what a digest names does not change.
pub(super) struct Evidence {
    known: Mutex<HashMap<(EvidenceKind, Digest), Content>>,
    /// A content is in memory, whole, while it is looked at.
    looks: Semaphore,
}

/// Content that was looked at.
#[derive(Clone, Copy)]
struct Content {
    bytes: u64,
    is_evidence: bool,
}

impl Evidence {
    pub(super) fn new() -> Self {
        Self { known: Mutex::default(), looks: Semaphore::new(LOOKS_AT_ONCE) }
    }

    fn known(&self, kind: EvidenceKind, digest: Digest) -> Option<Content> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&(kind, digest)).copied()
    }

    fn remember(&self, kind: EvidenceKind, digest: Digest, content: Content) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert((kind, digest), content);
    }
}

impl Service {
    /// Whether the manifest holds nothing but signatures and attestations, or is an index of such.
    /// A subject, a tag or a media type is not enough: an image with layers may have them too.
    pub(super) async fn is_evidence(&self, call: &Call, stored: &StoredManifest) -> Result<bool, ApiError> {
        let mut walk = Walk::new(MAX_MANIFEST_DEPTH, MAX_CHILDREN);
        let mut room = Room { layers: MAX_LAYERS, bytes: MAX_BYTES };
        let (mut parsed, mut depth) = (Manifest::parse(&stored.bytes).ok(), 0);
        let mut pending = Vec::new();
        while let Some(manifest) = parsed.filter(may_hold_evidence) {
            if !self.are_evidence(call, &manifest, &mut room).await? {
                return Ok(false);
            }
            for child in manifest.manifests() {
                match walk.enter(child.digest, depth + 1) {
                    Ok(true) => pending.push((child.digest, depth + 1)),
                    Ok(false) => {}
                    Err(_) => return Ok(false),
                }
            }
            let Some((digest, below)) = pending.pop() else { return Ok(true) };
            let stored = self.store.manifest(&call.repository, &digest).await?;
            parsed = stored.and_then(|stored| Manifest::parse(&stored.bytes).ok());
            depth = below;
        }
        Ok(false)
    }

    async fn are_evidence(
        &self,
        call: &Call,
        manifest: &Manifest,
        room: &mut Room,
    ) -> Result<bool, ApiError> {
        for layer in manifest.layers() {
            let content = match EvidenceKind::of(manifest, layer) {
                Some(kind) if room.layers > 0 => self.content(call, kind, &layer.digest).await?,
                _ => None,
            };
            if !content.is_some_and(|content| room.take(content)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the content of a layer is; nothing where there is no such blob.
    async fn content(
        &self,
        call: &Call,
        kind: EvidenceKind,
        digest: &Digest,
    ) -> Result<Option<Content>, ApiError> {
        if let Some(content) = self.evidence.known(kind, *digest) {
            return Ok(Some(content));
        }
        let Ok(_look) = self.evidence.looks.acquire().await else { return Ok(None) };
        let Some(blob) = self.store.open_blob(&call.repository, digest).await? else { return Ok(None) };
        let bytes = blob.size();
        let is_evidence = bytes <= MAX_EVIDENCE_BYTES as u64 && holds(kind, digest, blob).await?;
        let content = Content { bytes, is_evidence };
        self.evidence.remember(kind, *digest, content);
        Ok(Some(content))
    }
}

/// Whether the blob, read whole, is of that kind. What does not have its digest is not what will be remembered under it.
async fn holds(kind: EvidenceKind, digest: &Digest, blob: OpenBlob) -> Result<bool, StoreError> {
    let size = blob.size();
    let mut parts = blob.read(0..size);
    let mut content = Vec::new();
    while let Some(part) = parts.try_next().await? {
        content.extend_from_slice(&part);
    }
    let digest = *digest;
    let looked = tokio::task::spawn_blocking(move || {
        let is_it = Digest::of(digest.algorithm(), &content) == digest;
        is_it.then(|| kind.is(&content)).ok_or(StoreError::Corrupt(digest))
    });
    looked.await.map_err(|error| StoreError::Io(std::io::Error::other(error)))?
}

/// What one manifest of evidence, or an index of such, may still hold.
struct Room {
    layers: usize,
    bytes: u64,
}

impl Room {
    /// Whether the content is evidence and there is room for it.
    fn take(&mut self, content: Content) -> bool {
        let bytes = self.bytes.checked_sub(content.bytes);
        self.layers = self.layers.saturating_sub(1);
        self.bytes = bytes.unwrap_or_default();
        content.is_evidence && bytes.is_some()
    }
}

/// An index may, as long as everything in it does; an empty one does not.
fn may_hold_evidence(manifest: &Manifest) -> bool {
    match manifest.kind() {
        ManifestKind::Image => !manifest.layers().is_empty(),
        ManifestKind::Index => !manifest.manifests().is_empty(),
    }
}

/// Layers of a manifest of evidence, or of all in an index of such.
const MAX_LAYERS: usize = 4_096;
/// Bytes of those together.
const MAX_BYTES: u64 = 64 << 20;
/// Manifests of an index of evidence.
const MAX_CHILDREN: usize = 1_000;
/// Contents that are looked at side by side.
const LOOKS_AT_ONCE: usize = 2;
/// Contents that are remembered.
const MAX_KNOWN: usize = 65_536;
