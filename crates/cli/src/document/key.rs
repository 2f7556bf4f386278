//! Keys and their files.

use serde::Serialize;
use signet_crypto::Digest;

/// The key pair that was written.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyPairDocument {
    /// The file of the private key.
    pub(crate) private: String,
    /// The file of the public key.
    pub(crate) public: String,
    /// The algorithm.
    pub(crate) algorithm: String,
    /// SHA-256 of the public key's SubjectPublicKeyInfo.
    pub(crate) id: Digest,
    /// Whether the private key is under a password.
    pub(crate) encrypted: bool,
}

/// The public half of a key.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicKeyDocument {
    /// The algorithm.
    pub(crate) algorithm: String,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub(crate) id: Digest,
    /// The key, as PEM or JWK.
    pub(crate) key: String,
    /// The file that it was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
}

/// What a key file is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyDocument {
    /// `private` or `public`.
    pub(crate) kind: String,
    /// The file's format.
    pub(crate) format: String,
    /// How it is encrypted, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encryption: Option<String>,
    /// The algorithm, where it shows without the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) algorithm: Option<String>,
    /// SHA-256 of the public half, where it shows without the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Digest>,
    /// Whether others than the owner may read a private key's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) readable_by_others: Option<bool>,
}
