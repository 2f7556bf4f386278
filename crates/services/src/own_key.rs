//! Private keys that a service keeps in its own data directory, under `keys`, for its owner only.

use std::fs;
use std::path::PathBuf;

use signet_crypto::KeyAlgorithm;
use signet_keys::{
    Error, Existing, FileError, PasswordSource, PrivateFormat, PrivateKey, read_private, write_private,
};
use signet_store::DataDir;
use uuid::Uuid;

/// Reads the directory's key of an algorithm, or makes it. A crash in between leaves none.
pub(crate) fn own_key(dir: &DataDir, algorithm: KeyAlgorithm) -> Result<PrivateKey, FileError> {
    let path = place(dir, algorithm);
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
    place(dir, algorithm).is_file()
}

/// A host name that nobody else has: names of logs and witnesses are never looked up, only compared.
pub fn made_up_name(what: &str) -> String {
    let unique = Uuid::new_v4().simple().to_string();
    format!("{what}-{}.signet.internal", unique.get(..12).unwrap_or(&unique))
}

fn place(dir: &DataDir, algorithm: KeyAlgorithm) -> PathBuf {
    let name = match algorithm {
        KeyAlgorithm::EcdsaP256 => "p256.key",
        KeyAlgorithm::MlDsa44 => "ml-dsa-44.key",
        _ => "ed25519.key",
    };
    dir.path().join(KEYS).join(name)
}

const KEYS: &str = "keys";
