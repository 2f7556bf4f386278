//! Images in files: layouts and archives.

mod archive;
mod destination;
mod docker;
mod layout;
mod leftovers;
mod listed;
mod reader;
mod save;
mod tarball;

pub use archive::OciArchive;
pub use docker::DockerArchive;
pub use layout::Layout;
pub use save::DockerSave;

use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::Stream;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::{Error, Result};

/// The bytes `start..start + size` of a file, in chunks.
async fn file_chunks(
    path: PathBuf,
    start: u64,
    size: u64,
) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static> {
    let failed = |error: std::io::Error| Error::io(&path, &error);
    let mut file = tokio::fs::File::open(&path).await.map_err(failed)?;
    file.seek(std::io::SeekFrom::Start(start)).await.map_err(failed)?;
    let state = (file.take(size), path);
    Ok(futures_util::stream::try_unfold(state, |(mut file, path)| async move {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = (&mut file).take(CHUNK as u64).read_to_end(&mut chunk).await;
        let read = read.map_err(|error| Error::io(&path, &error))?;
        Ok((read > 0).then(|| (Bytes::from(chunk), (file, path))))
    }))
}

/// A whole file of at most `most` bytes.
fn read_bounded(path: &Path, most: usize) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound { what: format!("`{}`", path.display()) },
        _ => Error::io(path, &error),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() > most {
        true => Err(Error::TooLarge { what: format!("`{}`", path.display()), limit: most as u64 }),
        false => Ok(bytes),
    }
}

const CHUNK: usize = 256 * 1024;
