//! The names of a log's resources below its prefix.

use std::fmt;
use std::str::FromStr;

use super::{TILE_HEIGHT, TILE_WIDTH};

/// The highest level that a tile's name may have.
pub const MAX_TILE_LEVEL: u8 = 63;

/// What a path below a log's prefix asks for. Its text form is the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `checkpoint`: the newest signed checkpoint.
    Checkpoint,
    /// `tile/entries/…`: entries.
    Entries(EntryBundle),
    /// `tile/<level>/…`: hashes.
    Tile(Tile),
}

impl FromStr for Resource {
    type Err = PathError;

    fn from_str(path: &str) -> Result<Self, PathError> {
        if path == "checkpoint" {
            return Ok(Self::Checkpoint);
        }
        let (level, place) =
            path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(PathError)?;
        let (index, width) = read_place(place)?;
        match level {
            "entries" => Ok(Self::Entries(EntryBundle { index, width })),
            _ => {
                let level = read_number(level).and_then(|level| u8::try_from(level).ok());
                let level = level.filter(|level| *level <= MAX_TILE_LEVEL).ok_or(PathError)?;
                Ok(Self::Tile(Tile { level, index, width }))
            }
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Entries(bundle) => bundle.fmt(f),
            Self::Tile(tile) => tile.fmt(f),
        }
    }
}

/// The path of the full tile or bundle that may have taken the place of a partial one: a log may drop those once it has the full
/// one. `None` if the path is of no partial one.
pub fn full_path(path: &str) -> Option<&str> {
    path.split_once(".p/").map(|(full, _)| full)
}

/// A tile of hashes. Its text form is its path: `tile/<level>/<index>[.p/<width>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile at this level and index of a tree with `size` leaves: full, or as wide as the tree makes
    /// it. `None` if the tree has nothing there, or names have no room for it.
    pub fn of_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        let width = width_at(index, hashes).filter(|_| level <= MAX_TILE_LEVEL)?;
        Some(Self { level, index, width })
    }

    /// The level: its hashes are of nodes at eight times this height.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Which of its level.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes it has: 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether a tree of `size` leaves has all its hashes.
    pub fn is_in(&self, size: u64) -> bool {
        Self::of_tree(self.level, self.index, size).is_some_and(|tile| tile.width >= self.width)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_place(f, self.index, self.width)
    }
}

/// A bundle of entries. Its text form is its path: `tile/entries/<index>[.p/<width>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryBundle {
    index: u64,
    width: u16,
}

impl EntryBundle {
    /// The bundle at this index of a log with `size` entries: full, or as wide as the log makes it.
    pub fn of_log(index: u64, size: u64) -> Option<Self> {
        width_at(index, size).map(|width| Self { index, width })
    }

    /// Which one.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many entries it has: 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// The index of its first entry in the log.
    pub fn first_entry(&self) -> u64 {
        self.index.saturating_mul(TILE_WIDTH)
    }

    /// Whether a log of `size` entries has all of it.
    pub fn is_in(&self, size: u64) -> bool {
        Self::of_log(self.index, size).is_some_and(|bundle| bundle.width >= self.width)
    }
}

impl EntryBundle {
    /// The bundle that this path names in a log of certificates: `tile/data/<index>[.p/<width>]`.
    pub fn from_data_path(path: &str) -> Result<Self, PathError> {
        let (index, width) = read_place(path.strip_prefix("tile/data/").ok_or(PathError)?)?;
        Ok(Self { index, width })
    }

    /// Its path in a log of certificates.
    pub fn data_path(&self) -> String {
        self.to_string().replacen("entries", "data", 1)
    }
}

impl fmt::Display for EntryBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_place(f, self.index, self.width)
    }
}

/// It is not the path of a log's resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathError;

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the path of a checkpoint, tile or entry bundle")
    }
}

impl std::error::Error for PathError {}

/// How many there are in the group at `index` if there are `count` in all; `None` for an empty group.
fn width_at(index: u64, count: u64) -> Option<u16> {
    let before = index.checked_mul(TILE_WIDTH)?;
    let width = count.saturating_sub(before).min(TILE_WIDTH);
    u16::try_from(width).ok().filter(|width| *width > 0)
}

/// "3-digit groups, all but the last prefixed with x", and the width of one that is not full.
fn write_place(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for group in groups.iter().skip(1).rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{:03}", index % 1000)?;
    match u64::from(width) {
        TILE_WIDTH => Ok(()),
        _ => write!(f, ".p/{width}"),
    }
}

fn read_place(place: &str) -> Result<(u64, u16), PathError> {
    let (index, width) = match place.split_once(".p/") {
        Some((index, width)) => (index, read_number(width).filter(|w| (1..TILE_WIDTH).contains(w))),
        None => (place, Some(TILE_WIDTH)),
    };
    let width = width.and_then(|width| u16::try_from(width).ok()).ok_or(PathError)?;
    read_index(index).map(|index| (index, width)).ok_or(PathError)
}

fn read_index(groups: &str) -> Option<u64> {
    let mut index = 0_u64;
    let mut rest = Some(groups);
    while let Some(groups) = rest {
        let (group, after) =
            groups.split_once('/').map_or((groups, None), |(group, after)| (group, Some(after)));
        let digits = if after.is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        // Leading groups of zeros would give one tile several names.
        if index == 0 && after.is_some() && digits == "000" {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        rest = after;
    }
    Some(index)
}

/// A decimal number without leading zeros.
pub(super) fn read_number(digits: &str) -> Option<u64> {
    let canonical =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    canonical.then(|| digits.parse().ok()).flatten()
}
