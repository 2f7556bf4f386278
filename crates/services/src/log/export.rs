//! A log's directory in the forms that other tools read. Works beside a running log, up to the checkpoint that it has kept.

use std::fs;
use std::io;
use std::path::Path;

use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::tlog::{EntryBundle, EntryProof, MAX_TILE_LEVEL, TILE_HEIGHT, Tile, inclusion_proof};

use super::OpenError;
use super::archive::Archive;
use super::chunk::Layout;
use super::identity::Identity;

/// Writes the log as C2SP tlog-tiles, or static-ct-api, has it: files that any web server can serve. `target` is made; what is in it
/// already is not read, and overwritten. Returns the number of entries.
pub fn export(data: &Path, target: &Path) -> Result<u64, OpenError> {
    let (archive, kept) = published(data)?;
    let size = kept.checkpoint().size;
    for level in 0..=MAX_TILE_LEVEL.min(u8::MAX / TILE_HEIGHT) {
        let tiles = (0..).map_while(|index| Tile::of_tree(level, index, size));
        let mut any = false;
        for tile in tiles {
            any = true;
            write(&target.join(tile.to_string()), archive.tile(tile)?.as_flattened())?;
        }
        if !any {
            break;
        }
    }
    for bundle in (0..).map_while(|index| EntryBundle::of_log(index, size)) {
        write(&target.join(archive.form.path(bundle)), &archive.bundle(bundle)?)?;
    }
    write(&target.join("checkpoint"), kept.note().to_string().as_bytes())?;
    Ok(size)
}

/// The proof that the entry at `index` is in the log.
pub fn prove(data: &Path, index: u64) -> Result<EntryProof, OpenError> {
    let (archive, checkpoint) = published(data)?;
    let size = checkpoint.checkpoint().size;
    if index >= size {
        return Err(OpenError::NoEntry { index, size });
    }
    let hashes = inclusion_proof(&archive, index, size)?;
    Ok(EntryProof { index, hashes, checkpoint })
}

/// The directory's content, as its own record of the log says it is to be read.
pub(super) fn load(data: &Path) -> Result<Archive, OpenError> {
    Archive::load(Layout::new(data), Identity::demand(data)?.form)
}

/// The directory's content with the checkpoint in it, which is read first: a running log may go on meanwhile.
fn published(data: &Path) -> Result<(Archive, SignedCheckpoint), OpenError> {
    let kept = Layout::new(data).kept()?;
    let kept = kept.ok_or_else(|| OpenError::Damaged("it has no checkpoint yet".to_owned()))?;
    let archive = load(data)?;
    match kept.checkpoint().size <= archive.tree.size() {
        true => Ok((archive, kept)),
        false => Err(OpenError::WentBack { found: archive.tree.size(), published: kept.checkpoint().size }),
    }
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, content)
}
