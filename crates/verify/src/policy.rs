//! Who must have signed what, and with which proofs. Typed, total, content-addressed.
//!
//! The file form is YAML (or JSON) of the schema `signet.dev/v1alpha1`, kind `ImagePolicy`.
//! Unknown fields are errors; patterns match the whole text or are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_saphyr::UserMessageFormatter;
use signet_crypto::{Digest, PublicKey};
use signet_formats::pem;

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
    fn validate(&self) -> Result<(), PolicyError> {
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

/// A text that must be met exactly, or a pattern that must match all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Matcher {
    /// This text and no other.
    Exact(String),
    /// A regular expression that begins with `^` and ends with `$`.
    Pattern(Pattern),
}

impl Matcher {
    /// The matcher in the form that is used to match.
    pub fn compile(&self) -> Result<CompiledMatcher, PolicyError> {
        let Self::Pattern(Pattern { pattern }) = self else {
            return Some(self.to_string())
                .filter(|text| !text.is_empty())
                .map(CompiledMatcher::Exact)
                .ok_or(PolicyError::Empty(String::new()));
        };
        if !is_anchored(pattern) {
            return Err(PolicyError::Unanchored(pattern.clone()));
        }
        let build = |expression: &str| {
            let built = RegexBuilder::new(expression).size_limit(MAX_PATTERN_BYTES).build();
            built.map_err(|e| PolicyError::Pattern(pattern.clone(), e.to_string()))
        };
        // The group makes the anchors hold for alternations too: `^a|b$` alone matches `axx`. What is no
        // expression by itself could close the group: `^a)|(?:.*$`.
        build(pattern)?;
        build(&format!(r"\A(?:{pattern})\z")).map(CompiledMatcher::Pattern)
    }
}

/// Whether it begins with `^` and ends with a `$` that no backslash takes its meaning from.
fn is_anchored(pattern: &str) -> bool {
    let body = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$'));
    let escapes = |body: &str| body.len() - body.trim_end_matches('\\').len();
    body.is_some_and(|body| escapes(body).is_multiple_of(2))
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => f.write_str(text),
            Self::Pattern(Pattern { pattern }) => f.write_str(pattern),
        }
    }
}

/// A regular expression, in a mapping of its own so that it is never taken for an exact text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The expression, anchored at both ends.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = ANCHORED)))]
    pub pattern: String,
}

/// A [`Matcher`] that is ready to match.
#[derive(Clone, Debug)]
pub enum CompiledMatcher {
    /// This text and no other.
    Exact(String),
    /// All of the text matches.
    Pattern(Regex),
}

impl CompiledMatcher {
    /// Whether the text is met.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Pattern(regex) => regex.is_match(text),
        }
    }
}

