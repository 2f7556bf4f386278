//! What follows from 65,536 entries, in a file that is written once: their hashes, and where they are.
//!
//! Trusted? No: the nodes above are tied to the root that the log was opened with, and `fsck` hashes all. What an
//! attacker who can write it gains: tiles that no reader accepts. May it be lost? Yes: it is made again
//! from the entries.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use signet_crypto::Digest;
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::merkle::{self, Hash};
use signet_formats::tlog::{TILE_HEIGHT, TILE_WIDTH, Tile};
use signet_store::fs::{Disk, read_exact_at};

use super::OpenError;
use super::wal::Place;

/// The height of a chunk's root: two levels of tiles.
pub(super) const CHUNK_HEIGHT: u8 = 2 * TILE_HEIGHT;

/// The entries of a chunk.
pub(super) const CHUNK_WIDTH: u64 = TILE_WIDTH * TILE_WIDTH;

/// The bundles of a chunk.
pub(super) const BUNDLES: usize = 256;

/// What a chunk is written from.
pub(super) struct Content {
    /// Which one.
    pub(super) number: u64,
    /// The hashes of its leaves.
    pub(super) leaves: Vec<Hash>,
    /// The roots of its tiles of leaves.
    pub(super) tiles: Vec<Hash>,
    /// Where its bundles begin.
    pub(super) places: Vec<Place>,
}

impl Content {
    /// Writes it, whole or not at all.
    pub(super) fn write(&self, disk: &Disk, layout: &Layout) -> io::Result<()> {
        let places = self.places.iter().flat_map(|place| [place.segment, place.offset]);
        let places: Vec<u8> = places.flat_map(u64::to_be_bytes).collect();
        let tail = [self.tiles.as_flattened(), &places, &self.number.to_be_bytes(), MAGIC].concat();
        let check = Digest::sha256(&tail);
        let file = [self.leaves.as_flattened(), &tail, check.as_bytes()].concat();
        if file.len() != FILE_BYTES {
            return Err(io::Error::other("a chunk of the wrong size"));
        }
        disk.put(&layout.scratch, &layout.chunk(self.number), &file)
    }
}

/// The small part of a chunk: all but the hashes of its leaves.
pub(super) struct Summary {
    /// The roots of its tiles of leaves.
    pub(super) tiles: Vec<Hash>,
    /// Where its bundles begin.
    pub(super) places: Vec<Place>,
}

impl Summary {
    /// Reads chunk `number`.
    pub(super) fn read(layout: &Layout, number: u64) -> io::Result<Self> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the file is damaged");
        let file = File::open(layout.chunk(number))?;
        if file.metadata()?.len() != FILE_BYTES as u64 {
            return Err(damaged());
        }
        let mut tail = vec![0; FILE_BYTES - LEAVES_BYTES];
        read_exact_at(&file, &mut tail, LEAVES_BYTES as u64)?;
        let (tail, check) = tail.split_last_chunk::<32>().ok_or_else(damaged)?;
        let (tiles, rest) = tail.split_at_checked(TILES_BYTES).ok_or_else(damaged)?;
        let (places, rest) = rest.split_at_checked(PLACES_BYTES).ok_or_else(damaged)?;
        let named = rest == [&number.to_be_bytes(), MAGIC].concat();
        if !named || Digest::sha256(tail).as_bytes() != check {
            return Err(damaged());
        }
        let numbers: Vec<u64> =
            places.as_chunks::<8>().0.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect();
        let place = |[segment, offset]: &[u64; 2]| Place { segment: *segment, offset: *offset };
        let places = numbers.as_chunks::<2>().0.iter().map(place).collect();
        Ok(Self { tiles: tiles.as_chunks::<32>().0.to_vec(), places })
    }

    /// The chunk's root.
    pub(super) fn root(&self) -> Hash {
        merkle::root(&self.tiles)
    }
}

/// Reads the hashes of `count` leaves from `first` on, which are in one chunk.
pub(super) fn leaves(layout: &Layout, first: u64, count: u64) -> io::Result<Vec<Hash>> {
    let file = File::open(layout.chunk(first / CHUNK_WIDTH))?;
    let count = usize::try_from(count.min(CHUNK_WIDTH)).map_err(io::Error::other)?;
    let mut hashes = vec![[0; 32]; count];
    read_exact_at(&file, hashes.as_flattened_mut(), first % CHUNK_WIDTH * 32)?;
    Ok(hashes)
}

/// Reads a tile of a chunk.
pub(super) fn tile(layout: &Layout, tile: Tile) -> io::Result<Vec<Hash>> {
    match tile.level() {
        0 => leaves(layout, tile.index() * TILE_WIDTH, u64::from(tile.width())),
        1 => {
            let mut tiles = Summary::read(layout, tile.index())?.tiles;
            tiles.truncate(usize::from(tile.width()));
            Ok(tiles)
        }
        _ => Err(io::Error::other(format!("`{tile}` is missing"))),
    }
}

/// Reads where a bundle begins.
pub(super) fn place(layout: &Layout, bundle: u64) -> io::Result<Place> {
    let file = File::open(layout.chunk(bundle / TILE_WIDTH))?;
    let mut numbers = [[0; 8]; 2];
    let offset = (LEAVES_BYTES + TILES_BYTES) as u64 + bundle % TILE_WIDTH * 16;
    read_exact_at(&file, numbers.as_flattened_mut(), offset)?;
    let [segment, offset] = numbers.map(u64::from_be_bytes);
    Ok(Place { segment, offset })
}

