//! What a policy demands of signatures.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use super::{PolicyError, Principal};

/// One demand: enough distinct principals signed, with these proofs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The rule's name, as it appears in verdicts.
    pub name: String,
    /// The principals whose signatures count.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub principals: Vec<String>,
    /// How many distinct principals must have signed.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    #[serde(default = "one")]
    pub threshold: u32,
    /// What must have been signed: `signature` (the default), `any`, or the URI of a predicate type.
    #[serde(default)]
    pub predicate_type: PredicateRule,
    /// Annotations that the signer must have signed with these values: of the statement's subject, or among
    /// the optional claims of a simple signature.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// How many distinct trusted logs must hold each signature. Unset: one for certificates, none for keys.
    #[serde(default, deserialize_with = "stated", skip_serializing_if = "Option::is_none")]
    pub log_entries: Option<u32>,
    /// How many distinct timestamp authorities must have stamped each signature.
    #[serde(default)]
    pub timestamps: u32,
    /// How many distinct trusted witnesses must have cosigned a log's checkpoint.
    #[serde(default)]
    pub witnesses: u32,
    /// How many distinct CT logs must hold each certificate. Unset: one.
    #[serde(default, deserialize_with = "stated", skip_serializing_if = "Option::is_none")]
    pub certificate_timestamps: Option<u32>,
}

/// A number that stands there. An empty value, as a template leaves it, is not one that is unset.
fn stated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    u32::deserialize(deserializer).map(Some)
}

impl Rule {
    /// The rule that one of these principals must have signed, with the default proofs.
    pub fn any_of(principals: impl IntoIterator<Item = String>) -> Self {
        Self {
            name: "signed".to_owned(),
            principals: principals.into_iter().collect(),
            threshold: 1,
            predicate_type: PredicateRule::Signature,
            annotations: BTreeMap::new(),
            log_entries: None,
            timestamps: 0,
            witnesses: 0,
            certificate_timestamps: None,
        }
    }

    pub(super) fn validate(&self, principals: &BTreeMap<String, Principal>) -> Result<(), PolicyError> {
        let distinct: BTreeSet<&String> = self.principals.iter().collect();
        if let Some(unknown) = distinct.iter().find(|name| !principals.contains_key(**name)) {
            return Err(PolicyError::UnknownPrincipal((*unknown).clone()));
        }
        // A statement's predicate type is a URI, and so has a scheme: this is a misspelled keyword.
        if let PredicateRule::Exactly(text) = &self.predicate_type
            && !text.contains(':')
        {
            return Err(PolicyError::PredicateType(self.name.clone(), text.clone()));
        }
        match usize::try_from(self.threshold) {
            Ok(k) if k >= 1 && k <= distinct.len() => Ok(()),
            _ => Err(PolicyError::Threshold(self.name.clone())),
        }
    }
}

/// What must have been signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "String", into = "String")]
pub enum PredicateRule {
    /// Any statement or message about the subject.
    Any,
    /// A statement of this predicate type.
    Exactly(String),
    /// A plain signature: simple signing, a message signature, or a statement of [`COSIGN_SIGN_V1`](signet_formats::in_toto::COSIGN_SIGN_V1).
    #[default]
    Signature,
}

impl From<String> for PredicateRule {
    fn from(text: String) -> Self {
        match text.as_str() {
            "any" => Self::Any,
            "signature" => Self::Signature,
            _ => Self::Exactly(text),
        }
    }
}

impl From<PredicateRule> for String {
    fn from(rule: PredicateRule) -> Self {
        match rule {
            PredicateRule::Any => "any".to_owned(),
            PredicateRule::Signature => "signature".to_owned(),
            PredicateRule::Exactly(uri) => uri,
        }
    }
}

fn one() -> u32 {
    1
}
