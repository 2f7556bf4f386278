//! Logs of certificates as RFC 6962 hashes and signs them and C2SP static-ct-api serves them.

use std::fmt;

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::merkle::{Hash, leaf_hash};
use crate::note::{KeyKind, NoteError, NoteSignature, VerifierKey};
use crate::sct;
use crate::x509::SignatureAlgorithm;

/// The largest certificate, or TBSCertificate, of an entry in bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 32 * 1024;
/// The most issuers of an entry.
pub const MAX_CHAIN: usize = 16;

/// An entry as data tiles have it (`TileLeaf`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileLeaf {
    /// When the log took it, in milliseconds since 1970.
    pub timestamp: u64,
    /// What it is about.
    pub entry: SignedEntry,
    /// Its index in the log, below 2^40.
    pub index: u64,
    /// The SHA-256 of the issuers' certificates, the certificate's own issuer first.
    pub chain: Vec<[u8; 32]>,
}

/// What a log has promised to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedEntry {
    /// A certificate.
    Certificate(Vec<u8>),
    /// A precertificate.
    Precertificate {
        /// The SHA-256 of the issuer's SubjectPublicKeyInfo.
        issuer_key_hash: [u8; 32],
        /// The TBSCertificate without poison and timestamps.
        tbs: Vec<u8>,
        /// The precertificate as it was submitted.
        precertificate: Vec<u8>,
    },
}

impl SignedEntry {
    /// What the log signs to promise it at a time and with these extensions (RFC 6962 §3.2).
    pub fn signed_data(&self, timestamp: u64, extensions: &[u8]) -> Option<Vec<u8>> {
        Some([&[V1, CERTIFICATE_TIMESTAMP][..], &self.timestamped(timestamp, extensions)?].concat())
    }

    /// The `TimestampedEntry` of RFC 6962 §3.4; `None` if a part is too long.
    fn timestamped(&self, timestamp: u64, extensions: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = timestamp.to_be_bytes().to_vec();
        match self {
            Self::Certificate(der) => {
                bytes.extend_from_slice(&X509_ENTRY);
                push_long(&mut bytes, der)?;
            }
            Self::Precertificate { issuer_key_hash, tbs, .. } => {
                bytes.extend_from_slice(&PRECERT_ENTRY);
                bytes.extend_from_slice(issuer_key_hash);
                push_long(&mut bytes, tbs)?;
            }
        }
        bytes.extend_from_slice(&u16::try_from(extensions.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(extensions);
        Some(bytes)
    }
}

impl TileLeaf {
    /// Reads one entry, with nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, StaticCtError> {
        match Self::split(bytes)? {
            (leaf, []) => Ok(leaf),
            _ => Err(StaticCtError),
        }
    }

    /// Reads the first entry of a data tile; with it what comes after.
    pub fn split(bytes: &[u8]) -> Result<(Self, &[u8]), StaticCtError> {
        let mut rest = Reader(bytes);
        let timestamp = u64::from_be_bytes(rest.array()?);
        let kind: [u8; 2] = rest.array()?;
        let issuer_key_hash = match kind {
            PRECERT_ENTRY => Some(rest.array()?),
            X509_ENTRY => None,
            _ => return Err(StaticCtError),
        };
        let signed = rest.long()?.to_vec();
        let index = sct::read_leaf_index(rest.short()?).ok_or(StaticCtError)?;
        let entry = match issuer_key_hash {
            None => SignedEntry::Certificate(signed),
            Some(issuer_key_hash) => {
                let precertificate = rest.long()?.to_vec();
                SignedEntry::Precertificate { issuer_key_hash, tbs: signed, precertificate }
            }
        };
        let (chain, odd) = rest.short()?.as_chunks::<32>();
        match odd.is_empty() && chain.len() <= MAX_CHAIN {
            true => Ok((Self { timestamp, entry, index, chain: chain.to_vec() }, rest.0)),
            false => Err(StaticCtError),
        }
    }

    /// The entry's bytes; `None` if a part is too long, or there are too many issuers.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = self.entry.timestamped(self.timestamp, &self.extensions()?)?;
        if let SignedEntry::Precertificate { precertificate, .. } = &self.entry {
            push_long(&mut bytes, precertificate)?;
        }
        if self.chain.len() > MAX_CHAIN {
            return None;
        }
        let chain = self.chain.as_flattened();
        bytes.extend_from_slice(&u16::try_from(chain.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(chain);
        Some(bytes)
    }

    /// The extensions of its promise: its index. `None` beyond 2^40.
    pub fn extensions(&self) -> Option<Vec<u8>> {
        sct::leaf_index_extension(self.index)
    }

    /// The hash of the leaf (`MerkleTreeLeaf`) in the tree; `None` as for [`TileLeaf::to_bytes`].
    pub fn hash(&self) -> Option<Hash> {
        let timestamped = self.entry.timestamped(self.timestamp, &self.extensions()?)?;
        Some(leaf_hash(&[&[V1, TIMESTAMPED_ENTRY][..], &timestamped].concat()))
    }
}

/// The entries of a data tile, in order. After an error there are no more.
pub fn tile_leaves(tile: &[u8]) -> impl Iterator<Item = Result<TileLeaf, StaticCtError>> {
    let mut rest = tile;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (leaf, after) = match TileLeaf::split(rest) {
            Ok((leaf, after)) => (Ok(leaf), after),
            Err(error) => (Err(error), &[][..]),
        };
        rest = after;
        Some(leaf)
    })
}

