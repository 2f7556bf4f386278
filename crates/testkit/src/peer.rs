use std::env;
use std::path::{Path, PathBuf};

use crate::skip;

/// A program of another project, found on `PATH`.
#[derive(Clone, Debug)]
pub struct Peer(PathBuf);

/// All programs named, or `None` after one line `skipped: needs …`.
///
/// # Panics
/// If one is absent and `SIGNET_REQUIRE_PEERS=1`.
pub fn peers<const N: usize>(names: [&str; N]) -> Option<[Peer; N]> {
    let found = names.map(|name| Peer::find(name).ok_or(name));
    let missing: Vec<&str> = found.iter().filter_map(|peer| peer.as_ref().err().copied()).collect();
    if missing.is_empty() {
        return Some(found.map(|peer| peer.expect("none is missing")));
    }
    skip(&missing.join(", "), "SIGNET_REQUIRE_PEERS");
    None
}

impl Peer {
    fn find(name: &str) -> Option<Self> {
        let path = env::var_os("PATH")?;
        env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file()).map(Self)
    }
}

impl AsRef<Path> for Peer {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}
