//! Key files: read whole within a limit, written whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use signet_crypto::PublicKey;
use zeroize::Zeroizing;

use crate::describe::{KeyInfo, describe};
use crate::encoding::{PrivateFormat, PublicFormat, encode_public, read_private_bytes, read_public_bytes};
use crate::error::{Error, FileError};
use crate::password::{PasswordSource, Purpose};
use crate::platform::{self, Access};
use crate::private::{PrivateKey, random};

/// Reads a private key. `password` is asked only if the key is encrypted.
pub fn read_private(path: &Path, password: &PasswordSource) -> Result<PrivateKey, FileError> {
    let name = path.display().to_string();
    let ask = || password.password(Purpose::Unlock(&name));
    at(path, read(path).and_then(|(bytes, _)| read_private_bytes(&bytes, &ask)))
}

/// Reads a public key.
pub fn read_public(path: &Path) -> Result<PublicKey, FileError> {
    at(path, read(path).and_then(|(bytes, _)| read_public_bytes(&bytes)))
}

/// Describes a key file without its password.
pub fn describe_file(path: &Path) -> Result<KeyInfo, FileError> {
    let described = read(path)
        .and_then(|(bytes, readable_by_others)| Ok(KeyInfo { readable_by_others, ..describe(&bytes)? }));
    at(path, described)
}

/// The two files of a key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// `PREFIX.key`.
    pub private: PathBuf,
    /// `PREFIX.pub`.
    pub public: PathBuf,
}

impl Pair {
    /// The names under a prefix.
    pub fn of_prefix(prefix: &Path) -> Self {
        let with = |suffix: &str| {
            let mut name = OsString::from(prefix);
            name.push(suffix);
            PathBuf::from(name)
        };
        Self { private: with(".key"), public: with(".pub") }
    }
}

/// What to do where a file exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it, and fail with [`Error::WouldOverwrite`].
    Refuse,
    /// Replace it.
    Replace,
}

/// Writes `PREFIX.key` (0600) and `PREFIX.pub` (0644 less the umask, PEM): with [`Existing::Refuse`] both or neither.
pub fn write_pair(
    prefix: &Path,
    key: &PrivateKey,
    format: PrivateFormat<'_>,
    existing: Existing,
) -> Result<Pair, FileError> {
    let pair = Pair::of_prefix(prefix);
    if existing == Existing::Refuse {
        for path in [&pair.private, &pair.public] {
            at(path, vacant(path))?;
        }
    }
    write_private(&pair.private, key, format, existing)?;
    if let Err(error) = write_public(&pair.public, key.public_key(), PublicFormat::Pem, existing) {
        if existing == Existing::Refuse {
            // Ours, and not yet told to anyone; that it cannot be removed says less than `error`.
            let _ = fs::remove_file(&pair.private);
        }
        return Err(error);
    }
    Ok(pair)
}

/// Writes a private key file, readable by its owner only.
pub fn write_private(
    path: &Path,
    key: &PrivateKey,
    format: PrivateFormat<'_>,
    existing: Existing,
) -> Result<(), FileError> {
    at(path, key.encode(format).and_then(|bytes| write(path, &bytes, Access::Private, existing)))
}

/// Writes a public key file.
pub fn write_public(
    path: &Path,
    key: &PublicKey,
    format: PublicFormat,
    existing: Existing,
) -> Result<(), FileError> {
    at(path, encode_public(key, format).and_then(|bytes| write(path, &bytes, Access::Public, existing)))
}

/// The largest key file that is read, in bytes.
pub const MAX_KEY_FILE: u64 = 1 << 20;

fn at<T>(path: &Path, result: Result<T, Error>) -> Result<T, FileError> {
    result.map_err(|error| FileError { path: path.to_owned(), error })
}

fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Option<bool>), Error> {
    let file = File::open(path).map_err(Error::Unreadable)?;
    let readable_by_others = platform::readable_by_others(&file).map_err(Error::Unreadable)?;
    // Allocated once, so that no copy of a secret is left behind by growing.
    let length = file.metadata().map_err(Error::Unreadable)?.len().min(MAX_KEY_FILE) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0)));
    file.take(MAX_KEY_FILE + 1).read_to_end(&mut bytes).map_err(Error::Unreadable)?;
    match bytes.len() as u64 {
        ..=MAX_KEY_FILE => Ok((bytes, readable_by_others)),
        _ => Err(Error::TooLarge { limit: MAX_KEY_FILE }),
    }
}

fn vacant(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(Error::WouldOverwrite),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::Unwritable(error)),
    }
}

/// Temporary file, fsync, then one step that puts it in place, then fsync of the directory.
fn write(path: &Path, bytes: &[u8], access: Access, existing: Existing) -> Result<(), Error> {
    let temporary = Temporary::new(path)?;
    fill(&temporary.0, bytes, access).map_err(Error::Unwritable)?;
    match existing {
        Existing::Replace => fs::rename(&temporary.0, path),
        Existing::Refuse => place(&temporary.0, path, bytes, access),
    }
    .map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::WouldOverwrite,
        _ => Error::Unwritable(error),
    })?;
    platform::sync_directory(parent(path)).map_err(Error::Unwritable)
}

/// Gives the file its name unless the name is taken: by a hard link, which is atomic, or where the file
/// system has none by writing it under the name itself.
fn place(temporary: &Path, path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fill(path, bytes, access),
        linked => linked,
    }
}

/// Creates a file with this content, or none.
fn fill(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let mut file = platform::create_new(path, access)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key helps nobody; that it cannot be removed says less than why it is half.
        let _ = fs::remove_file(path);
    }
    written
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A name beside `path` that is gone when this is dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new(path: &Path) -> Result<Self, Error> {
        let unique = u64::from_ne_bytes(random()?);
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{unique:016x}"));
        Ok(Self(parent(path).join(name)))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing left; otherwise a leftover is the most that can go wrong.
        let _ = fs::remove_file(&self.0);
    }
}
