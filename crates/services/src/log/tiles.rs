//! A log as files that anybody's server serves (C2SP tlog-tiles), checked whole: Tessera's, Rekor's, an export of ours.

use std::fs;
use std::io;
use std::path::Path;

use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::merkle::{self, Hash, leaf_hash};
use signet_formats::note::VerifierKey;
use signet_formats::tlog::{Entries, EntryBundle, TILE_WIDTH, Tile, full_path};

use super::OpenError;
use super::fsck::FsckReport;

/// Hashes every entry, and compares every tile and the checkpoint; with a key, its signature too.
pub fn fsck_tiles(dir: &Path, key: Option<&VerifierKey>) -> Result<FsckReport, OpenError> {
    let bytes = fs::read(dir.join("checkpoint"))?;
    let signed = SignedCheckpoint::parse(&bytes)
        .map_err(|error| OpenError::Damaged(format!("`checkpoint`: {error}")))?;
    let checkpoint = signed.checkpoint();
    let mut findings = Vec::new();
    if let Some(Err(error)) = key.map(|key| signed.note().verify(key)) {
        findings.push(format!("`checkpoint`: {error}"));
    }
    let mut check = Check { dir, checkpoint, findings };
    let mut hashes = check.leaves()?;
    let mut level = 0;
    // Each level of tiles is made of the roots of the full tiles below it.
    while !hashes.is_empty() {
        check.tiles(level, &hashes)?;
        let (full, _) = hashes.as_chunks::<WIDTH>();
        hashes = full.iter().map(|tile| merkle::root(tile)).collect();
        level += 1;
    }
    let Check { findings, .. } = check;
    Ok(FsckReport {
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: checkpoint.root,
        findings,
    })
}

struct Check<'a> {
    dir: &'a Path,
    checkpoint: &'a Checkpoint,
    findings: Vec<String>,
}

impl Check<'_> {
    /// The hashes of all entries, which have to give the checkpoint's root.
    fn leaves(&mut self) -> Result<Vec<Hash>, OpenError> {
        let mut leaves = Vec::new();
        for bundle in (0..).map_while(|index| EntryBundle::of_log(index, self.checkpoint.size)) {
            let bytes = self.read(&bundle.to_string())?;
            let read: Result<Vec<Hash>, _> = Entries::new(&bytes)
                .take(usize::from(bundle.width()))
                .map(|entry| entry.map(leaf_hash))
                .collect();
            match read {
                Ok(read) if read.len() == usize::from(bundle.width()) => leaves.extend(read),
                Ok(_) => return Err(OpenError::Damaged(format!("`{bundle}` has too few entries"))),
                Err(error) => return Err(OpenError::Damaged(format!("`{bundle}`: {error}"))),
            }
        }
        if merkle::root(&leaves) != self.checkpoint.root {
            self.findings.push("the entries are not those of the checkpoint".to_owned());
        }
        Ok(leaves)
    }

    /// The tiles of one level, which have to be these hashes.
    fn tiles(&mut self, level: u8, hashes: &[Hash]) -> Result<(), OpenError> {
        for (index, hashes) in (0..).zip(hashes.chunks(WIDTH)) {
            let tile = Tile::of_tree(level, index, self.checkpoint.size)
                .ok_or_else(|| OpenError::Damaged(format!("there is no tile {index} of level {level}")))?;
            match self.read(&tile.to_string()) {
                // Where the full tile is there already, it begins with what the checkpoint has.
                Ok(bytes) if bytes.starts_with(hashes.as_flattened()) => {}
                Ok(_) => self.findings.push(format!("`{tile}` is not of the entries")),
                Err(OpenError::Damaged(why)) => self.findings.push(why),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// A resource; in the place of a partial one the full one, which may have replaced it.
    fn read(&self, path: &str) -> Result<Vec<u8>, OpenError> {
        for name in [Some(path), full_path(path)].into_iter().flatten() {
            match fs::read(self.dir.join(name)) {
                Ok(bytes) => return Ok(bytes),
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(OpenError::Damaged(format!("`{path}` is missing")))
    }
}

const WIDTH: usize = TILE_WIDTH as usize;
