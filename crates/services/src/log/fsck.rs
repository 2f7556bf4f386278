//! Everything in a log's directory, checked against its entries. Works beside a running log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::cosignature;
use signet_formats::merkle::{self, Hash};
use signet_formats::note::{KeyKind, NoteError, VerifierKey};
use signet_formats::static_ct::verify_tree_head;
use signet_formats::tlog::{TILE_HEIGHT, tree_root};

use super::archive::Archive;
use super::chunk::{self, BUNDLES, CHUNK_WIDTH, Layout, Summary};
use super::identity::Identity;
use super::index::Runs;
use super::{OpenError, Place, origin_of, policy};

/// What was found.
#[derive(Clone, Debug)]
pub struct FsckReport {
    /// The log's name.
    pub origin: String,
    /// How many entries there are, as far as they are sound.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// What is wrong, in words; empty if nothing is.
    pub findings: Vec<String>,
}

/// Hashes every entry, and compares all that was made from them: roots, hashes, places, the index, the checkpoint.
pub fn fsck(data: &Path) -> Result<FsckReport, OpenError> {
    Ok(fsck_at(data, [])?.0)
}

/// The same, and the roots that the tree had at these sizes, as far as it has had them.
pub(super) fn fsck_at(
    data: &Path,
    sizes: impl IntoIterator<Item = u64>,
) -> Result<(FsckReport, BTreeMap<u64, Hash>), OpenError> {
    let identity = Identity::demand(data)?;
    // Read first: a running log may go on meanwhile.
    let kept = Layout::new(data).kept()?;
    let mut archive = Archive::bare(data, identity.form)?;
    let kept_size = kept.as_ref().map(|kept| kept.checkpoint().size);
    let mut roots = Roots { wanted: sizes.into_iter().chain(kept_size).collect(), known: BTreeMap::new() };
    let mut findings = Vec::new();
    let chunks = chunk::count(&archive.layout).unwrap_or_else(|error| {
        findings.push(error.to_string());
        0
    });
    let replayed = archive.replay(None, &mut |archive| {
        // Before what they follow from is let go: a backup has no hashes to read instead.
        roots.learn(archive)?;
        while archive.tree.size() / CHUNK_WIDTH > archive.chunks {
            if archive.chunks < chunks {
                findings.extend(check_chunk(archive, archive.chunks));
            }
            archive.chunks += 1;
            archive.tree.release(archive.chunks);
        }
        Ok(())
    });
    match replayed {
        Ok(()) => {}
        Err(OpenError::Damaged(why)) => findings.push(why),
        Err(error) => return Err(error),
    }
    let (size, root) = (archive.tree.size(), tree_root(&archive, archive.tree.size())?);
    let Roots { wanted, mut known } = roots;
    known.extend(wanted.contains(&size).then_some((size, root)));
    match &kept {
        Some(kept) => {
            findings.extend(check_checkpoint(&known, size, &identity, kept));
            findings.extend(check_witnesses(data, kept));
        }
        None => findings.push("`checkpoint` is missing".to_owned()),
    }
    findings.extend(Runs::check(&archive.layout).err().map(|error| format!("index: {error}")));
    Ok((FsckReport { origin: identity.origin, size, root, findings }, known))
}

/// The roots of the tree while it grows.
struct Roots {
    wanted: BTreeSet<u64>,
    known: BTreeMap<u64, Hash>,
}

impl Roots {
    /// Those of the sizes that it has reached.
    fn learn(&mut self, archive: &Archive) -> Result<(), OpenError> {
        let reached: Vec<u64> = self.wanted.range(..=archive.tree.size()).copied().collect();
        for size in reached {
            self.known.insert(size, tree_root(archive, size)?);
            self.wanted.remove(&size);
        }
        Ok(())
    }
}

/// Checks each shard by itself; one that cannot be read at all has that as its finding.
pub fn fsck_shards(shards: &[Place]) -> Result<Vec<FsckReport>, OpenError> {
    let check = |place: &Place| match fsck(&place.data) {
        Err(OpenError::Damaged(why)) => {
            let origin = place.origin.clone().or(origin_of(&place.data).ok().flatten());
            let origin = origin.unwrap_or_else(|| place.data.display().to_string());
            Ok(FsckReport { origin, size: 0, root: merkle::root(&[]), findings: vec![why] })
        }
        checked => checked,
    };
    shards.iter().map(check).collect()
}

fn check_chunk(archive: &Archive, number: u64) -> Option<String> {
    let about = |why: &dyn std::fmt::Display| Some(format!("hashes of chunk {number}: {why}"));
    let (summary, leaves) = match Summary::read(&archive.layout, number)
        .and_then(|summary| Ok((summary, chunk::leaves(&archive.layout, number * CHUNK_WIDTH, CHUNK_WIDTH)?)))
    {
        Ok(read) => read,
        Err(error) => return about(&error),
    };
    let nodes = |level: u8| {
        let count = CHUNK_WIDTH >> level;
        archive.tree.nodes(level, number * count, count).unwrap_or_default()
    };
    let first = usize::try_from(number).ok()? * BUNDLES;
    let places = archive.places.get(first..first + BUNDLES).unwrap_or_default();
    match (nodes(0) == leaves && nodes(TILE_HEIGHT) == summary.tiles, places == summary.places) {
        (true, true) => None,
        (true, false) => about(&"they name other places of the entries"),
        (false, _) => about(&"they are not those of the entries"),
    }
}

fn check_checkpoint(
    roots: &BTreeMap<u64, Hash>,
    size: u64,
    identity: &Identity,
    kept: &SignedCheckpoint,
) -> Option<String> {
    let published = kept.checkpoint();
    if published.size > size {
        return Some(format!(
            "a checkpoint of {} entries was published, but there are {size}",
            published.size
        ));
    }
    if published.origin != identity.origin {
        return Some(format!("the checkpoint is of `{}`", published.origin));
    }
    if roots.get(&published.size) != Some(&published.root) {
        return Some(format!("the checkpoint of size {} has another root than the entries", published.size));
    }
    identity.keys.iter().find_map(|key| check_signature(kept, key))
}

fn check_witnesses(root: &Path, kept: &SignedCheckpoint) -> Option<String> {
    match policy::kept(root) {
        Ok(Some(known)) if !policy::is_met(&known, kept) => {
            Some("the checkpoint does not have the cosignatures of the witness policy".to_owned())
        }
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// Checks the signature that a log's key made under a checkpoint.
pub fn verify_head(head: &SignedCheckpoint, key: &VerifierKey) -> Result<(), NoteError> {
    match key.kind() {
        KeyKind::SubtreeV1 => cosignature::verify(head, key).map(drop),
        KeyKind::CertificateLog => verify_tree_head(head, key).map(drop),
        _ => head.note().verify(key),
    }
}

fn check_signature(kept: &SignedCheckpoint, key: &str) -> Option<String> {
    let verified = key.parse::<VerifierKey>().and_then(|key| verify_head(kept, &key));
    verified.err().map(|error| format!("the checkpoint: {error} (`{key}`)"))
}
