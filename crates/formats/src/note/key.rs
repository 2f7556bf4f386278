//! The keys that sign notes.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use signet_crypto::{Digest, KeyAlgorithm, PublicKey, Scheme};

use super::NoteError;

/// The id by which a signature line names its key: enough to find it, not to trust it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a key signs, and how its id is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Type 01: Ed25519 over the note.
    Ed25519,
    /// Type 02: ECDSA over the note, by the curve's own hash or SHA-256. Its id leaves the name out.
    Ecdsa,
    /// Type 04: Ed25519 with a timestamp, of a witness (`cosignature/v1`).
    CosignatureV1,
    /// Type 05: ECDSA over the tree head of RFC 6962, of a log of certificates
    /// ([`crate::static_ct::verify_tree_head`]).
    CertificateLog,
    /// Type 06: ML-DSA-44 over a subtree and a timestamp, of a witness or log (`subtree/v1`).
    SubtreeV1,
    /// Type ff, `PKIX-RSA-PKCS#1v1.5`: RSA PKCS#1 v1.5 with SHA-256 over the note, as Rekor defines.
    Rsa,
}

/// A key that signs notes under a name.
///
/// Its text form is the vkey: `<name>+<id in hex>+<base64 of type and key>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    pub(super) name: String,
    kind: KeyKind,
    key: PublicKey,
}

impl VerifierKey {
    /// The key of a log. The kind follows from the algorithm.
    pub fn log(name: &str, key: PublicKey) -> Result<Self, NoteError> {
        let kind = log_kind(key.algorithm()).ok_or(NoteError::KeyUnsupported)?;
        Self::new(name, kind, key)
    }

    /// The key of a witness: Ed25519 or ML-DSA-44.
    pub fn witness(name: &str, key: PublicKey) -> Result<Self, NoteError> {
        let kind = match key.algorithm() {
            KeyAlgorithm::Ed25519 => KeyKind::CosignatureV1,
            KeyAlgorithm::MlDsa44 => KeyKind::SubtreeV1,
            _ => return Err(NoteError::KeyUnsupported),
        };
        Self::new(name, kind, key)
    }

    /// The key of a log of certificates: ECDSA on P-256.
    pub fn certificate_log(name: &str, key: PublicKey) -> Result<Self, NoteError> {
        match key.algorithm() {
            KeyAlgorithm::EcdsaP256 => Self::new(name, KeyKind::CertificateLog, key),
            _ => Err(NoteError::KeyUnsupported),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key itself.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The id in signature lines: the first four bytes of [`VerifierKey::full_id`].
    pub fn id(&self) -> KeyId {
        match self.full_id().as_bytes() {
            [a, b, c, d, ..] => KeyId([*a, *b, *c, *d]),
            _ => KeyId([0; 4]),
        }
    }

    /// The hash that the id is cut from; Rekor's `logId.keyId`.
    pub fn full_id(&self) -> Digest {
        match self.kind {
            KeyKind::Ecdsa => self.key.id(),
            // The log's id of RFC 6962 stands for the key.
            KeyKind::CertificateLog => {
                let id = self.key.id();
                Digest::sha256(&[self.name.as_bytes(), b"\n", &[TYPE_TREE_HEAD], id.as_bytes()].concat())
            }
            _ => Digest::sha256(&[self.name.as_bytes(), b"\n", &self.typed_key()].concat()),
        }
    }

    fn new(name: &str, kind: KeyKind, key: PublicKey) -> Result<Self, NoteError> {
        match is_name(name) {
            true => Ok(Self { name: name.to_owned(), kind, key }),
            false => Err(NoteError::Name),
        }
    }

    /// Whether this is the key's signature over the text itself.
    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let schemes: &[Scheme] = match (self.kind, self.key.algorithm()) {
            (KeyKind::Ed25519, _) => &[Scheme::Ed25519],
            (KeyKind::Rsa, _) => &[Scheme::RsaPkcs1Sha256],
            (KeyKind::Ecdsa, algorithm) => Scheme::for_key(algorithm),
            (KeyKind::CosignatureV1 | KeyKind::SubtreeV1 | KeyKind::CertificateLog, _) => &[],
        };
        schemes.iter().any(|scheme| self.key.verify(*scheme, text.as_bytes(), signature).is_ok())
    }

    /// Type and key as vkeys and ids have them.
    fn typed_key(&self) -> Vec<u8> {
        match self.kind {
            KeyKind::Ed25519 => [&[TYPE_ED25519], self.key.bits()].concat(),
            KeyKind::Ecdsa => [&[TYPE_ECDSA], self.key.spki_der()].concat(),
            KeyKind::CosignatureV1 => [&[TYPE_COSIGNATURE], self.key.bits()].concat(),
            // Nobody has defined a vkey of this type; the id alone could verify nothing.
            KeyKind::CertificateLog => [&[TYPE_TREE_HEAD], self.key.spki_der()].concat(),
            KeyKind::SubtreeV1 => [&[TYPE_SUBTREE], self.key.bits()].concat(),
            KeyKind::Rsa => [TYPE_RSA, self.key.spki_der()].concat(),
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, self.id(), BASE64.encode(self.typed_key()))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(vkey: &str) -> Result<Self, NoteError> {
        if vkey.len() > MAX_VKEY_BYTES {
            return Err(NoteError::TooLarge);
        }
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::MalformedKey);
        };
        let typed_key = BASE64.decode(key).map_err(|_| NoteError::MalformedKey)?;
        let (kind, key) = read_typed_key(&typed_key)?;
        let key = Self::new(name, kind, key)?;
        match key.id().to_string() == id {
            true => Ok(key),
            false => Err(NoteError::KeyIdMismatch),
        }
    }
}

