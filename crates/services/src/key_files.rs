//! The keys that an authority makes for itself, each with the chain above it: `NAME.key` (0600) and `NAME.pem`.
//!
//! A list beside them, `made.json`, says which were made. Without it a key whose certificate is lost could not be told from
//! one that was never finished, and would be made anew: everything that rests on it would stop to verify. It also says what
//! else must not be made anew: keys of an authority that was given its own, where that is forgotten once, and its log of
//! certificates. Trusted? The keys are. May a file be lost? No; the authority does not start until it is restored.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use signet_crypto::Digest;
use signet_formats::x509::{Certificate, certificates_from_pem};
use signet_keys::{Existing, PasswordSource, PrivateFormat, PrivateKey, read_private, write_private};
use signet_store::DataDir;
use signet_store::fs::Disk;

use crate::authority::{AuthorityError, ROOT, chain_pem, each_issued_by_the_next};

/// The keys and chains of one directory.
pub(crate) struct KeyFiles<'a> {
    disk: &'a Disk,
    dir: &'a Path,
    made: BTreeSet<String>,
}

impl<'a> KeyFiles<'a> {
    /// Those of this directory.
    pub(crate) fn open(disk: &'a Disk, dir: &'a Path) -> Result<Self, AuthorityError> {
        Ok(Self { disk, dir, made: read_list(dir)? })
    }

    /// Reads a key and its chain; `None` if they were not made yet.
    pub(crate) fn read(&self, name: &str) -> Result<Option<(PrivateKey, Vec<Certificate>)>, AuthorityError> {
        let Some(chain) = self.chain(name)? else { return Ok(None) };
        let lost = || AuthorityError::Lost { path: self.key_path(name) };
        Ok(Some((self.key(name)?.ok_or_else(lost)?, chain)))
    }

    /// Reads a chain; `None` if it was not made yet. It is written after its key: a key alone is what a crash left, a chain
    /// alone never.
    pub(crate) fn chain(&self, name: &str) -> Result<Option<Vec<Certificate>>, AuthorityError> {
        let path = self.chain_path(name);
        match is_there(&path)? {
            true => read_chain(&path).map(Some),
            false if self.made.contains(name) => Err(AuthorityError::Lost { path }),
            false => Ok(None),
        }
    }

    /// Reads a key; `None` if it is not here.
    pub(crate) fn key(&self, name: &str) -> Result<Option<PrivateKey>, AuthorityError> {
        let path = self.key_path(name);
        match is_there(&path)? {
            true => Ok(Some(read_private(&path, &PasswordSource::Environment)?)),
            false => Ok(None),
        }
    }

    /// Where a key is.
    pub(crate) fn key_path(&self, name: &str) -> PathBuf {
        file(self.dir, name, KEY)
    }

    /// Where a chain is.
    pub(crate) fn chain_path(&self, name: &str) -> PathBuf {
        file(self.dir, name, CHAIN)
    }

    /// Whether there is no key with its chain.
    pub(crate) fn is_empty(&self) -> bool {
        pairs(self.dir).next().is_none()
    }

    /// Writes a key and its chain. A crash in between leaves files that are not in the list, and are made anew.
    pub(crate) fn write(
        &mut self,
        name: &str,
        key: &PrivateKey,
        chain: &[Certificate],
    ) -> Result<(), AuthorityError> {
        write_private(&self.key_path(name), key, PrivateFormat::Pkcs8, Existing::Replace)?;
        self.put(&self.chain_path(name), chain_pem(chain).as_bytes())?;
        self.made.insert(name.to_owned());
        self.put_list()
    }

    /// Whether this stands in the list.
    pub(crate) fn is_noted(&self, name: &str) -> bool {
        self.made.contains(name)
    }

    /// Notes what is not kept as a key and its chain.
    pub(crate) fn note(&mut self, name: &str) -> Result<(), AuthorityError> {
        match self.made.insert(name.to_owned()) {
            true => self.put_list(),
            false => Ok(()),
        }
    }

