//! Directories: their entries made durable, their content kept from others.

use std::io;
use std::path::Path;

use crate::system;

/// An open directory.
#[derive(Debug)]
pub struct Directory(system::Handle);

impl Directory {
    /// Opens a directory, which must exist.
    pub fn open(path: &Path) -> io::Result<Self> {
        system::open_directory(path).map(Self)
    }

    /// The directory that holds `path`: the working directory for a bare name.
    pub fn of(path: &Path) -> io::Result<Self> {
        Self::open(parent(path))
    }

    /// Makes the directory's entries durable: what was made, renamed or removed in it stays so.
    pub fn sync(&self) -> io::Result<()> {
        system::sync_directory(&self.0)
    }
}

/// Keeps everyone but the owner out of a directory: 0700.
pub fn restrict(directory: &Path) -> io::Result<()> {
    system::restrict(directory)
}

pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_opened_and_synced_and_must_exist() {
        let above = tempfile::tempdir().unwrap();
        Directory::open(above.path()).unwrap().sync().unwrap();
        Directory::of(&above.path().join("file")).unwrap().sync().unwrap();
        assert!(cfg!(not(unix)) || Directory::open(&above.path().join("absent")).is_err());
        assert_eq!(parent(Path::new("file")), Path::new("."));
    }

    #[cfg(unix)]
    #[test]
    fn a_restricted_directory_is_its_owners() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
        restrict(directory.path()).unwrap();
        let mode = std::fs::metadata(directory.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