fn read_typed_key(typed_key: &[u8]) -> Result<(KeyKind, PublicKey), NoteError> {
    let raw = |kind, algorithm, bits| (kind, PublicKey::from_bits(algorithm, bits));
    let (kind, key) = match typed_key {
        [TYPE_ED25519, bits @ ..] => raw(KeyKind::Ed25519, KeyAlgorithm::Ed25519, bits),
        [TYPE_COSIGNATURE, bits @ ..] => raw(KeyKind::CosignatureV1, KeyAlgorithm::Ed25519, bits),
        [TYPE_SUBTREE, bits @ ..] => raw(KeyKind::SubtreeV1, KeyAlgorithm::MlDsa44, bits),
        [TYPE_TREE_HEAD, spki @ ..] => (KeyKind::CertificateLog, PublicKey::from_spki_der(spki)),
        [TYPE_ECDSA, spki @ ..] => (KeyKind::Ecdsa, PublicKey::from_spki_der(spki)),
        _ => {
            let spki = typed_key.strip_prefix(TYPE_RSA).ok_or(NoteError::KeyUnsupported)?;
            (KeyKind::Rsa, PublicKey::from_spki_der(spki))
        }
    };
    let key = key.map_err(|_| NoteError::MalformedKey)?;
    let fits = match kind {
        KeyKind::CosignatureV1 => true,
        KeyKind::CertificateLog => key.algorithm() == KeyAlgorithm::EcdsaP256,
        _ => log_kind(key.algorithm()) == Some(kind),
    };
    if fits { Ok((kind, key)) } else { Err(NoteError::KeyUnsupported) }
}

/// What a log's key of this algorithm signs.
fn log_kind(algorithm: KeyAlgorithm) -> Option<KeyKind> {
    match algorithm {
        KeyAlgorithm::Ed25519 => Some(KeyKind::Ed25519),
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => Some(KeyKind::Ecdsa),
        KeyAlgorithm::Rsa { .. } => Some(KeyKind::Rsa),
        KeyAlgorithm::MlDsa44 => Some(KeyKind::SubtreeV1),
        _ => None,
    }
}

/// Whether a text can be the name of a note's key.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

const TYPE_ED25519: u8 = 0x01;
const TYPE_ECDSA: u8 = 0x02;
const TYPE_COSIGNATURE: u8 = 0x04;
const TYPE_TREE_HEAD: u8 = 0x05;
const TYPE_SUBTREE: u8 = 0x06;
const TYPE_RSA: &[u8] = b"\xffPKIX-RSA-PKCS#1v1.5";

/// An ML-DSA-44 key is 1,750 characters, and names are at most 255 bytes.
const MAX_VKEY_BYTES: usize = 8 * 1024;
