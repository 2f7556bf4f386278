//! Which upload ends when there are too many of them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Upload;
use crate::name::UploadId;

/// The upload that ends for a new one of `owner`, already ended: of who has the most, empty ones first, then the one
/// that was left alone for longest. Who has no fewer than anybody else gives up what they left alone themselves.
///
/// So nobody's uploads end for somebody who has more of them, however many uploads one client begins.
pub(super) fn displaced(uploads: &HashMap<UploadId, Arc<Upload>>, owner: &str) -> Option<UploadId> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for upload in uploads.values() {
        *counts.entry(&upload.owner).or_default() += 1;
    }
    let count = |owner: &str| counts.get(owner).copied().unwrap_or_default();
    let own = count(owner);
    let gives_way = |upload: &Upload| {
        let theirs = count(&upload.owner);
        theirs > own || (theirs == own && upload.idle() >= LEFT_ALONE)
    };
    let mut candidates: Vec<_> = uploads.iter().filter(|(_, upload)| gives_way(upload)).collect();
    candidates.sort_by_cached_key(|(_, upload)| {
        (Reverse(count(&upload.owner)), upload.offset() != 0, Reverse(upload.idle()))
    });
    candidates.into_iter().find(|(_, upload)| end(upload)).map(|(id, _)| *id)
}

/// Ends an upload unless a request is adding to it.
fn end(upload: &Upload) -> bool {
    let Ok(mut progress) = upload.begin() else { return false };
    progress.ended = true;
    true
}

/// Who goes on with an upload does so earlier.
const LEFT_ALONE: Duration = Duration::from_secs(30);