macro_rules! claims {
    ($($number:literal $name:ident $doc:literal)*) => {
        /// A claim that Fulcio writes into certificates, under 1.3.6.1.4.1.57264.1 (fulcio docs, oid-info.md).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "camelCase")]
        pub enum Claim {
            $(#[doc = $doc] $name,)*
        }

        impl Claim {
            /// The last arc of the claim's object identifier.
            pub fn arc(self) -> u32 {
                match self { $(Self::$name => $number,)* }
            }
        }
    };
}

claims! {
    2 GithubWorkflowTrigger "Event that started the workflow (deprecated by the authority)."
    3 GithubWorkflowSha "Commit of the workflow (deprecated by the authority)."
    4 GithubWorkflowName "Name of the workflow (deprecated by the authority)."
    5 GithubWorkflowRepository "Repository of the workflow (deprecated by the authority)."
    6 GithubWorkflowRef "Git ref of the workflow (deprecated by the authority)."
    9 BuildSignerUri "The build instructions that signed."
    10 BuildSignerDigest "Digest of the build instructions."
    11 RunnerEnvironment "Whether the runner was hosted by the platform or by its user."
    12 SourceRepositoryUri "The repository the build was of."
    13 SourceRepositoryDigest "The commit the build was of."
    14 SourceRepositoryRef "The git ref the build was of."
    15 SourceRepositoryIdentifier "The repository's immutable identifier."
    16 SourceRepositoryOwnerUri "The repository's owner."
    17 SourceRepositoryOwnerIdentifier "The owner's immutable identifier."
    18 BuildConfigUri "The top-level build instructions."
    19 BuildConfigDigest "Digest of the top-level build instructions."
    20 BuildTrigger "What started the build."
    21 RunInvocationUri "The run that built."
    22 SourceRepositoryVisibilityAtSigning "Whether the repository was public."
    23 DeploymentEnvironment "The deployment environment of the run."
    24 TokenSubject "The subject of the identity token."
}

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

    fn validate(&self, principals: &BTreeMap<String, Principal>) -> Result<(), PolicyError> {
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

/// Why a policy was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// The identity, the issuer or a claim of this principal is the empty text.
    Empty(String),
    /// The key of this principal is neither a PEM public key nor a key id.
    Key(String),
    /// It is not `signet.dev/v1alpha1 ImagePolicy`, but this.
    Kind(String),
    /// It has no rules, and so would demand nothing.
    NoRules,
    /// The pattern is no regular expression, and why.
    Pattern(String, String),
    /// This rule asks for a predicate type that is neither a keyword nor a URI.
    PredicateType(String, String),
    /// It is not YAML of the policy's shape: where and why.
    Syntax(String),
    /// The threshold of this rule is zero or more than its principals.
    Threshold(String),
    /// It is larger than 1 MiB, or has too many principals or rules.
    TooLarge,
    /// The pattern does not begin with `^` and end with `$`.
    Unanchored(String),
    /// A rule names this principal, which is not defined.
    UnknownPrincipal(String),
}

impl PolicyError {
    pub(crate) fn within(self, principal: &str) -> Self {
        match self {
            Self::Empty(_) => Self::Empty(principal.to_owned()),
            Self::Key(_) => Self::Key(principal.to_owned()),
            other => other,
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(name) => {
                write!(f, "principal `{name}`: an empty identity, issuer or claim is nobody's")
            }
            Self::Key(name) => write!(f, "principal `{name}`: the key is neither PEM nor an id `sha256:…`"),
            Self::Kind(found) => write!(f, "expected `{API_VERSION} {KIND}`, found `{found}`"),
            Self::NoRules => f.write_str("the policy has no rules"),
            Self::Pattern(pattern, why) => write!(f, "pattern `{pattern}`: {why}"),
            Self::PredicateType(rule, text) => {
                write!(
                    f,
                    "rule `{rule}`: `{text}` is none of `signature`, `any` and the URI of a predicate type"
                )
            }
            Self::Syntax(why) => f.write_str(why),
            Self::Threshold(rule) => write!(f, "rule `{rule}`: the threshold is not within its principals"),
            Self::TooLarge => f.write_str("the policy is too large"),
            Self::Unanchored(pattern) => {
                write!(f, "pattern `{pattern}` must begin with `^` and end with `$`")
            }
            Self::UnknownPrincipal(name) => write!(f, "principal `{name}` is not defined"),
        }
    }
}

impl std::error::Error for PolicyError {}

/// No claim but those that Fulcio has; a map's derived schema would take any name.
#[cfg(feature = "schema")]
fn claims_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "propertyNames": generator.subschema_for::<Claim>(),
        "additionalProperties": generator.subschema_for::<Matcher>(),
    })
}

fn one() -> u32 {
    1
}

const API_VERSION: &str = "signet.dev/v1alpha1";
const KIND: &str = "ImagePolicy";
/// What every pattern looks like, for the schema; [`Matcher::compile`] knows better.
#[cfg(feature = "schema")]
const ANCHORED: &str = r"^\^.*\$$";
const MAX_POLICY_BYTES: usize = 1024 * 1024;
const MAX_PATTERN_BYTES: usize = 1024 * 1024;
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

    #[test]
    fn an_escaped_backslash_escapes_no_anchor() {
        let anchored = |pattern: &str| Matcher::Pattern(Pattern { pattern: pattern.to_owned() }).compile();
        assert!(anchored(r"^a\\$").unwrap().matches(r"a\"));
        for pattern in [r"^a\$", r"^a\\\$", "^", "$"] {
            assert!(matches!(anchored(pattern), Err(PolicyError::Unanchored(_))), "{pattern}");
        }
    }

    #[test]
    fn an_alternation_does_not_escape_its_anchors() {
        let matcher = Matcher::Pattern(Pattern { pattern: "^a|b$".to_owned() }).compile().unwrap();
        assert!(matcher.matches("a") && matcher.matches("b"));
        assert!(!matcher.matches("axx") && !matcher.matches("xxb"));
    }
}
