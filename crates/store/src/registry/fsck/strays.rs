//! Files under names that nobody looks for: what was renamed by accident is as lost as what was removed.

use std::io;
use std::path::{Path, PathBuf};

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::oci::Tag;

use super::super::layout::{Layout, digest_of_file_name, entry_names};
use crate::name::{RepositoryName, UploadId};

/// Every such file or directory among the content and in the repositories, below the data directory.
pub(super) fn find(layout: &Layout) -> io::Result<Vec<PathBuf>> {
    let mut strays = Vec::new();
    in_contents(layout, &mut strays)?;
    for path in layout.repository_paths()? {
        let dir = layout.repositories().join(&path);
        if path.parse::<RepositoryName>().is_err() {
            strays.push(dir);
            continue;
        }
        for name in entry_names(&dir)?.iter().filter(|name| name.starts_with('_')) {
            in_part(&dir.join(name), name, &mut strays)?;
        }
    }
    Ok(strays.iter().map(|path| layout.below_root(path)).collect())
}

fn in_contents(layout: &Layout, strays: &mut Vec<PathBuf>) -> io::Result<()> {
    let root = layout.contents();
    for algorithm in entry_names(&root)? {
        for shard in entry_names(&root.join(&algorithm))? {
            let dir = root.join(&algorithm).join(shard);
            let is_content = |hex: &str| {
                let digest = digest(&algorithm, hex);
                digest.is_some_and(|digest| layout.content(&digest) == dir.join(hex))
            };
            others(&dir, is_content, strays)?;
        }
    }
    Ok(())
}

/// One of the directories that a repository has.
fn in_part(dir: &Path, name: &str, strays: &mut Vec<PathBuf>) -> io::Result<()> {
    match name {
        "_tags" => others(dir, |name| name.parse::<Tag>().is_ok(), strays),
        "_removed" => others(dir, |name| digest_of_file_name(name).is_some(), strays),
        "_uploads" => others(dir, is_upload, strays),
        "_blobs" | "_manifests" => below(dir, |algorithm, hex| digest(algorithm, hex).is_some(), strays),
        "_indexes" | "_referrers" => below(
            dir,
            |of, entry| digest_of_file_name(of).is_some() && digest_of_file_name(entry).is_some(),
            strays,
        ),
        _ => {
            strays.push(dir.to_owned());
            Ok(())
        }
    }
}

fn below(dir: &Path, is_ours: impl Fn(&str, &str) -> bool, strays: &mut Vec<PathBuf>) -> io::Result<()> {
    for name in entry_names(dir)? {
        others(&dir.join(&name), |entry| is_ours(&name, entry), strays)?;
    }
    Ok(())
}

fn others(dir: &Path, is_ours: impl Fn(&str) -> bool, strays: &mut Vec<PathBuf>) -> io::Result<()> {
    let names = entry_names(dir)?;
    strays.extend(names.iter().filter(|name| !is_ours(name)).map(|name| dir.join(name)));
    Ok(())
}

fn is_upload(name: &str) -> bool {
    let parts = name.split_once('.');
    parts.is_some_and(|(id, algorithm)| {
        id.parse::<UploadId>().is_ok() && algorithm.parse::<DigestAlgorithm>().is_ok()
    })
}

fn digest(algorithm: &str, hex: &str) -> Option<Digest> {
    format!("{algorithm}:{hex}").parse().ok()
}
