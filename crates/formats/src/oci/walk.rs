//! Walks through manifests that hold or refer to one another.

use std::collections::BTreeSet;
use std::fmt;

use signet_crypto::Digest;

/// How many manifests may hold or refer to one another in a row: indexes nest (image-spec, image-index.md,
/// "a descriptor … MAY be an image index"), and nothing says how deep.
pub const MAX_MANIFEST_DEPTH: usize = 16;

/// The manifests that a walk has met. It enters each of them once, so deep and so many at most; where to
/// go from each is the walker's.
///
/// A walk that meets a bound ends in an error: what is not walked is never passed over in silence.
#[derive(Clone, Debug)]
pub struct Walk {
    met: BTreeSet<Digest>,
    depth: usize,
    manifests: usize,
}

impl Walk {
    /// A walk of at most `manifests`, the first included, each at most `depth` steps from the first.
    pub fn new(depth: usize, manifests: usize) -> Self {
        Self { met: BTreeSet::new(), depth, manifests }
    }

    /// Whether the manifest, `depth` steps from the first, is met for the first time.
    pub fn enter(&mut self, manifest: Digest, depth: usize) -> Result<bool, WalkError> {
        if self.met.contains(&manifest) {
            return Ok(false);
        }
        if depth > self.depth {
            return Err(WalkError::TooDeep(self.depth));
        }
        if self.met.len() >= self.manifests {
            return Err(WalkError::TooMany(self.manifests));
        }
        Ok(self.met.insert(manifest))
    }
}

/// The bound that a walk has met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkError {
    /// More manifests than this hold or refer to one another in a row.
    TooDeep(usize),
    /// There are more manifests than this.
    TooMany(usize),
}

impl WalkError {
    /// The bound.
    pub fn limit(self) -> usize {
        match self {
            Self::TooDeep(limit) | Self::TooMany(limit) => limit,
        }
    }

    /// What was counted.
    pub fn counted(self) -> &'static str {
        match self {
            Self::TooDeep(_) => "manifests within manifests",
            Self::TooMany(_) => "manifests that belong together",
        }
    }
}

impl fmt::Display for WalkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: more than {}", self.counted(), self.limit())
    }
}

impl std::error::Error for WalkError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(number: usize) -> Digest {
        Digest::sha256(number.to_string().as_bytes())
    }

    #[test]
    fn each_manifest_is_entered_once() {
        let mut walk = Walk::new(1, 2);
        assert_eq!(walk.enter(manifest(0), 0), Ok(true));
        assert_eq!(walk.enter(manifest(1), 1), Ok(true));
        assert_eq!(walk.enter(manifest(1), 1), Ok(false));
        assert_eq!(walk.enter(manifest(0), 9), Ok(false), "what was met needs no room");
    }

    #[test]
    fn a_walk_ends_at_its_bounds() {
        let mut walk = Walk::new(MAX_MANIFEST_DEPTH, 3);
        assert_eq!(walk.enter(manifest(0), MAX_MANIFEST_DEPTH), Ok(true));
        let deeper = walk.enter(manifest(1), MAX_MANIFEST_DEPTH + 1);
        assert_eq!(deeper, Err(WalkError::TooDeep(MAX_MANIFEST_DEPTH)));
        assert_eq!(walk.enter(manifest(1), 0), Ok(true), "what was refused was not met");
        assert_eq!(walk.enter(manifest(2), 0), Ok(true));
        assert_eq!(walk.enter(manifest(3), 0), Err(WalkError::TooMany(3)));
    }
}
