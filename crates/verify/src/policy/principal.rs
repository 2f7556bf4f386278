//! Who can sign.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signet_crypto::{Digest, PublicKey};
use signet_formats::pem;

use super::{Claim, Matcher, PolicyError};

/// Somebody who can sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Principal {
    /// The holder of a key: its PEM, or its id `sha256:…` if the trust snapshot holds it.
    Key(KeyReference),
    /// Whoever a trusted authority certified as this identity.
    Certificate(CertificateIdentity),
}

impl Principal {
    pub(super) fn validate(&self) -> Result<(), PolicyError> {
        match self {
            Self::Key(key) => key.validate(),
            Self::Certificate(certificate) => certificate.validate(),
        }
    }
}

/// A public key, by value or by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct KeyReference(String);

impl KeyReference {
    /// A reference to a key of the trust snapshot.
    pub fn id(id: Digest) -> Self {
        Self(id.to_string())
    }

    /// The id, if the reference is one.
    pub fn as_id(&self) -> Option<Digest> {
        self.0.trim().parse().ok()
    }

    /// The key, if the reference is its PEM.
    pub fn as_key(&self) -> Option<PublicKey> {
        pem::public_key(&self.0).ok()
    }

    fn validate(&self) -> Result<(), PolicyError> {
        match self.as_id().is_some() || self.as_key().is_some() {
            true => Ok(()),
            false => Err(PolicyError::Key(String::new())),
        }
    }
}

/// The identity in a certificate: who, vouched for by whom, and what else was claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateIdentity {
    /// The subject alternative name: an email address, a URI, a DNS name or a Fulcio user name.
    pub identity: Matcher,
    /// The OIDC issuer that Fulcio wrote into the certificate.
    pub issuer: Matcher,
    /// Further Fulcio claims that must match, such as `sourceRepositoryUri`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "claims_schema"))]
    pub claims: BTreeMap<Claim, Matcher>,
}

impl CertificateIdentity {
    fn validate(&self) -> Result<(), PolicyError> {
        let matchers = [&self.identity, &self.issuer].into_iter().chain(self.claims.values());
        matchers.into_iter().try_for_each(|matcher| matcher.compile().map(|_| ()))
    }
}

/// No claim but those that Fulcio has; a map's derived schema would take any name.
#[cfg(feature = "schema")]
fn claims_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "propertyNames": generator.subschema_for::<Claim>(),
        "additionalProperties": generator.subschema_for::<Matcher>(),
    })
}
