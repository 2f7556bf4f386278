//! Files that appear whole or not at all, with their permissions from the first moment.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::directory::{Directory, parent};
use crate::system;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The owner only: 0600.
    Private,
    /// Everyone whom the umask lets: 0644.
    Public,
}

/// What to do where a file exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it, and fail with [`io::ErrorKind::AlreadyExists`].
    Refuse,
    /// Replace it.
    Replace,
}

/// Writes a file of `bytes`: whole, durable, or not at all.
pub fn write_whole(path: &Path, bytes: &[u8], access: Access, existing: Existing) -> io::Result<()> {
    let mut staged = Staged::beside(path, access)?;
    staged.file().write_all(bytes)?;
    match existing {
        Existing::Replace => staged.publish(),
        Existing::Refuse => {
            staged.file().sync_all()?;
            staged.place(bytes, access)?;
            Directory::of(path)?.sync()
        }
    }
}

/// Whether others than the owner may read the file; `None` where permissions are not modes.
pub fn readable_by_others(file: &File) -> io::Result<Option<bool>> {
    system::readable_by_others(file)
}

/// Whether `path` names this open file, and not another one or none. Always so where names of open files are not taken away.
pub fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    system::is_named(file, path)
}

/// Fills `buffer` from `offset` of a file that others may be writing at its end.
pub fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    system::read_exact_at(file, buffer, offset)
}

/// A file that is being written and has no name yet but a hidden one, which goes if it is dropped.
#[derive(Debug)]
pub struct Staged {
    file: NamedTempFile,
    path: PathBuf,
}

impl Staged {
    /// A new, empty file that will be `path`, in the same directory.
    pub fn beside(path: &Path, access: Access) -> io::Result<Self> {
        Self::within(parent(path), path, access)
    }

    /// A new, empty file that will be `path`, until then in another directory of the same file system.
    pub fn within(directory: &Path, path: &Path, access: Access) -> io::Result<Self> {
        let mut prefix = OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        system::permit_staged(&mut builder, access);
        let file = builder.tempfile_in(directory).map_err(without_path)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// The file, to be written.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Gives the file its name, replacing what had it; content and name are on the disk then.
    pub fn publish(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.path).map_err(|error| error.error)?;
        Directory::of(&self.path)?.sync()
    }

    /// Gives the file, of `bytes`, its name unless the name is taken: in one step, or where the file system
    /// has none for that by writing it under the name itself.
    fn place(self, bytes: &[u8], access: Access) -> io::Result<()> {
        match self.file.persist_noclobber(&self.path) {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(error.error),
            Err(_) => fill(&self.path, bytes, access),
        }
    }
}

/// What the system said of a new file, without the hidden name that it would have had: nobody knows that one.
pub fn without_path(error: io::Error) -> io::Error {
    match error.to_string().rsplit_once(" at path ") {
        Some((said, _)) => io::Error::new(error.kind(), said),
        None => error,
    }
}

/// Makes a file with this content, or none.
fn fill(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    system::permit(&mut options, access);
    let mut file = options.open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key helps nobody; that it cannot be removed says less than why it is half.
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<OsString> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_file_is_written_once_or_replaced_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write_whole(&path, b"first", Access::Public, Existing::Refuse).unwrap();
        let refused = write_whole(&path, b"second", Access::Public, Existing::Refuse).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        write_whole(&path, b"third", Access::Private, Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        drop(Staged::beside(&path, Access::Public).unwrap());
        assert_eq!(names(directory.path()), ["file"]);
    }

    #[test]
    fn an_error_says_what_the_system_says_and_no_name_that_nobody_knows() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("absent/file");
        let refused = write_whole(&path, b"content", Access::Public, Existing::Refuse).unwrap_err();
        assert_eq!(refused.to_string(), io::Error::from_raw_os_error(2).to_string());
    }

    #[test]
    fn where_no_name_can_be_given_in_one_step_a_file_is_still_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fill(&path, b"first", Access::Private).unwrap();
        assert_eq!(fill(&path, b"second", Access::Private).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn a_part_of_a_file_is_read_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, b"0123456789").unwrap();
        let (file, mut buffer) = (File::open(&path).unwrap(), [0; 4]);
        read_exact_at(&file, &mut buffer, 6).unwrap();
        assert_eq!(&buffer, b"6789");
        assert_eq!(read_exact_at(&file, &mut buffer, 7).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_there_from_the_first_moment() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let mode = |file: &File| file.metadata().unwrap().permissions().mode() & 0o777;
        let path = directory.path().join("file");
        let mut staged = Staged::beside(&path, Access::Private).unwrap();
        assert_eq!(mode(staged.file()), 0o600);
        // The umask may take from it, and nothing may add.
        assert_eq!(mode(Staged::beside(&path, Access::Public).unwrap().file()) & !0o644, 0);
        staged.publish().unwrap();
        assert_eq!(mode(&File::open(&path).unwrap()), 0o600);
        assert_eq!(readable_by_others(&File::open(&path).unwrap()).unwrap(), Some(false));
        write_whole(&path, b"", Access::Public, Existing::Replace).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o604)).unwrap();
        assert_eq!(readable_by_others(&File::open(&path).unwrap()).unwrap(), Some(true));
        fill(&directory.path().join("other"), b"", Access::Private).unwrap();
        assert_eq!(mode(&File::open(directory.path().join("other")).unwrap()), 0o600);
    }
}
