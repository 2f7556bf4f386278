//! Private keys that a service keeps in its own data directory, under `keys`, for its owner only.

use std::fs;
use std::path::{Path, PathBuf};

use signet_crypto::KeyAlgorithm;
use signet_formats::note::VerifierKey;
use signet_keys::{
    Error, Existing, FileError, PasswordSource, PrivateFormat, PrivateKey, read_private, write_private,
};
use signet_store::DataDir;
use uuid::Uuid;

/// Reads the directory's key of an algorithm, or makes it. A crash in between leaves none.
pub(crate) fn own_key(dir: &DataDir, algorithm: KeyAlgorithm) -> Result<PrivateKey, FileError> {
    let path = place(dir.path(), algorithm);
    let at = |error: Error| FileError { path: path.clone(), error };
    let unwritable = |error| at(Error::Unwritable(error));
    if fs::exists(&path).map_err(|error| at(Error::Unreadable(error)))? {
        // Asked for only if the operator has put it under one.
        return read_private(&path, &PasswordSource::Environment);
    }
    dir.disk().make_dirs(&dir.path().join(KEYS)).map_err(unwritable)?;
    let key = PrivateKey::generate(algorithm).map_err(at)?;
    write_private(&path, &key, PrivateFormat::Pkcs8, Existing::Refuse)?;
    dir.disk().sync_parent(&path).map_err(unwritable)?;
    Ok(key)
}

/// Whether the directory has a key of an algorithm.
pub(crate) fn has_own_key(dir: &DataDir, algorithm: KeyAlgorithm) -> bool {
    place(dir.path(), algorithm).is_file()
}

/// The files of the private keys of these, as notes' verifiers have them, that the directory does not have.
pub(crate) fn lost_keys(dir: &Path, keys: &[String]) -> Vec<PathBuf> {
    let places = verifiers(keys).map(|key| place(dir, key.key().algorithm()));
    places.filter(|path| !path.is_file()).collect()
}

/// The same, and those that are not what they should be, in words.
pub(crate) fn wrong_keys(dir: &Path, keys: &[String]) -> Vec<String> {
    let wrong = |key: VerifierKey| {
        let path = place(dir, key.key().algorithm());
        let shown = path.strip_prefix(dir).unwrap_or(&path).display();
        match read_private(&path, &PasswordSource::Environment) {
            Ok(private) if private.public_key() == key.key() => None,
            Ok(_) => Some(format!("`{shown}` is another key than the log's")),
            Err(_) if !path.is_file() => Some(format!("`{shown}` is missing")),
            Err(error) => Some(error.to_string()),
        }
    };
    verifiers(keys).filter_map(wrong).collect()
}

fn verifiers(keys: &[String]) -> impl Iterator<Item = VerifierKey> {
    keys.iter().filter_map(|key| key.parse().ok())
}

/// A host name that nobody else has: names of logs and witnesses are never looked up, only compared.
pub fn made_up_name(what: &str) -> String {
    let unique = Uuid::new_v4().simple().to_string();
    format!("{what}-{}.signet.internal", unique.get(..12).unwrap_or(&unique))
}

fn place(dir: &Path, algorithm: KeyAlgorithm) -> PathBuf {
    let name = match algorithm {
        KeyAlgorithm::EcdsaP256 => "p256.key",
        KeyAlgorithm::MlDsa44 => "ml-dsa-44.key",
        _ => "ed25519.key",
    };
    dir.join(KEYS).join(name)
}

const KEYS: &str = "keys";