/// What a log signs for a tree at a time in milliseconds since 1970 (`TreeHeadSignature`, RFC 6962 §3.5).
pub fn tree_head(checkpoint: &Checkpoint, timestamp: u64) -> Vec<u8> {
    let times = [timestamp.to_be_bytes(), checkpoint.size.to_be_bytes()].concat();
    [&[V1, TREE_HASH][..], &times, &checkpoint.root].concat()
}

/// The signature line of a checkpoint: an ECDSA signature over [`tree_head`], and its time.
pub fn tree_head_line(
    key: &VerifierKey,
    timestamp: u64,
    signature: &[u8],
) -> Result<NoteSignature, NoteError> {
    let length = u16::try_from(signature.len()).map_err(|_| NoteError::MalformedSignature)?;
    let head = [&timestamp.to_be_bytes()[..], &ECDSA_SHA256, &length.to_be_bytes()].concat();
    Ok(NoteSignature::new(key, [&head, signature].concat()))
}

/// Checks the signature of a log of certificates under its checkpoint. When it signed, in milliseconds since 1970.
pub fn verify_tree_head(signed: &SignedCheckpoint, key: &VerifierKey) -> Result<u64, NoteError> {
    if key.kind() != KeyKind::CertificateLog {
        return Err(NoteError::KeyUnsupported);
    }
    if !signed.checkpoint().extensions.is_empty() {
        // The signature does not cover them.
        return Err(NoteError::SignatureInvalid);
    }
    signed.note().verify_each(key, |line| {
        let (timestamp, signature) =
            read_line(line.signature()).map_err(|_| NoteError::MalformedSignature)?;
        let algorithm = SignatureAlgorithm::Ecdsa(signet_crypto::DigestAlgorithm::Sha256);
        let message = tree_head(signed.checkpoint(), timestamp);
        algorithm.verify(key.key(), &message, signature).map_err(|_| NoteError::SignatureInvalid)?;
        Ok(timestamp)
    })
}

fn read_line(blob: &[u8]) -> Result<(u64, &[u8]), StaticCtError> {
    let mut rest = Reader(blob);
    let timestamp = u64::from_be_bytes(rest.array()?);
    let (algorithm, signature): ([u8; 2], _) = (rest.array()?, rest.short()?);
    match algorithm == ECDSA_SHA256 && rest.0.is_empty() {
        true => Ok((timestamp, signature)),
        false => Err(StaticCtError),
    }
}

/// It is not an entry of a log of certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticCtError;

impl fmt::Display for StaticCtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an entry of a log of certificates")
    }
}

impl std::error::Error for StaticCtError {}

/// Reads TLS presentation language.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], StaticCtError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(StaticCtError)?;
        self.0 = rest;
        Ok(*head)
    }

    /// A vector with a length of two bytes.
    fn short(&mut self) -> Result<&'a [u8], StaticCtError> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }

    /// A certificate: a vector with a length of three bytes.
    fn long(&mut self) -> Result<&'a [u8], StaticCtError> {
        let [a, b, c] = self.array()?;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).map_err(|_| StaticCtError)?;
        match (1..=MAX_CERTIFICATE_BYTES).contains(&length) {
            true => self.take(length),
            false => Err(StaticCtError),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], StaticCtError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(StaticCtError)?;
        self.0 = rest;
        Ok(head)
    }
}

