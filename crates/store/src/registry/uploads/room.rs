//! Which upload ends when there are too many of them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::StoreError;
use super::Upload;
use crate::name::UploadId;

/// Makes room for one more upload of `owner`: where there are `limit` already, or half as many of theirs, one of them
/// has ended, which is returned.
///
/// What a request is adding to never ends for another one, so that the half which one owner cannot have is what others
/// always find.
pub(super) fn make(
    uploads: &HashMap<UploadId, Arc<Upload>>,
    owner: &str,
    limit: usize,
) -> Result<Option<UploadId>, StoreError> {
    let own = uploads.values().filter(|upload| upload.owner == owner).count();
    let displaced = match own < limit.div_ceil(2) {
        true if uploads.len() < limit => return Ok(None),
        true => displaced(uploads, owner),
        false => left_alone(uploads, owner),
    };
    displaced.map(Some).ok_or(StoreError::TooManyUploads)
}

/// Of those of `owner` that were left alone the one for longest, already ended.
fn left_alone(uploads: &HashMap<UploadId, Arc<Upload>>, owner: &str) -> Option<UploadId> {
    let left = |upload: &Upload| upload.owner == owner && upload.idle() >= LEFT_ALONE;
    let mut candidates: Vec<_> = uploads.iter().filter(|(_, upload)| left(upload)).collect();
    candidates.sort_by_cached_key(|(_, upload)| (upload.offset() != 0, Reverse(upload.idle())));
    candidates.into_iter().find(|(_, upload)| end(upload)).map(|(id, _)| *id)
}

/// The upload that ends for a new one of `owner`, already ended: of who has the most, empty ones first, then the one
/// that was left alone for longest. Who has no fewer than anybody else gives up what they left alone themselves.
///
/// So nobody's uploads end for somebody who has more of them, however many uploads one client begins.
fn displaced(uploads: &HashMap<UploadId, Arc<Upload>>, owner: &str) -> Option<UploadId> {
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use signet_crypto::DigestAlgorithm;

    use super::*;

    /// A thousand requests that each held an upload open, a byte every two minutes, had stopped all pushes.
    #[test]
    fn one_owners_busy_uploads_leave_others_their_half() {
        let (mut uploads, mut requests) = (HashMap::new(), Vec::new());
        let mut begin = |owner: &str| {
            let room = make(&uploads, owner, 8)?;
            assert_eq!(room, None, "nothing ends under a request");
            let repository = "a".parse().unwrap();
            let upload = Upload::new(repository, owner.to_owned(), DigestAlgorithm::Sha256, PathBuf::new());
            requests.push(upload.begin().unwrap());
            uploads.insert(UploadId::random(), Arc::new(upload));
            Ok(())
        };
        for owner in ["holder", "other"] {
            (0..4).for_each(|_| begin(owner).unwrap());
            assert!(matches!(begin(owner), Err(StoreError::TooManyUploads)), "{owner}");
        }
        assert!(matches!(begin("third"), Err(StoreError::TooManyUploads)));
        requests.pop();
        assert!(make(&uploads, "third", 8).unwrap().is_some());
    }
}
