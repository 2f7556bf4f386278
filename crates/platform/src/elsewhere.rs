//! Windows: permissions are inherited, and directories cannot be opened to be synced.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::file::Access;

pub(crate) type Handle = ();

pub(crate) fn permit(_: &mut OpenOptions, _: Access) {}

pub(crate) fn permit_staged(_: &mut tempfile::Builder<'_, '_>, _: Access) {}

pub(crate) fn readable_by_others(_: &File) -> io::Result<Option<bool>> {
    Ok(None)
}

pub(crate) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = buffer.get_mut(read..).unwrap_or_default();
        offset += u64::try_from(read).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Names of locks and journals are not taken away.
pub(crate) fn is_named(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// A name that is taken away while others have the file open could not be used by them.
pub(crate) fn take_name(_: &Path) {}

pub(crate) fn open_directory(_: &Path) -> io::Result<Handle> {
    Ok(())
}

/// The file systems journal the entries.
pub(crate) fn sync_directory((): &Handle) -> io::Result<()> {
    Ok(())
}

pub(crate) fn restrict(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Ctrl-C ends the process, and the console is the shell's again.
pub(crate) fn ask_unseen(prompt: &str) -> io::Result<Option<Vec<u8>>> {
    rpassword::prompt_password(prompt).map(|typed| Some(typed.into_bytes()))
}

pub(crate) fn descriptor_path(_: u32) -> io::Result<PathBuf> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "file descriptors are a Unix feature"))
}

pub(crate) fn raise_open_files() -> Option<u64> {
    None
}

pub(crate) fn tell_serving() -> io::Result<()> {
    Ok(())
}