    /// Writes the list where an earlier version has made the files and none.
    pub(crate) fn settle(&self) -> Result<(), AuthorityError> {
        match self.is_settled() {
            true => Ok(()),
            false => self.put_list(),
        }
    }

    /// Whether there is a list, be it an empty one.
    pub(crate) fn is_settled(&self) -> bool {
        self.dir.join(LIST).is_file()
    }

    fn put_list(&self) -> Result<(), AuthorityError> {
        let path = self.dir.join(LIST);
        let list = serde_json::to_vec_pretty(&self.made).map_err(|error| at(&path)(error.into()))?;
        self.put(&path, &list)
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), AuthorityError> {
        self.disk.put(self.dir, path, bytes).map_err(at(path))
    }
}

/// The fingerprint of the root that an authority has made for itself in this directory, as far as it can be read.
pub fn own_root(dir: &Path) -> Option<Digest> {
    let chain = read_chain(&file(dir, ROOT, CHAIN)).ok()?;
    chain.first().map(Certificate::fingerprint)
}

/// Refuses a directory that the list is gone from while the authority runs: it would make others in the place of its keys.
pub(crate) fn refuse_moved(dir: &DataDir) -> Result<(), AuthorityError> {
    let path = dir.path().join(LIST);
    match path.is_file() {
        true => Ok(()),
        false => Err(AuthorityError::Lost { path }),
    }
}

/// Whether an operator has moved the keys out of this directory, to have others made: a root that is only lost stands in the list.
pub fn are_moved(dir: &Path) -> bool {
    ![file(dir, ROOT, CHAIN), dir.join(LIST)].iter().any(|path| path.exists())
}

/// What is wrong with the keys and chains that an authority keeps in this directory.
pub fn fsck(dir: &Path) -> Vec<String> {
    let disk = Disk::default();
    let files = match KeyFiles::open(&disk, dir) {
        Ok(files) => files,
        Err(error) => return vec![error.to_string()],
    };
    let all = files.made.iter().cloned().chain(pairs(dir)).collect::<BTreeSet<_>>();
    all.iter()
        .filter(|name| !NOTES.contains(&name.as_str()))
        .filter_map(|name| check(&files, name).err().map(|error| error.to_string()))
        .collect()
}

/// A chain whose first certificate is that of the key beside it, and each issued by the next. A root's key may be elsewhere.
fn check(files: &KeyFiles<'_>, name: &str) -> Result<(), AuthorityError> {
    let Some(certificates) = files.chain(name)? else { return Ok(()) };
    let own = certificates.first().ok_or(AuthorityError::EmptyChain)?;
    match files.key(name)? {
        Some(key) if own.spki() != key.public_key().spki_der() => return Err(AuthorityError::OtherKey),
        None if name != ROOT => return Err(AuthorityError::Lost { path: files.key_path(name) }),
        _ => {}
    }
    match each_issued_by_the_next(&certificates) {
        true => Ok(()),
        false => Err(AuthorityError::Chain { path: files.chain_path(name) }),
    }
}

/// The list; of a directory that an earlier version made, the pairs that are there.
fn read_list(dir: &Path) -> Result<BTreeSet<String>, AuthorityError> {
    let path = dir.join(LIST);
    let list = match fs::read(&path) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(pairs(dir).collect()),
        Err(error) => return Err(at(&path)(error)),
    };
    serde_json::from_slice(&list).map_err(|error| at(&path)(error.into()))
}

/// The names that have both files.
fn pairs(dir: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let chains = paths.filter(|path| path.extension().is_some_and(|end| end == CHAIN));
    let pairs = chains.filter(|chain| chain.with_extension(KEY).is_file());
    pairs.filter_map(|chain| Some(chain.file_stem()?.to_str()?.to_owned()))
}

