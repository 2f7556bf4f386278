//! A log's directory in the forms that other tools read. Works beside a running log, up to its newest checkpoint.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::tlog::{
    EntryBundle, EntryProof, MAX_TILE_LEVEL, TILE_HEIGHT, Tile, inclusion_proof, tree_root,
};
use signet_store::fs::Disk;
use signet_store::lock;

use super::OpenError;
use super::archive::Archive;
use super::chunk::Layout;
use super::filing::KEEP_EVERY;
use super::fsck::verify_head;
use super::home::keys_of;
use super::identity::Identity;

/// Writes the log as C2SP tlog-tiles, or static-ct-api, has it: files that any web server can serve, also meanwhile: each appears
/// whole, and the checkpoint last. `target` is made. An earlier export of the same log is gone on with; what is not the
/// beginning of this log is refused, and nothing of it changed. Returns the number of entries.
pub fn export(data: &Path, target: &Path) -> Result<u64, OpenError> {
    let (archive, kept) = published(data)?;
    let size = kept.checkpoint().size;
    let files = Files::open(target)?;
    let before = files.size_before(data, &archive, size)?;
    for level in 0..=MAX_TILE_LEVEL.min(u8::MAX / TILE_HEIGHT) {
        let mut any = false;
        for tile in (0..).map_while(|index| Tile::of_tree(level, index, size)) {
            any = true;
            let is_there = Tile::of_tree(level, tile.index(), before) == Some(tile);
            files.put(&tile.to_string(), is_there, || Ok(archive.tile(tile)?.as_flattened().to_vec()))?;
        }
        if !any {
            break;
        }
    }
    for bundle in (0..).map_while(|index| EntryBundle::of_log(index, size)) {
        let is_there = EntryBundle::of_log(bundle.index(), before) == Some(bundle);
        files.put(&archive.form.path(bundle), is_there, || archive.bundle(bundle))?;
    }
    files.put(CHECKPOINT, false, || Ok(kept.note().to_string().into_bytes()))?;
    Ok(size)
}

/// The proof that the entry at `index` is in the log.
pub fn prove(data: &Path, index: u64) -> Result<EntryProof, OpenError> {
    let (archive, checkpoint) = published(data)?;
    let size = checkpoint.checkpoint().size;
    if index >= size {
        return Err(match index < archive.tree.size() {
            true => OpenError::Unpublished { index, size },
            false => OpenError::NoEntry { index, size },
        });
    }
    let hashes = inclusion_proof(&archive, index, size)?;
    Ok(EntryProof { index, hashes, checkpoint })
}

/// The directory's content, and its checkpoint if there is one. That of a running log is on the disk up to a second after
/// what it covers was acknowledged, and is waited for.
pub(super) fn settled(data: &Path) -> Result<(Archive, Option<SignedCheckpoint>), OpenError> {
    let (layout, until) = (Layout::new(data), Instant::now() + 2 * KEEP_EVERY);
    let (mut archive, mut kept) = (load(data)?, layout.kept()?);
    while size_of(&kept) < archive.tree.size() && Instant::now() < until {
        thread::sleep(LOOK_EVERY);
        kept = layout.kept()?;
    }
    if size_of(&kept) > archive.tree.size() {
        // The log has gone on meanwhile.
        archive = load(data)?;
    }
    let (found, published) = (archive.tree.size(), size_of(&kept));
    if published > found {
        return Err(OpenError::WentBack { found, published });
    }
    Ok((archive, kept))
}

/// How many entries a checkpoint covers.
pub(super) fn size_of(kept: &Option<SignedCheckpoint>) -> u64 {
    kept.as_ref().map_or(0, |kept| kept.checkpoint().size)
}

/// The directory's content with the checkpoint that has to be in it.
fn published(data: &Path) -> Result<(Archive, SignedCheckpoint), OpenError> {
    let (archive, kept) = settled(data)?;
    let kept = kept.ok_or_else(|| OpenError::Damaged("it has no checkpoint yet".to_owned()))?;
    Ok((archive, kept))
}

/// The directory's content, as its own record of the log says it is to be read.
fn load(data: &Path) -> Result<Archive, OpenError> {
    Archive::load(Layout::new(data), Identity::demand(data)?.form)
}

/// Where an export is written, by nobody else meanwhile.
struct Files {
    root: PathBuf,
    /// What is not of the export: the lock, and files that are not whole yet.
    scratch: PathBuf,
    disk: Disk,
    _lock: File,
}

impl Files {
    fn open(root: &Path) -> Result<Self, OpenError> {
        let (root, disk) = (std::path::absolute(root)?, Disk::default());
        let scratch = root.join(SCRATCH);
        disk.make_dirs(&scratch)?;
        let lock = lock(&scratch)?;
        Ok(Self { root, scratch, disk, _lock: lock })
    }

    /// How many entries are there already: they have to be the first of this log, which has `size`.
    fn size_before(&self, data: &Path, archive: &Archive, size: u64) -> Result<u64, OpenError> {
        let file = self.root.join(CHECKPOINT);
        let Some(there) = read(&file)? else { return Ok(0) };
        let foreign = |why: String| OpenError::NotOurs { file: file.clone(), why };
        let there = SignedCheckpoint::parse(&there).map_err(|error| foreign(error.to_string()))?;
        let (found, wanted) = (&there.checkpoint().origin, Identity::demand(data)?.origin);
        if *found != wanted {
            return Err(foreign(format!("it is of the log `{found}`, not `{wanted}`")));
        }
        if !keys_of(data)?.iter().any(|key| verify_head(&there, key).is_ok()) {
            return Err(foreign("no key of the log has signed it".to_owned()));
        }
        let (before, root) = (there.checkpoint().size, there.checkpoint().root);
        if before > size {
            return Err(OpenError::WentBack { found: size, published: before });
        }
        match tree_root(archive, before)? == root {
            true => Ok(before),
            false => Err(OpenError::Forked { size: before }),
        }
    }

    /// Writes a file, unless it is there as part of what was exported before. What else is there may be of an export that
    /// was cut off.
    fn put(
        &self,
        path: &str,
        is_there: bool,
        content: impl FnOnce() -> io::Result<Vec<u8>>,
    ) -> io::Result<()> {
        let file = self.root.join(path);
        match is_there && file.is_file() {
            true => Ok(()),
            false => self.disk.put(&self.scratch, &file, &content()?),
        }
    }
}

fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

const CHECKPOINT: &str = "checkpoint";
const SCRATCH: &str = ".export";
/// How often a checkpoint is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);
