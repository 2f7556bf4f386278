//! in-toto Statements: a claim (the predicate) about artifacts (the subjects).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use signet_crypto::{Digest, DigestAlgorithm};

use crate::bounded::{List, Map};
use crate::exact::exact;
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
/// The most annotations of one subject.
pub const MAX_ANNOTATIONS: usize = 256;

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

    /// Reads a statement of at most `max_bytes` bytes. Unknown fields are ignored, as the specification's parsing rules
    /// demand, but not the known ones in another case, which other readers take for the same.
    pub fn parse(bytes: &[u8], max_bytes: usize) -> Result<Self, StatementError> {
        let wire: WireStatement = json::parse(bytes, max_bytes).map_err(StatementError::Json)?;
        let version = StatementVersion::of_type(&wire.kind).ok_or(StatementError::Type(wire.kind))?;
        if wire.predicate_type.is_empty() {
            return Err(StatementError::PredicateType);
        }
        if wire.subject.count == 0 || wire.subject.count > MAX_SUBJECTS {
            return Err(StatementError::SubjectCount(wire.subject.count));
        }
        Ok(Self {
            version,
            subjects: wire.subject.items.into_iter().map(WireSubject::read).collect::<Result<_, _>>()?,
            predicate_type: wire.predicate_type,
            predicate: wire.predicate.map_or_else(|| "{}".into(), Box::<str>::from).into(),
        })
    }

    /// The statement as JSON, in the order the specification shows.
    pub fn to_json(&self) -> Result<String, StatementError> {
        let malformed =
            |error: serde_json::Error| StatementError::Json(JsonError::Malformed(error.to_string()));
        let wire = WireStatement {
            kind: self.version.type_uri().to_owned(),
            subject: self
                .subjects
                .iter()
                .map(WireSubject::of)
                .collect::<Result<_, _>>()
                .map_err(malformed)?,
            predicate_type: self.predicate_type.clone(),
            predicate: Some(RawValue::from_string(self.predicate.clone()).map_err(malformed)?),
        };
        serde_json::to_string(&wire).map_err(malformed)
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
    /// Its annotations that are texts; others are passed over.
    pub annotations: BTreeMap<String, String>,
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
    /// A subject has more than [`MAX_ANNOTATIONS`].
    AnnotationCount(usize),
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
            Self::AnnotationCount(count) => {
                write!(f, "a subject has {count} annotations, more than {MAX_ANNOTATIONS}")
            }
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

exact!(WireStatement, WireSubject);

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
struct WireStatement {
    #[serde(rename = "_type")]
    kind: String,
    subject: List<WireSubject, MAX_SUBJECTS>,
    predicate_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    predicate: Option<Box<RawValue>>,
}

#[derive(Deserialize, Serialize)]
#[serde(remote = "Self")]
struct WireSubject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default)]
    digest: Map<String, MAX_DIGESTS>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<Map<Box<RawValue>, MAX_ANNOTATIONS>>,
}

impl WireSubject {
    fn read(self) -> Result<Subject, StatementError> {
        let annotations = self.annotations.unwrap_or_default();
        if annotations.count > MAX_ANNOTATIONS {
            return Err(StatementError::AnnotationCount(annotations.count));
        }
        if self.digest.count == 0 || self.digest.count > MAX_DIGESTS {
            return Err(StatementError::DigestCount(self.digest.count));
        }
        let text =
            |(name, value): (String, Box<RawValue>)| Some((name, serde_json::from_str(value.get()).ok()?));
        let mut subject = Subject {
            name: self.name.filter(|name| !name.is_empty()),
            annotations: annotations.entries.into_iter().filter_map(text).collect(),
            ..Subject::default()
        };
        for (name, value) in self.digest.entries {
            match name.parse() {
                Ok(algorithm) => subject.digests.push(digest(algorithm, value)?),
                Err(_) => {
                    subject.other_digests.insert(name, value);
                }
            }
        }
        Ok(subject)
    }

    fn of(subject: &Subject) -> Result<Self, serde_json::Error> {
        let known = subject.digests.iter().map(|digest| (digest.algorithm().to_string(), digest.hex()));
        let other = subject.other_digests.iter().map(|(name, value)| (name.clone(), value.clone()));
        let raw = |(name, text): (&String, &String)| Ok((name.clone(), to_raw_value(text)?));
        let annotations: Map<_, _> = subject.annotations.iter().map(raw).collect::<Result<_, _>>()?;
        Ok(Self {
            name: subject.name.clone(),
            digest: known.chain(other).collect(),
            annotations: Some(annotations).filter(|map| map.count > 0),
        })
    }
}