fn is_there(path: &Path) -> Result<bool, AuthorityError> {
    path.try_exists().map_err(at(path))
}

fn read_chain(path: &Path) -> Result<Vec<Certificate>, AuthorityError> {
    let text = fs::read_to_string(path).map_err(at(path))?;
    certificates_from_pem(&text).map_err(|_| AuthorityError::Chain { path: path.to_owned() })
}

fn at(path: &Path) -> impl Fn(io::Error) -> AuthorityError {
    move |error| AuthorityError::Io { path: path.to_owned(), error }
}

fn file(dir: &Path, name: &str, kind: &str) -> PathBuf {
    dir.join(format!("{name}.{kind}"))
}

const KEY: &str = "key";
const CHAIN: &str = "pem";
const LIST: &str = "made.json";
/// In the list: the authority was given its keys.
pub(crate) const GIVEN: &str = "given";
/// In the list: the log of certificates that the authority keeps itself, by where it is.
pub(crate) const OWN_LOG: &str = crate::ctlog::DIR;
const NOTES: [&str; 2] = [GIVEN, OWN_LOG];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::{Subject, make_root};

    async fn made(dir: &Path, name: &str) {
        let subject = Subject { organization: "o", common_name: "root" };
        let (key, root) = make_root(&subject, (1_795_000_000, 1_895_000_000)).await.unwrap();
        KeyFiles::open(&Disk::default(), dir).unwrap().write(name, &key, &[root]).unwrap();
    }

    #[tokio::test]
    async fn a_key_whose_certificate_is_lost_is_not_made_anew() {
        for lost in ["leaf.pem", "leaf.key"] {
            let dir = tempfile::tempdir().unwrap();
            made(dir.path(), "leaf").await;
            assert_eq!(fsck(dir.path()), Vec::<String>::new());
            fs::remove_file(dir.path().join(lost)).unwrap();
            let disk = Disk::default();
            let read = KeyFiles::open(&disk, dir.path()).unwrap().read("leaf");
            assert!(matches!(read, Err(AuthorityError::Lost { path }) if path.ends_with(lost)));
            assert!(fsck(dir.path()).concat().contains(lost), "{:?}", fsck(dir.path()));
        }
    }

    /// Nothing that a crash leaves looks like it.
    #[tokio::test]
    async fn a_certificate_whose_key_is_gone_was_made_whatever_the_list_says() {
        let dir = tempfile::tempdir().unwrap();
        made(dir.path(), "leaf").await;
        fs::remove_file(dir.path().join("leaf.key")).unwrap();
        for list in [None, Some("[]")] {
            let path = dir.path().join(LIST);
            list.map_or_else(|| fs::remove_file(&path), |list| fs::write(&path, list)).unwrap();
            let disk = Disk::default();
            let read = KeyFiles::open(&disk, dir.path()).unwrap().read("leaf");
            assert!(matches!(read, Err(AuthorityError::Lost { path }) if path.ends_with("leaf.key")));
        }
    }

    #[tokio::test]
    async fn what_an_earlier_version_made_is_kept_too() {
        let dir = tempfile::tempdir().unwrap();
        made(dir.path(), "root").await;
        fs::remove_file(dir.path().join(LIST)).unwrap();
        let disk = Disk::default();
        let files = KeyFiles::open(&disk, dir.path()).unwrap();
        assert!(files.read("root").unwrap().is_some());
        assert!(files.read("next").unwrap().is_none());
        files.settle().unwrap();
        fs::remove_file(dir.path().join("root.pem")).unwrap();
        let again = KeyFiles::open(&disk, dir.path()).unwrap().read("root");
        assert!(matches!(again, Err(AuthorityError::Lost { .. })));
    }

    #[test]
    fn what_a_crash_left_unfinished_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("root.key"), "half a key").unwrap();
        let disk = Disk::default();
        assert!(KeyFiles::open(&disk, dir.path()).unwrap().read("root").unwrap().is_none());
    }
}
