//! in-toto Statements: a claim (the predicate) about artifacts (the subjects).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use signet_crypto::{Digest, DigestAlgorithm};

use crate::json::{self, JsonError};

/// The `_type` of Statement v1.
pub const STATEMENT_V1: &str = "https://in-toto.io/Statement/v1";
/// The `_type` of Statement v0.1.
pub const STATEMENT_V01: &str = "https://in-toto.io/Statement/v0.1";
/// The predicate type of a statement that says no more than "signed".
pub const COSIGN_SIGN_V1: &str = "https://sigstore.dev/cosign/sign/v1";
/// The largest statement that is read unless the caller says otherwise, in bytes.
pub const MAX_STATEMENT_BYTES: usize = 16 * 1024 * 1024;
/// The most subjects of one statement.
pub const MAX_SUBJECTS: usize = 1024;
/// The most digests of one subject.
pub const MAX_DIGESTS: usize = 32;

/// A statement. Signatures are over its bytes: whoever verifies keeps those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The version of the statement format.
    pub version: StatementVersion,
    /// What the statement is about; at least one, at most [`MAX_SUBJECTS`].
    pub subjects: Vec<Subject>,
    /// The type of the predicate, a URI.
    pub predicate_type: String,
    /// The predicate, as the JSON text it was written in; `{}` where there was none.
    pub predicate: String,
}

impl Statement {
    /// A v1 statement that says no more than that these subjects are signed.
    pub fn signed(subjects: Vec<Subject>) -> Self {
        Self {
            version: StatementVersion::V1,
            subjects,
            predicate_type: COSIGN_SIGN_V1.to_owned(),
            predicate: "{}".to_owned(),
        }
    }

    /// Reads a statement of at most `max_bytes` bytes. Unknown fields are ignored, as the
    /// specification's parsing rules demand.
    pub fn parse(bytes: &[u8], max_bytes: usize) -> Result<Self, StatementError> {
        let wire: WireStatement<'_> = json::parse(bytes, max_bytes).map_err(StatementError::Json)?;
        let version = StatementVersion::of_type(&wire.kind).ok_or(StatementError::Type(wire.kind))?;
        if wire.predicate_type.is_empty() {
            return Err(StatementError::PredicateType);
        }
        if wire.subject.is_empty() || wire.subject.len() > MAX_SUBJECTS {
            return Err(StatementError::SubjectCount(wire.subject.len()));
        }
        Ok(Self {
            version,
            subjects: wire.subject.into_iter().map(WireSubject::read).collect::<Result<_, _>>()?,
            predicate_type: wire.predicate_type,
            predicate: wire.predicate.map_or("{}", RawValue::get).to_owned(),
        })
    }

    /// The statement as JSON, in the order the specification shows.
    pub fn to_json(&self) -> Result<String, StatementError> {
        let malformed =
            |error: serde_json::Error| StatementError::Json(JsonError::Malformed(error.to_string()));
        let wire = WireStatement {
            kind: self.version.type_uri().to_owned(),
            subject: self.subjects.iter().map(WireSubject::of).collect(),
            predicate_type: self.predicate_type.clone(),
            predicate: Some(serde_json::from_str(&self.predicate).map_err(malformed)?),
        };
        serde_json::to_string(&wire).map_err(malformed)
    }

    /// Whether a subject has this digest and none of another value under the same algorithm.
    pub fn is_about(&self, digest: &Digest) -> bool {
        self.subjects.iter().any(|subject| subject.digests.contains(digest))
    }
}

/// The version of the statement format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementVersion {
    /// Statement v0.1.
    V01,
    /// Statement v1.
    V1,
}

impl StatementVersion {
    fn of_type(uri: &str) -> Option<Self> {
        match uri {
            STATEMENT_V01 => Some(Self::V01),
            STATEMENT_V1 => Some(Self::V1),
            _ => None,
        }
    }

    fn type_uri(self) -> &'static str {
        match self {
            Self::V01 => STATEMENT_V01,
            Self::V1 => STATEMENT_V1,
        }
    }
}

/// One artifact that a statement is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its digests of the algorithms that Signet knows, one an algorithm.
    pub digests: Vec<Digest>,
    /// Its other digests (`sha1`, `gitCommit`, `dirHash`, …), by the algorithm's name, as written.
    pub other_digests: BTreeMap<String, String>,
    /// Free-form annotations.
    pub annotations: BTreeMap<String, Value>,
}

impl Subject {
    /// A subject with one digest and no more.
    pub fn of(digest: Digest) -> Self {
        Self { digests: vec![digest], ..Self::default() }
    }
}

/// Why a statement was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatementError {
    /// A digest of a known algorithm is not lower-case hex of its length.
    Digest {
        /// The algorithm.
        algorithm: DigestAlgorithm,
        /// The value found.
        value: String,
    },
    /// A subject has no digest, or more than [`MAX_DIGESTS`].
    DigestCount(usize),
    /// It is not JSON of the statement's shape.
    Json(JsonError),
    /// The predicate type is empty.
    PredicateType,
    /// There is no subject, or more than [`MAX_SUBJECTS`].
    SubjectCount(usize),
    /// The `_type` is not a statement's of a known version.
    Type(String),
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest { algorithm, value } => write!(f, "`{value}` is not a {algorithm} digest"),
            Self::DigestCount(count) => write!(f, "a subject has {count} digests, not 1 to {MAX_DIGESTS}"),
            Self::Json(error) => write!(f, "the statement is malformed: {error}"),
            Self::PredicateType => f.write_str("the statement's predicate type is empty"),
            Self::SubjectCount(count) => {
                write!(f, "the statement has {count} subjects, not 1 to {MAX_SUBJECTS}")
            }
            Self::Type(uri) => write!(f, "`{uri}` is not a statement type that is understood"),
        }
    }
}

impl std::error::Error for StatementError {}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct WireStatement<'a> {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<WireSubject>,
    predicate_type: String,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    predicate: Option<&'a RawValue>,
}

#[derive(Deserialize, Serialize)]
struct WireSubject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default)]
    digest: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, Value>>,
}

impl WireSubject {
    fn read(self) -> Result<Subject, StatementError> {
        if self.digest.is_empty() || self.digest.len() > MAX_DIGESTS {
            return Err(StatementError::DigestCount(self.digest.len()));
        }
        let mut subject = Subject {
            name: self.name.filter(|name| !name.is_empty()),
            annotations: self.annotations.unwrap_or_default(),
            ..Subject::default()
        };
        for (name, value) in self.digest {
            match name.parse() {
                Ok(algorithm) => subject.digests.push(digest(algorithm, value)?),
                Err(_) => {
                    subject.other_digests.insert(name, value);
                }
            }
        }
        Ok(subject)
    }

    fn of(subject: &Subject) -> Self {
        let known = subject.digests.iter().map(|digest| (digest.algorithm().to_string(), digest.hex()));
        let mut digest = subject.other_digests.clone();
        digest.extend(known);
        let annotations = Some(subject.annotations.clone()).filter(|map| !map.is_empty());
        Self { name: subject.name.clone(), digest, annotations }
    }
}

fn digest(algorithm: DigestAlgorithm, value: String) -> Result<Digest, StatementError> {
    format!("{algorithm}:{value}").parse().map_err(|_| StatementError::Digest { algorithm, value })
}