/// Nodes below the roots of chunks. What is read is kept, so that a proof reads two tiles.
pub(super) struct Filed<'a> {
    layout: &'a Layout,
    /// The last tile of leaves, by its index.
    leaves: RefCell<Option<(u64, Vec<Hash>)>>,
    /// The roots of a chunk's tiles, by its number.
    tiles: RefCell<Option<(u64, Vec<Hash>)>>,
}

impl<'a> Filed<'a> {
    pub(super) fn new(layout: &'a Layout) -> Self {
        Self { layout, leaves: RefCell::default(), tiles: RefCell::default() }
    }

    pub(super) fn node(&self, level: u8, index: u64) -> io::Result<Hash> {
        let first = index << level;
        if level < TILE_HEIGHT {
            let read = |tile| leaves(self.layout, tile * TILE_WIDTH, TILE_WIDTH);
            return root_within(&self.leaves, first / TILE_WIDTH, read, first % TILE_WIDTH, level);
        }
        let read = |number| Ok(Summary::read(self.layout, number)?.tiles);
        let within = first % CHUNK_WIDTH / TILE_WIDTH;
        root_within(&self.tiles, first / CHUNK_WIDTH, read, within, level - TILE_HEIGHT)
    }
}

/// The root over `2^height` of the hashes that are kept, or read, under a number.
fn root_within(
    kept: &RefCell<Option<(u64, Vec<Hash>)>>,
    number: u64,
    read: impl FnOnce(u64) -> io::Result<Vec<Hash>>,
    start: u64,
    height: u8,
) -> io::Result<Hash> {
    let mut kept = kept.borrow_mut();
    let hashes = match kept.take().filter(|(known, _)| *known == number) {
        Some((_, hashes)) => hashes,
        None => read(number)?,
    };
    let (_, hashes) = kept.insert((number, hashes));
    let start = usize::try_from(start).map_err(io::Error::other)?;
    let below = hashes.get(start..start + (1 << height));
    below.map(merkle::root).ok_or_else(|| io::Error::other("a node above its chunk"))
}

/// How many chunks are there, from the first without a gap; an error if one is missing before another.
pub(super) fn count(layout: &Layout) -> io::Result<u64> {
    let mut count = 0;
    let mut highest = 0;
    for entry in fs::read_dir(&layout.chunks)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
        let number = number.ok_or_else(|| io::Error::other(format!("{name:?} is no chunk")))?;
        highest = highest.max(number + 1);
        count += 1;
    }
    match count == highest {
        true => Ok(count),
        false => Err(io::Error::other(format!("{} of {highest} chunks are missing", highest - count))),
    }
}

/// Where things are in the log's directory.
#[derive(Clone)]
pub(super) struct Layout {
    /// The directory itself.
    pub(super) root: PathBuf,
    /// Unfinished files, removed at each start.
    pub(super) scratch: PathBuf,
    /// Segments of entries.
    pub(super) entries: PathBuf,
    /// Hashes.
    pub(super) chunks: PathBuf,
    /// The index of deduplication.
    pub(super) index: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            scratch: root.join("tmp"),
            entries: root.join("entries"),
            chunks: root.join("hashes"),
            index: root.join("index"),
        }
    }

    /// Makes the directories, and empties that of unfinished files.
    pub(super) fn make(&self, disk: &Disk) -> io::Result<()> {
        for dir in [&self.scratch, &self.entries, &self.chunks, &self.index] {
            disk.make_dirs(dir)?;
        }
        for entry in fs::read_dir(&self.scratch)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    /// The newest published checkpoint, at most a second old.
    pub(super) fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    /// The checkpoint that is kept there, if any; no signature is checked.
    pub(super) fn kept(&self) -> Result<Option<SignedCheckpoint>, OpenError> {
        let damaged = |error| OpenError::Damaged(format!("`checkpoint`: {error}"));
        match fs::read(self.checkpoint()) {
            Ok(bytes) => SignedCheckpoint::parse(&bytes).map(Some).map_err(damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// How many entries the log has published by that.
    pub(super) fn published(&self) -> Result<u64, OpenError> {
        Ok(self.kept()?.map_or(0, |kept| kept.checkpoint().size))
    }

    /// There if the log takes no more entries.
    pub(super) fn frozen(&self) -> PathBuf {
        self.root.join("frozen")
    }

    /// A new name for a segment of which nothing counts.
    pub(super) fn torn(&self, first: u64) -> PathBuf {
        self.root.join("torn").join(format!("{first}-{}", uuid::Uuid::new_v4()))
    }

    pub(super) fn chunk(&self, number: u64) -> PathBuf {
        self.chunks.join(format!("{number:012}"))
    }
}

const MAGIC: &[u8] = b"SLH1";
const LEAVES_BYTES: usize = 65_536 * 32;
const TILES_BYTES: usize = 256 * 32;
const PLACES_BYTES: usize = 256 * 16;
const FILE_BYTES: usize = LEAVES_BYTES + TILES_BYTES + PLACES_BYTES + 8 + 4 + 32;
