use std::env;
use std::path::{Path, PathBuf};

use crate::skip;

/// The folder `part` of the vectors of other projects (`SIGNET_VECTORS`, else `../shared/vectors`
/// beside the checkout), or `None` after one line `skipped: needs vectors`.
///
/// # Panics
/// If it is absent and `SIGNET_REQUIRE_VECTORS=1`.
pub fn vectors(part: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let root = env::var_os("SIGNET_VECTORS").map_or_else(beside, PathBuf::from);
    let folder = root.join(part);
    if folder.is_dir() {
        return Some(folder);
    }
    skip("vectors", "SIGNET_REQUIRE_VECTORS");
    None
}
