//! Whether enough keys of a role have signed.

use std::collections::{BTreeMap, BTreeSet};

use signet_formats::tuf::{Body, Key, Metadata, Role, RoleKeys, Root};

use super::{Refusal, Why};

/// Checks that a file is signed by as many distinct keys of the role as its threshold says.
///
/// Keys are counted, not key ids: one key under two ids counts once (CVE-2020-6174, CVE-2026-6966). A signature
/// that is malformed, does not verify or is of an unknown key counts for nothing, and harms nothing.
pub(super) fn check<B: Body>(
    file: &str,
    metadata: &Metadata<B>,
    keys: &BTreeMap<String, Key>,
    role: &RoleKeys,
    named_by: &str,
) -> Result<(), Refusal> {
    let signers = signers(metadata, keys, role);
    let found = u64::try_from(signers.len()).unwrap_or(u64::MAX);
    match found >= role.threshold && found > 0 {
        true => Ok(()),
        false => {
            let why = Why::Signatures { found, wanted: role.threshold, role: named_by.to_owned() };
            Err(Refusal::new(file, why))
        }
    }
}

/// Checks a file of a top-level role against the root that names its keys.
pub fn signed_by_root<B: Body>(
    file: &str,
    metadata: &Metadata<B>,
    root: &Root,
    role: Role,
) -> Result<(), Refusal> {
    let keys = root.role(role).map_err(|error| Refusal::new(file, error))?;
    check(file, metadata, &root.keys, keys, Role::Root.name())
}

/// The ids of those of the root's keys that have soundly signed a new root: what a ceremony still lacks shows.
pub fn countersigners(new: &Metadata<Root>, keys: &Root) -> Vec<String> {
    let Ok(role) = keys.role(Role::Root) else { return Vec::new() };
    let sound = |id: &&String| has_signed(new, &keys.keys, id).is_some();
    role.keyids.iter().filter(sound).cloned().collect()
}

/// The SubjectPublicKeyInfo of every key of the role that has signed.
fn signers<B: Body>(
    metadata: &Metadata<B>,
    keys: &BTreeMap<String, Key>,
    role: &RoleKeys,
) -> BTreeSet<Vec<u8>> {
    role.keyids.iter().filter_map(|id| has_signed(metadata, keys, id)).collect()
}

/// The SubjectPublicKeyInfo of the key of this id, if it has signed.
fn has_signed<B: Body>(metadata: &Metadata<B>, keys: &BTreeMap<String, Key>, id: &str) -> Option<Vec<u8>> {
    let signature = metadata.signatures.iter().find(|signature| signature.keyid == id)?.bytes()?;
    let (key, scheme) = keys.get(id)?.usable()?;
    key.verify(scheme, metadata.canonical(), &signature).ok()?;
    Some(key.spki_der().to_vec())
}
