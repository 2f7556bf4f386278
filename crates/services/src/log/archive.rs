//! A log's directory as it can be read by anybody: no lock, nothing written.

use std::io;
use std::path::Path;

use signet_formats::merkle::Hash;
use signet_formats::tlog::{EntryBundle, Nodes, TILE_HEIGHT, TILE_WIDTH, Tile, tree_root};

use super::chunk::{self, Filed, Layout, Summary};
use super::form::Form;
use super::segments::{Segments, Span};
use super::tree::Tree;
use super::wal::{Item, Place, Reader};
use super::{OpenError, ReadError};

/// What stands in a directory, proven as far as its newest part: each batch gives the root that stands with it.
pub(super) struct Archive {
    pub(super) layout: Layout,
    pub(super) form: Form,
    pub(super) tree: Tree,
    /// How many chunks are on disk.
    pub(super) chunks: u64,
    /// Where the bundles after them begin.
    pub(super) places: Vec<Place>,
    pub(super) segments: Segments,
    /// How many bytes follow the last whole batch: of a write that was cut off.
    pub(super) torn: u64,
}

impl Archive {
    /// Reads the chunks' summaries and the entries after them.
    pub(super) fn load(layout: Layout, form: Form) -> Result<Self, OpenError> {
        let (tree, chunks, last) = load_chunks(&layout)?;
        let segments = Segments::of(&layout.entries)?;
        let mut archive = Self { layout, form, tree, chunks, places: Vec::new(), segments, torn: 0 };
        archive.replay(last, &mut |_| Ok(()))?;
        Ok(archive)
    }

    /// The directory without what follows from the entries; nothing is read yet.
    pub(super) fn bare(root: &Path, form: Form) -> io::Result<Self> {
        let layout = Layout::new(root);
        let segments = Segments::of(&layout.entries)?;
        Ok(Self { layout, form, tree: Tree::default(), chunks: 0, places: Vec::new(), segments, torn: 0 })
    }

    /// The hashes of a tile that the tree has.
    pub(super) fn tile(&self, tile: Tile) -> io::Result<Vec<Hash>> {
        let height = tile.level() * TILE_HEIGHT;
        let nodes = self.tree.nodes(height, tile.index() * TILE_WIDTH, u64::from(tile.width()));
        nodes.map_or_else(|| chunk::tile(&self.layout, tile), |nodes| Ok(nodes.to_vec()))
    }

    /// The entries of a bundle that the log has.
    pub(super) fn bundle(&self, bundle: EntryBundle) -> io::Result<Vec<u8>> {
        let recent = bundle.index().checked_sub(self.chunks * TILE_WIDTH);
        let recent = recent.and_then(|recent| self.places.get(usize::try_from(recent).ok()?).copied());
        let place = recent.map_or_else(|| chunk::place(&self.layout, bundle.index()), Ok)?;
        let mut all = Span::new(place, bundle.first_entry(), u64::from(bundle.width()));
        self.segments.piece(self.form, &mut all, usize::MAX)
    }

    /// Reads the entries after the last chunk. What an interrupted write left at the very end is not counted.
    pub(super) fn replay(
        &mut self,
        last: Option<Place>,
        after_batch: &mut dyn FnMut(&mut Self) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        let Some(mut reader) = self.first_reader(last)? else { return Ok(()) };
        loop {
            let begin = reader.place;
            if self.read_batch(&mut reader)? {
                after_batch(self)?;
                continue;
            }
            match self.segments.after(begin.segment) {
                Some(next) if next == self.tree.size() => {
                    reader = self.reader(Place { segment: next, offset: 0 })?;
                }
                Some(next) => {
                    let size = self.tree.size();
                    return Err(OpenError::Damaged(format!("after entry {size} comes entry {next}")));
                }
                None => return self.check_end(reader, begin),
            }
        }
    }

    fn reader(&self, place: Place) -> Result<Reader, OpenError> {
        self.segments.reader(place).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => OpenError::Damaged(format!("segment {}: {error}", place.segment)),
            _ => error.into(),
        })
    }

    /// At the first entry after the last chunk.
    fn first_reader(&self, last: Option<Place>) -> Result<Option<Reader>, OpenError> {
        let Some(last) = last else {
            return Ok(match self.segments.last() {
                Some(_) => Some(self.reader(Place::default())?),
                None => None,
            });
        };
        let (size, mut reader) = (self.tree.size(), self.reader(last)?);
        let mut index = size - TILE_WIDTH;
        while index < size {
            if self.segments.after(reader.place.segment) == Some(index) {
                reader = self.reader(Place { segment: index, offset: 0 })?;
            }
            match reader.next()? {
                Some(Item::Entry(_)) => index += 1,
                Some(Item::Frame(_)) => {}
                None => return Err(OpenError::Damaged(format!("entry {index} is missing"))),
            }
        }
        Ok(Some(reader))
    }

    /// Reads one batch; `false`, and nothing of it counted, if there is no whole one.
    fn read_batch(&mut self, reader: &mut Reader) -> Result<bool, OpenError> {
        let size = self.tree.size();
        let Some(Item::Frame(frame)) = reader.next()? else { return Ok(false) };
        if frame.first != size {
            return Ok(false);
        }
        let places = self.places.len();
        for index in size..frame.end() {
            let place = reader.place;
            let Some(Item::Entry(entry)) = reader.next()? else { break };
            if index.is_multiple_of(TILE_WIDTH) {
                self.places.push(place);
            }
            let Some(leaf) = self.form.leaf(&entry) else { break };
            self.tree.push(leaf);
        }
        let whole = self.tree.size() == frame.end() && tree_root(self, frame.end())? == frame.root;
        if !whole {
            self.tree.truncate(size);
            self.places.truncate(places);
        }
        Ok(whole)
    }

    /// Whether the entries end here, as after a write that was cut off: nothing whole may follow. What a running log has
    /// written since the reader began is not looked at.
    fn check_end(&mut self, mut reader: Reader, end: Place) -> Result<(), OpenError> {
        reader.seek(end.offset);
        self.torn = reader.left();
        reader.seek(end.offset + 1);
        match reader.has_frame_ahead()? {
            true => Err(OpenError::Damaged(format!("entry {} is damaged", self.tree.size()))),
            false => Ok(()),
        }
    }
}

impl Nodes for Archive {
    type Error = ReadError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, ReadError> {
        match self.tree.node(level, index) {
            Some(node) => Ok(node),
            None => Ok(Filed::new(&self.layout).node(level, index)?),
        }
    }
}

/// The tree over the chunks, how many they are, and where the last bundle of them begins.
fn load_chunks(layout: &Layout) -> Result<(Tree, u64, Option<Place>), OpenError> {
    let chunks = chunk::count(layout).map_err(|error| OpenError::Damaged(error.to_string()))?;
    let (mut roots, mut last) = (Vec::new(), None);
    for number in 0..chunks {
        let unreadable = |error| OpenError::Damaged(format!("hashes of chunk {number}: {error}"));
        let summary = Summary::read(layout, number).map_err(unreadable)?;
        roots.push(summary.root());
        last = summary.places.last().copied();
    }
    Ok((Tree::of_chunks(roots), chunks, last))
}
