//! Whether two checkpoints of a log are of one history.

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::merkle::verify_consistency;

use super::range::Range;
use super::state::Seen;
use super::tree::Tree;

/// Whether the log itself proves that one checkpoint goes on from another.
pub(super) async fn is_consistent(
    tree: &dyn Tree,
    old: &SignedCheckpoint,
    new: &SignedCheckpoint,
) -> Result<bool, String> {
    let (old, new) = (old.checkpoint(), new.checkpoint());
    if old.size == new.size {
        return Ok(old.root == new.root);
    }
    // Every tree goes on from an empty one.
    if old.size == 0 {
        return Ok(true);
    }
    let proof = tree.consistency(old.size, new.size).await?;
    Ok(verify_consistency(old.size, new.size, &old.root, &new.root, &proof).is_ok())
}

/// Whether what was read is the beginning of what a checkpoint shows.
pub(super) async fn is_prefix(
    tree: &dyn Tree,
    read: &Range,
    shown: &SignedCheckpoint,
) -> Result<bool, String> {
    let shown = shown.checkpoint();
    if read.size() == shown.size {
        return Ok(read.root() == shown.root);
    }
    if read.size() == 0 {
        return Ok(true);
    }
    let proof = tree.consistency(read.size(), shown.size).await?;
    Ok(verify_consistency(read.size(), shown.size, &read.root(), &shown.root, &proof).is_ok())
}

/// Whether a checkpoint of no more entries than were seen is of another history. An error if nothing tells.
///
/// A log that forks shows nothing of the history that it has left, so what is remembered of that is asked first.
pub(super) async fn tells_apart(
    tree: &dyn Tree,
    seen: &Seen,
    shown: &SignedCheckpoint,
) -> Result<bool, String> {
    let (size, root) = (shown.checkpoint().size, shown.checkpoint().root);
    if let Some(known) = seen.grown.root_at(size) {
        return Ok(known != root);
    }
    match is_consistent(tree, shown, &seen.checkpoint).await {
        Ok(is_consistent) => Ok(!is_consistent),
        Err(why) => {
            let theirs = tree.newest(size).await?;
            let is_theirs = theirs.size() == size && theirs.root() == root;
            (is_theirs && theirs.contradicts(seen.grown.range())).then_some(true).ok_or(why)
        }
    }
}
