//! Signed certificate timestamps of version 1 (RFC 6962 §3.2), with the extensions that logs of
//! the static API write (C2SP static-ct-api).

use std::fmt;

use signet_crypto::{Digest, DigestAlgorithm, PublicKey, SignatureInvalid};

use crate::x509::SignatureAlgorithm;

/// The most timestamps that one list may have.
pub const MAX_SCTS: usize = 32;

/// A log's promise to include a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sct {
    log_id: [u8; 32],
    timestamp: u64,
    extensions: Vec<u8>,
    algorithm: SctAlgorithm,
    signature: Vec<u8>,
}

impl Sct {
    /// Reads one `SignedCertificateTimestamp` structure, with nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, SctError> {
        let mut rest = Bytes(bytes);
        match rest.array::<1>()? {
            [V1] => {}
            [version] => return Err(SctError::Version(version)),
        }
        let log_id = rest.array()?;
        let timestamp = u64::from_be_bytes(rest.array()?);
        let extensions = rest.vector()?.to_vec();
        let algorithm = SctAlgorithm::read(rest.array()?)?;
        let signature = rest.vector()?.to_vec();
        rest.finish()?;
        Ok(Self { log_id, timestamp, extensions, algorithm, signature })
    }

    /// A timestamp that a log has signed with ECDSA and SHA-256, see [`signed_data`].
    pub fn new(log_id: [u8; 32], timestamp: u64, extensions: Vec<u8>, signature: Vec<u8>) -> Self {
        Self { log_id, timestamp, extensions, algorithm: SctAlgorithm::EcdsaSha256, signature }
    }

    /// The `SignedCertificateTimestamp` structure; `None` if a part is too long for its length field.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![V1];
        bytes.extend_from_slice(&self.log_id);
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.extend_from_slice(&vector(&self.extensions)?);
        bytes.extend_from_slice(&self.digitally_signed()?);
        Some(bytes)
    }

    /// The `digitally-signed` structure of TLS 1.2, as the JSON of `add-pre-chain` carries it.
    pub fn digitally_signed(&self) -> Option<Vec<u8>> {
        Some([&self.algorithm.bytes()[..], &vector(&self.signature)?].concat())
    }

    /// The SHA-256 of the log's SubjectPublicKeyInfo.
    pub fn log_id(&self) -> &[u8; 32] {
        &self.log_id
    }

    /// When the log promised, in milliseconds since 1970.
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// The raw extensions; empty from logs of RFC 6962 proper.
    pub fn extensions(&self) -> &[u8] {
        &self.extensions
    }

    /// The index of the entry that a log of the static API has assigned.
    pub fn leaf_index(&self) -> Option<u64> {
        let mut rest = Bytes(&self.extensions);
        while let Ok([kind]) = rest.array::<1>() {
            match (kind, rest.vector().ok()?) {
                (LEAF_INDEX, &[a, b, c, d, e]) => return Some(u64::from_be_bytes([0, 0, 0, a, b, c, d, e])),
                (LEAF_INDEX, _) => return None,
                _ => {}
            }
        }
        None
    }

    /// The algorithm of the signature.
    pub fn algorithm(&self) -> SctAlgorithm {
        self.algorithm
    }

    /// The log's signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What the log has signed for a precertificate: the SHA-256 of the issuer's
    /// SubjectPublicKeyInfo and [`crate::x509::Certificate::precert_tbs`].
    pub fn signed_data(&self, issuer_key_hash: &Digest, precert_tbs: &[u8]) -> Vec<u8> {
        signed_data(self.timestamp, &self.extensions, issuer_key_hash, precert_tbs)
    }

    /// Checks the signature of the log whose key this is, for a precertificate.
    pub fn verify(
        &self,
        log: &PublicKey,
        issuer_key_hash: &Digest,
        precert_tbs: &[u8],
    ) -> Result<(), SignatureInvalid> {
        let algorithm = match self.algorithm {
            SctAlgorithm::EcdsaSha256 => SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256),
            SctAlgorithm::RsaSha256 => SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256),
        };
        algorithm.verify(log, &self.signed_data(issuer_key_hash, precert_tbs), &self.signature)
    }
}

