//! Writing a trusted root.

use serde::Serialize;

use super::{Authority, LogInstance, TrustedRoot, TrustedRootError, Validity};
use crate::base64::Base64;
use crate::proto_json::{FieldError, hash_name};
use crate::time;

impl TrustedRoot {
    /// The document in proto3 JSON, for people to read. An error if a time or hash has no spelling.
    pub fn to_json(&self) -> Result<Vec<u8>, TrustedRootError> {
        let root = Root {
            media_type: self.version.media_type(),
            tlogs: all(&self.tlogs, Log::of)?,
            certificate_authorities: all(&self.certificate_authorities, AuthorityOut::of)?,
            ctlogs: all(&self.ctlogs, Log::of)?,
            timestamp_authorities: all(&self.timestamp_authorities, AuthorityOut::of)?,
        };
        let malformed = |error: serde_json::Error| crate::json::JsonError::Malformed(error.to_string());
        let mut json = serde_json::to_vec_pretty(&root).map_err(malformed).map_err(TrustedRootError::Json)?;
        json.push(b'\n');
        Ok(json)
    }
}

fn all<'a, T, W>(
    list: &'a [T],
    of: impl Fn(&'a T) -> Result<W, TrustedRootError>,
) -> Result<Vec<W>, TrustedRootError> {
    list.iter().map(of).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Root<'a> {
    media_type: &'static str,
    tlogs: Vec<Log<'a>>,
    certificate_authorities: Vec<AuthorityOut<'a>>,
    ctlogs: Vec<Log<'a>>,
    timestamp_authorities: Vec<AuthorityOut<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<'a> {
    base_url: &'a str,
    hash_algorithm: &'static str,
    public_key: Key,
    log_id: LogId,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_key_id: Option<LogId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<&'a str>,
}

impl<'a> Log<'a> {
    fn of(log: &'a LogInstance) -> Result<Self, TrustedRootError> {
        Ok(Self {
            base_url: &log.base_url,
            hash_algorithm: hash_name(log.hash),
            public_key: Key {
                raw_bytes: Base64(log.public_key.clone()),
                key_details: log.key_details.name(),
                valid_for: Span::of(log.validity)?,
            },
            log_id: LogId { key_id: Base64(log.log_id.clone()) },
            checkpoint_key_id: log.checkpoint_key_id.clone().map(|id| LogId { key_id: Base64(id) }),
            operator: log.operator.as_deref(),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    raw_bytes: Base64,
    key_details: &'static str,
    valid_for: Span,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: Base64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorityOut<'a> {
    subject: Subject<'a>,
    uri: &'a str,
    cert_chain: Chain,
    valid_for: Span,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<&'a str>,
}

impl<'a> AuthorityOut<'a> {
    fn of(authority: &'a Authority) -> Result<Self, TrustedRootError> {
        let certificates = authority.chain.iter().map(|der| Raw { raw_bytes: Base64(der.clone()) });
        Ok(Self {
            subject: Subject { organization: &authority.organization, common_name: &authority.common_name },
            uri: &authority.uri,
            cert_chain: Chain { certificates: certificates.collect() },
            valid_for: Span::of(authority.validity)?,
            operator: authority.operator.as_deref(),
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subject<'a> {
    organization: &'a str,
    common_name: &'a str,
}

#[derive(Serialize)]
struct Chain {
    certificates: Vec<Raw>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    raw_bytes: Base64,
}

#[derive(Serialize)]
struct Span {
    start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
}

impl Span {
    fn of(validity: Validity) -> Result<Self, FieldError> {
        let text = |seconds, field| time::format(seconds).map_err(|_| FieldError::Time { field });
        Ok(Self {
            start: text(validity.start, "validFor.start")?,
            end: validity.end.map(|end| text(end, "validFor.end")).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use signet_crypto::DigestAlgorithm;

    use super::super::Version;
    use super::*;
    use crate::rekor::PublicKeyDetails;

    #[test]
    fn what_is_written_is_read_again() {
        let log = LogInstance {
            base_url: "https://log.example".to_owned(),
            hash: DigestAlgorithm::Sha256,
            public_key: vec![1, 2],
            key_details: PublicKeyDetails::PkixEd25519,
            validity: Validity { start: 1_795_000_000, end: Some(1_795_000_001) },
            log_id: vec![3; 32],
            checkpoint_key_id: Some(vec![4; 4]),
            operator: Some("o".to_owned()),
        };
        let authority = Authority {
            organization: "o".to_owned(),
            common_name: "c".to_owned(),
            uri: "https://ca.example".to_owned(),
            chain: vec![vec![5], vec![6]],
            validity: Validity { start: 1_795_000_000, end: None },
            operator: None,
        };
        for version in [Version::V01, Version::V02] {
            let root = TrustedRoot {
                version,
                tlogs: vec![log.clone()],
                ctlogs: vec![LogInstance { checkpoint_key_id: None, operator: None, ..log.clone() }],
                certificate_authorities: vec![authority.clone()],
                timestamp_authorities: vec![Authority {
                    operator: Some("p".to_owned()),
                    ..authority.clone()
                }],
            };
            assert_eq!(TrustedRoot::parse(&root.to_json().unwrap()), Ok(root));
        }
    }

    #[test]
    fn a_time_without_a_spelling_is_refused() {
        let authority = Authority {
            organization: String::new(),
            common_name: String::new(),
            uri: String::new(),
            chain: vec![vec![5]],
            validity: Validity { start: i64::MAX, end: None },
            operator: None,
        };
        let root = TrustedRoot {
            version: Version::V01,
            tlogs: Vec::new(),
            ctlogs: Vec::new(),
            certificate_authorities: vec![authority],
            timestamp_authorities: Vec::new(),
        };
        assert_eq!(root.to_json(), Err(FieldError::Time { field: "validFor.start" }.into()));
    }
}