fn digest(algorithm: DigestAlgorithm, value: String) -> Result<Digest, StatementError> {
    format!("{algorithm}:{value}").parse().map_err(|_| StatementError::Digest { algorithm, value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(value: &Value) -> Result<Statement, StatementError> {
        Statement::parse(value.to_string().as_bytes(), 1 << 20)
    }

    fn statement() -> Value {
        json!({
            "_type": STATEMENT_V1,
            "subject": [{"name": "a", "digest": {"sha256": "0".repeat(64), "gitCommit": "x"}}],
            "predicateType": "https://example.com/p/v1",
            "predicate": {"z": 1, "a": [1.50]},
        })
    }

    #[test]
    fn a_signed_statement_is_spelled_as_cosign_does() {
        let statement = Statement::signed(vec![Subject::of(Digest::sha256(b""))]);
        assert_eq!(
            statement.to_json().unwrap(),
            r#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}"#
        );
    }

    #[test]
    fn statements_round_trip_with_their_predicate_as_written() {
        let text = r#"{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"name":"a","digest":{"sha1":"ab"},"annotations":{"k":"v"}}],"predicateType":"p","predicate":{"n": 1.50, "a":2}}"#;
        let statement = Statement::parse(text.as_bytes(), 1 << 20).unwrap();
        assert_eq!(statement.version, StatementVersion::V01);
        assert_eq!(statement.predicate, r#"{"n": 1.50, "a":2}"#);
        assert_eq!(statement.to_json().unwrap(), text);
    }

    #[test]
    fn malformed_statements_are_refused_for_their_reason() {
        let with = |name: &str, value: Value| {
            let mut changed = statement();
            changed[name] = value;
            read(&changed)
        };
        assert!(read(&statement()).is_ok());
        assert_eq!(with("_type", json!("x")), Err(StatementError::Type("x".into())));
        assert_eq!(with("subject", json!([])), Err(StatementError::SubjectCount(0)));
        assert_eq!(with("subject", json!([{"name": "a"}])), Err(StatementError::DigestCount(0)));
        assert_eq!(with("predicateType", json!("")), Err(StatementError::PredicateType));
        let upper = "A".repeat(64);
        let why = StatementError::Digest { algorithm: DigestAlgorithm::Sha256, value: upper.clone() };
        assert_eq!(with("subject", json!([{"digest": {"sha256": upper}}])), Err(why));
        let subject = json!({"digest": {"sha1": "ab"}});
        assert!(with("subject", vec![subject.clone(); MAX_SUBJECTS].into()).is_ok());
        let many = with("subject", vec![subject; MAX_SUBJECTS + 1].into());
        assert_eq!(many, Err(StatementError::SubjectCount(MAX_SUBJECTS + 1)));
        let annotated = |count: usize| {
            let annotations: BTreeMap<String, usize> = (0..count).map(|n| (n.to_string(), n)).collect();
            with("subject", json!([{"digest": {"sha1": "ab"}, "annotations": annotations}]))
        };
        assert!(annotated(MAX_ANNOTATIONS).is_ok());
        let many = StatementError::AnnotationCount(MAX_ANNOTATIONS + 1);
        assert_eq!(annotated(MAX_ANNOTATIONS + 1), Err(many));
    }

    /// cosign takes `Subject` for `subject`, and the last of both.
    #[test]
    fn a_statement_that_other_readers_read_otherwise_is_refused() {
        let subject = json!({"digest": {"sha256": "1".repeat(64)}});
        for (name, value) in
            [("Subject", json!([subject])), ("PredicateType", json!("p")), ("_Type", json!(STATEMENT_V01))]
        {
            let mut twice = statement();
            twice[name] = value;
            assert!(matches!(read(&twice), Err(StatementError::Json(_))), "{name}");
        }
        let mut twice = statement();
        twice["subject"][0]["Digest"] = subject["digest"].clone();
        assert!(matches!(read(&twice), Err(StatementError::Json(_))));
    }

    #[test]
    fn annotations_that_are_no_texts_are_passed_over() {
        let annotations = json!({"a": "\u{e9}\n", "b": [["x"]], "c": null, "d": 1});
        let mut changed = statement();
        changed["subject"][0]["annotations"] = annotations;
        let read = read(&changed).unwrap();
        assert_eq!(read.subjects[0].annotations, BTreeMap::from([("a".to_owned(), "\u{e9}\n".to_owned())]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Statement::parse(&bytes, 1000);
        }
    }
}
