//! Who must have signed what, and with which proofs. Typed, total, content-addressed.
//!
//! The file form is YAML (or JSON) of the schema `signet.dev/v1alpha1`, kind `ImagePolicy`.
//! Unknown fields are errors; patterns match the whole text or are refused.

mod claim;
mod error;
mod matcher;
mod principal;
mod rule;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_saphyr::UserMessageFormatter;

pub use claim::Claim;
pub use error::PolicyError;
pub use matcher::{CompiledMatcher, Matcher, Pattern};
pub use principal::{CertificateIdentity, KeyReference, Principal};
pub use rule::{PredicateRule, Rule};

/// A policy: principals, and the rules that must all hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, remote = "Self")]
pub struct Policy {
    /// Always `signet.dev/v1alpha1`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = API_VERSION)))]
    pub api_version: String,
    /// Always `ImagePolicy`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = KIND)))]
    pub kind: String,
    /// The policy's name.
    pub metadata: Metadata,
    /// What it demands.
    pub spec: Spec,
}

impl Policy {
    /// Reads a policy of at most 1 MiB from YAML or JSON and checks that it means something.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|e| PolicyError::Syntax(e.to_string()))?;
        let syntax =
            |e: serde_saphyr::Error| PolicyError::Syntax(e.render_with_formatter(&UserMessageFormatter));
        let Unchecked(policy) = serde_saphyr::from_str(text).map_err(syntax)?;
        policy.validated()
    }

    /// A policy of one rule: `threshold` of these principals must have signed.
    pub fn of_principals(
        name: &str,
        principals: BTreeMap<String, Principal>,
        rule: Rule,
    ) -> Result<Self, PolicyError> {
        let spec = Spec { principals, rules: vec![rule], repository: RepositoryRule::Note };
        let metadata = Metadata { name: name.to_owned() };
        Self { api_version: API_VERSION.to_owned(), kind: KIND.to_owned(), metadata, spec }.validated()
    }

    fn validated(self) -> Result<Self, PolicyError> {
        self.validate_structure()?;
        for (name, principal) in &self.spec.principals {
            principal.validate().map_err(|e| e.within(name))?;
        }
        Ok(self)
    }

    /// Whether it means something, but for the principals themselves, which are read to decide by them.
    pub(crate) fn validate_structure(&self) -> Result<(), PolicyError> {
        if self.api_version != API_VERSION || self.kind != KIND {
            return Err(PolicyError::Kind(format!("{} {}", self.api_version, self.kind)));
        }
        if self.spec.rules.is_empty() {
            return Err(PolicyError::NoRules);
        }
        if self.spec.principals.len() > MAX_PRINCIPALS || self.spec.rules.len() > MAX_RULES {
            return Err(PolicyError::TooLarge);
        }
        self.spec.rules.iter().try_for_each(|rule| rule.validate(&self.spec.principals))
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// One that is read means something; one that is put together may not, and nothing is decided by it.
impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)?.validated().map_err(de::Error::custom)
    }
}

/// A policy of the right shape that may mean nothing yet.
#[derive(Deserialize)]
struct Unchecked(#[serde(deserialize_with = "Policy::deserialize")] Policy);

/// What a policy is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The name, as it appears in verdicts.
    pub name: String,
}

/// What a policy demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The principals, by the names that rules use.
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = MAX_PRINCIPALS)))]
    pub principals: BTreeMap<String, Principal>,
    /// The rules; all must hold.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_RULES)))]
    pub rules: Vec<Rule>,
    /// What it means if the signed repository name is not the one that was asked for.
    #[serde(default)]
    pub repository: RepositoryRule,
}

/// What it means if a signature does not name the repository that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RepositoryRule {
    /// The signature does not count.
    Deny,
    /// It is noted, so that mirrors and copies work.
    #[default]
    Note,
    /// The signature does not count, nor does one that names no repository.
    Require,
}

const API_VERSION: &str = "signet.dev/v1alpha1";
const KIND: &str = "ImagePolicy";
const MAX_POLICY_BYTES: usize = 1024 * 1024;
const MAX_PRINCIPALS: usize = 1024;
const MAX_RULES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "
apiVersion: signet.dev/v1alpha1
kind: ImagePolicy
metadata:
  name: release
spec:
  principals:
    ci:
      certificate:
        identity:
          pattern: ^https://github\\.com/acme/.*$
        issuer: https://token.actions.githubusercontent.com
        claims:
          sourceRepositoryRef: refs/heads/main
  rules:
    - name: built-by-ci
      principals: [ci]
";

    #[test]
    fn a_policy_reads_and_writes() {
        let policy = Policy::parse(POLICY.as_bytes()).unwrap();
        assert_eq!(policy.spec.rules[0].threshold, 1);
        let json = serde_json::to_vec(&policy).unwrap();
        assert_eq!(Policy::parse(&json).unwrap(), policy);
    }

    #[test]
    fn what_a_policy_cannot_mean_is_refused() {
        let cases = [
            (POLICY.replace("metadata:", "metdata:"), "unknown field"),
            (POLICY.replace("[ci]", "[nobody]"), "`nobody` is not defined"),
            (POLICY.replace("[ci]", "[ci, ci]\n      threshold: 2"), "threshold"),
            (POLICY.replace("[ci]", "[ci]\n      threshold: 0"), "threshold"),
            (POLICY.replace("[ci]", "[ci]\n      logEntries:"), "invalid u32"),
            (POLICY.replace("[ci]", "[ci]\n      certificateTimestamps:"), "invalid u32"),
            (POLICY.replace("pattern: ^", "pattern: "), "must begin with `^`"),
            (POLICY.replace(".*$", ".*\\$"), "end with `$`"),
            (POLICY.replace("v1alpha1", "v9"), "expected"),
            (POLICY.replace("https://token.actions.githubusercontent.com", "''"), "`ci`: an empty"),
            (POLICY.replace("[ci]", "[ci]\n      predicateType: Signature"), "none of `signature`, `any`"),
            (POLICY.replace("[ci]", "[ci]\n      predicateType: ''"), "none of `signature`, `any`"),
            (POLICY.replace("metadata:", "kind: ImagePolicy\nmetadata:"), "duplicate"),
        ];
        for (text, why) in cases {
            let error = Policy::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{error} should say {why}");
            assert!(!error.contains("Options"), "{error} is for programmers");
        }
    }

    /// `serde_json` is as good a way in as any.
    #[test]
    fn what_means_nothing_is_not_deserialized() {
        let policy = Policy::parse(POLICY.as_bytes()).unwrap();
        let mut json = serde_json::to_value(&policy).unwrap();
        assert_eq!(serde_json::from_value::<Policy>(json.clone()).unwrap(), policy);
        json["spec"]["rules"] = serde_json::json!([]);
        let error = serde_json::from_value::<Policy>(json).unwrap_err();
        assert_eq!(error.to_string(), PolicyError::NoRules.to_string());
    }
}