fn push_long(bytes: &mut Vec<u8>, certificate: &[u8]) -> Option<()> {
    if !(1..=MAX_CERTIFICATE_BYTES).contains(&certificate.len()) {
        return None;
    }
    let [.., a, b, c] = certificate.len().to_be_bytes();
    bytes.extend_from_slice(&[a, b, c]);
    bytes.extend_from_slice(certificate);
    Some(())
}

const V1: u8 = 0;
const CERTIFICATE_TIMESTAMP: u8 = 0;
const TREE_HASH: u8 = 1;
const TIMESTAMPED_ENTRY: u8 = 0;
const X509_ENTRY: [u8; 2] = [0, 0];
const PRECERT_ENTRY: [u8; 2] = [0, 1];
/// Hash and signature algorithm by their numbers in TLS 1.2.
const ECDSA_SHA256: [u8; 2] = [4, 3];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use signet_crypto::Digest;

    use super::*;

    fn precertificate() -> TileLeaf {
        let entry = SignedEntry::Precertificate {
            issuer_key_hash: [7; 32],
            tbs: vec![1, 2, 3],
            precertificate: vec![4; 300],
        };
        TileLeaf { timestamp: 1_795_000_000_123, entry, index: (1 << 40) - 1, chain: vec![[8; 32], [9; 32]] }
    }

    fn certificate() -> TileLeaf {
        let entry = SignedEntry::Certificate(vec![5; 10]);
        TileLeaf { entry, index: 0, chain: Vec::new(), ..precertificate() }
    }

    #[test]
    fn entries_are_read_as_they_were_written() {
        let both = [precertificate(), certificate()];
        let tile: Vec<u8> = both.iter().flat_map(|leaf| leaf.to_bytes().unwrap()).collect();
        assert_eq!(tile_leaves(&tile).collect::<Result<Vec<_>, _>>().unwrap(), both);
        assert!(tile_leaves(&tile[..tile.len() - 1]).any(|leaf| leaf.is_err()));
        assert_eq!(TileLeaf::parse(&tile), Err(StaticCtError));
    }

    /// RFC 6962 §3.4 and §3.2, written out by hand.
    #[test]
    fn the_leaf_and_the_promise_are_those_of_the_rfc() {
        let time = 1_795_000_000_123_u64.to_be_bytes();
        let after = [&[0, 1][..], &[7; 32], &[0, 0, 3, 1, 2, 3], &[0, 8, 0, 0, 5], &[0xff; 5]].concat();
        let leaf = precertificate();
        let hash = Digest::sha256(&[&[0, 0, 0][..], &time, &after].concat());
        assert_eq!(leaf.hash().unwrap(), hash.as_bytes());
        let promise = leaf.entry.signed_data(leaf.timestamp, &leaf.extensions().unwrap()).unwrap();
        let key = Digest::from_bytes(signet_crypto::DigestAlgorithm::Sha256, &[7; 32]).unwrap();
        let by_sct = sct::signed_data(leaf.timestamp, &leaf.extensions().unwrap(), &key, &[1, 2, 3]);
        assert_eq!(promise, by_sct);
        assert_eq!(promise, [&[0, 0][..], &time, &after].concat());
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let long = |bytes| TileLeaf { entry: SignedEntry::Certificate(vec![1; bytes]), ..certificate() };
        assert!(long(MAX_CERTIFICATE_BYTES).to_bytes().is_some());
        assert!(long(MAX_CERTIFICATE_BYTES + 1).to_bytes().is_none());
        assert!(long(0).to_bytes().is_none());
        assert!(TileLeaf { index: 1 << 40, ..certificate() }.to_bytes().is_none());
        let chain = |count| TileLeaf { chain: vec![[1; 32]; count], ..certificate() };
        assert!(chain(MAX_CHAIN).to_bytes().is_some_and(|bytes| TileLeaf::parse(&bytes).is_ok()));
        assert!(chain(MAX_CHAIN + 1).to_bytes().is_none());
    }

    proptest! {
        #[test]
        fn any_damage_is_parsed_or_refused_without_panic(at in 0_usize..420, byte in any::<u8>()) {
            let mut bytes = precertificate().to_bytes().unwrap();
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
            if let Ok(leaf) = TileLeaf::parse(&bytes) {
                // One value has one spelling.
                prop_assert_eq!(leaf.to_bytes().unwrap(), bytes);
            }
        }
    }
}
