//! What differs between operating systems: file permissions, directory syncing, descriptors.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// The owner only: 0600.
    Private,
    /// Everyone whom the umask lets: 0644.
    Public,
}

/// Creates a file that must not exist, with its permissions from the first moment; a umask may take more away.
pub(crate) fn create_new(path: &Path, access: Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    imp::permit(&mut options, access);
    options.open(path)
}

/// Makes a rename or link in `directory` durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    imp::sync_directory(directory)
}

/// The path under which an open descriptor of this process can be opened again.
pub(crate) fn descriptor_path(number: u32) -> io::Result<PathBuf> {
    imp::descriptor_path(number)
}

/// Whether others than the owner may read the file; `None` where permissions are not modes.
pub(crate) fn readable_by_others(file: &File) -> io::Result<Option<bool>> {
    imp::readable_by_others(file)
}

#[cfg(unix)]
mod imp {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    use std::path::{Path, PathBuf};

    use super::Access;

    pub(super) fn permit(options: &mut OpenOptions, access: Access) {
        options.mode(mode(access));
    }

    pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    pub(super) fn descriptor_path(number: u32) -> io::Result<PathBuf> {
        Ok(PathBuf::from(format!("/dev/fd/{number}")))
    }

    pub(super) fn readable_by_others(file: &File) -> io::Result<Option<bool>> {
        Ok(Some(file.metadata()?.permissions().mode() & 0o044 != 0))
    }

    fn mode(access: Access) -> u32 {
        match access {
            Access::Private => 0o600,
            Access::Public => 0o644,
        }
    }
}

/// Elsewhere files inherit the permissions of their directory, which in a user's profile are the user's own.
#[cfg(not(unix))]
mod imp {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::path::{Path, PathBuf};

    use super::Access;

    pub(super) fn permit(_options: &mut OpenOptions, _access: Access) {}

    /// Directories cannot be opened as files; the file system journals the entry.
    pub(super) fn sync_directory(_directory: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn descriptor_path(_number: u32) -> io::Result<PathBuf> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "file descriptors are a Unix feature"))
    }

    pub(super) fn readable_by_others(_file: &File) -> io::Result<Option<bool>> {
        Ok(None)
    }
}