/// What a log signs for a precertificate, at a time in milliseconds since 1970 (RFC 6962 §3.2).
pub fn signed_data(
    timestamp: u64,
    extensions: &[u8],
    issuer_key_hash: &Digest,
    precert_tbs: &[u8],
) -> Vec<u8> {
    let mut data = Vec::with_capacity(64 + precert_tbs.len());
    data.extend_from_slice(&[V1, CERTIFICATE_TIMESTAMP]);
    data.extend_from_slice(&timestamp.to_be_bytes());
    data.extend_from_slice(&PRECERT_ENTRY);
    data.extend_from_slice(issuer_key_hash.as_bytes());
    // A certificate is far below 2^24 bytes.
    let [.., a, b, c] = precert_tbs.len().to_be_bytes();
    data.extend_from_slice(&[a, b, c]);
    data.extend_from_slice(precert_tbs);
    let [.., a, b] = extensions.len().to_be_bytes();
    data.extend_from_slice(&[a, b]);
    data.extend_from_slice(extensions);
    data
}

/// The extension by which a log of the static API says the entry's index, below 2^40.
pub fn leaf_index_extension(index: u64) -> Option<Vec<u8>> {
    match index.to_be_bytes() {
        [0, 0, 0, a, b, c, d, e] => Some(vec![LEAF_INDEX, 0, 5, a, b, c, d, e]),
        _ => None,
    }
}

/// The index in a promise's extensions where that is all they have.
pub(crate) fn read_leaf_index(extensions: &[u8]) -> Option<u64> {
    match *extensions {
        [LEAF_INDEX, 0, 5, a, b, c, d, e] => Some(u64::from_be_bytes([0, 0, 0, a, b, c, d, e])),
        _ => None,
    }
}

/// Writes the `SignedCertificateTimestampList` of a certificate; `None` if it is too long.
pub fn write_list(scts: &[Sct]) -> Option<Vec<u8>> {
    let mut list = Vec::new();
    for sct in scts {
        list.extend_from_slice(&vector(&sct.to_bytes()?)?);
    }
    vector(&list)
}

/// Reads the `SignedCertificateTimestampList` of a certificate: one to [`MAX_SCTS`] timestamps.
pub fn read_list(bytes: &[u8]) -> Result<Vec<Sct>, SctError> {
    let mut outer = Bytes(bytes);
    let mut list = Bytes(outer.vector()?);
    outer.finish()?;
    let mut scts = Vec::new();
    while !list.0.is_empty() {
        if scts.len() == MAX_SCTS {
            return Err(SctError::TooMany);
        }
        scts.push(Sct::parse(list.vector()?)?);
    }
    match scts.is_empty() {
        true => Err(SctError::Malformed),
        false => Ok(scts),
    }
}

/// The signature algorithms that RFC 6962 §2.1.4 allows logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctAlgorithm {
    /// ECDSA with SHA-256.
    EcdsaSha256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaSha256,
}

impl SctAlgorithm {
    fn bytes(self) -> [u8; 2] {
        match self {
            Self::EcdsaSha256 => [4, 3],
            Self::RsaSha256 => [4, 1],
        }
    }

    /// Reads the two bytes of TLS 1.2, hash and signature.
    fn read(bytes: [u8; 2]) -> Result<Self, SctError> {
        match bytes {
            [4, 3] => Ok(Self::EcdsaSha256),
            [4, 1] => Ok(Self::RsaSha256),
            [hash, signature] => Err(SctError::Algorithm { hash, signature }),
        }
    }
}

/// Why a signed certificate timestamp was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SctError {
    /// A hash and signature algorithm that RFC 6962 does not allow.
    Algorithm {
        /// The TLS number of the hash.
        hash: u8,
        /// The TLS number of the signature algorithm.
        signature: u8,
    },
    /// The bytes are not of the structure's shape.
    Malformed,
    /// There are more than [`MAX_SCTS`].
    TooMany,
    /// A version other than 1, which is number 0.
    Version(u8),
}

impl fmt::Display for SctError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Algorithm { hash, signature } => {
                write!(f, "unsupported signature algorithm {hash}/{signature} of a certificate timestamp")
            }
            Self::Malformed => f.write_str("a certificate timestamp is malformed"),
            Self::TooMany => f.write_str("more than 32 certificate timestamps"),
            Self::Version(version) => write!(f, "unknown version {version} of a certificate timestamp"),
        }
    }
}

impl std::error::Error for SctError {}

/// Reads TLS presentation language.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], SctError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(SctError::Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    /// A vector with a length of two bytes.
    fn vector(&mut self) -> Result<&'a [u8], SctError> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (head, rest) = self.0.split_at_checked(length).ok_or(SctError::Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    fn finish(self) -> Result<(), SctError> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(SctError::Malformed),
        }
    }
}

/// A vector with a length of two bytes.
fn vector(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(bytes.len()).ok()?;
    Some([&length.to_be_bytes(), bytes].concat())
}

const V1: u8 = 0;
const CERTIFICATE_TIMESTAMP: u8 = 0;
const PRECERT_ENTRY: [u8; 2] = [0, 1];
const LEAF_INDEX: u8 = 0;
