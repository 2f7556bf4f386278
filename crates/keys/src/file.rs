//! Key files: read whole within a limit, written whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use signet_crypto::PublicKey;
use signet_platform::{Access, Existing};
use zeroize::Zeroizing;

use crate::describe::{KeyInfo, describe};
use crate::encoding::{PrivateFormat, PublicFormat, encode_public, read_private_bytes, read_public_bytes};
use crate::error::{Error, FileError};
use crate::password::{PasswordSource, Purpose};
use crate::private::PrivateKey;

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
    let readable_by_others = signet_platform::readable_by_others(&file).map_err(Error::Unreadable)?;
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

fn write(path: &Path, bytes: &[u8], access: Access, existing: Existing) -> Result<(), Error> {
    signet_platform::write_whole(path, bytes, access, existing).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::WouldOverwrite,
        _ => Error::Unwritable(error),
    })
}
