//! Reading a trusted root.

use serde::Deserialize;

use super::{Authority, LogInstance, MAX_CHAIN, MAX_INSTANCES, TrustedRootError, Validity};
use crate::bounded::List;
use crate::proto_json::{self, EnumValue, FieldError, HASH_ALGORITHMS, Text};
use crate::rekor::PublicKeyDetails;
use crate::time;

pub(super) fn read_all<W, T>(
    wire: Option<List<W, MAX_INSTANCES>>,
    field: &'static str,
    read: impl Fn(W) -> Result<T, TrustedRootError>,
) -> Result<Vec<T>, TrustedRootError> {
    proto_json::list(wire, field)?.into_iter().map(read).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireRoot<'a> {
    #[serde(borrow, alias = "media_type", default)]
    pub(super) media_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) tlogs: Option<List<WireLog<'a>, MAX_INSTANCES>>,
    #[serde(borrow, default)]
    pub(super) ctlogs: Option<List<WireLog<'a>, MAX_INSTANCES>>,
    #[serde(borrow, alias = "certificate_authorities", default)]
    pub(super) certificate_authorities: Option<List<WireAuthority<'a>, MAX_INSTANCES>>,
    #[serde(borrow, alias = "timestamp_authorities", default)]
    pub(super) timestamp_authorities: Option<List<WireAuthority<'a>, MAX_INSTANCES>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireLog<'a> {
    #[serde(borrow, alias = "base_url", default)]
    base_url: Option<Text<'a>>,
    #[serde(borrow, alias = "hash_algorithm", default)]
    hash_algorithm: Option<EnumValue<'a>>,
    #[serde(borrow, alias = "public_key", default)]
    public_key: Option<WireKey<'a>>,
    #[serde(borrow, alias = "log_id", default)]
    log_id: Option<WireLogId<'a>>,
    #[serde(borrow, alias = "checkpoint_key_id", default)]
    checkpoint_key_id: Option<WireLogId<'a>>,
    #[serde(borrow, default)]
    operator: Option<Text<'a>>,
}

impl WireLog<'_> {
    pub(super) fn read(self) -> Result<LogInstance, TrustedRootError> {
        let key = proto_json::required(self.public_key, "publicKey")?;
        let details = proto_json::required(key.key_details, "publicKey.keyDetails")?;
        let hash = proto_json::required(self.hash_algorithm, "hashAlgorithm")?;
        let checkpoint_key_id = self.checkpoint_key_id.map(|id| id.read("checkpointKeyId"));
        let log = LogInstance {
            base_url: text(self.base_url),
            hash: hash.find(HASH_ALGORITHMS, "hashAlgorithm")?,
            public_key: proto_json::bytes(key.raw_bytes, "publicKey.rawBytes")?,
            key_details: PublicKeyDetails::read(&details, "publicKey.keyDetails")?,
            validity: validity(key.valid_for)?,
            log_id: proto_json::required(self.log_id, "logId")?.read("logId")?,
            checkpoint_key_id: checkpoint_key_id.transpose()?,
            operator: self.operator.map(|name| name.into_str().into_owned()),
        };
        match log.contradiction() {
            Some(field) => Err(TrustedRootError::Contradiction { log: log.base_url, field }),
            None => Ok(log),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireKey<'a> {
    #[serde(borrow, alias = "raw_bytes", default)]
    raw_bytes: Option<Text<'a>>,
    #[serde(borrow, alias = "key_details", default)]
    key_details: Option<EnumValue<'a>>,
    #[serde(borrow, alias = "valid_for", default)]
    valid_for: Option<WireValidity<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireLogId<'a> {
    #[serde(borrow, alias = "key_id", default)]
    key_id: Option<Text<'a>>,
}

impl WireLogId<'_> {
    fn read(self, field: &'static str) -> Result<Vec<u8>, FieldError> {
        proto_json::bytes(self.key_id, field)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireAuthority<'a> {
    #[serde(borrow, default)]
    subject: Option<WireSubject<'a>>,
    #[serde(borrow, default)]
    uri: Option<Text<'a>>,
    #[serde(borrow, alias = "cert_chain", default)]
    cert_chain: Option<WireChain<'a>>,
    #[serde(borrow, alias = "valid_for", default)]
    valid_for: Option<WireValidity<'a>>,
    #[serde(borrow, default)]
    operator: Option<Text<'a>>,
}

impl WireAuthority<'_> {
    pub(super) fn read(self) -> Result<Authority, TrustedRootError> {
        let subject = self.subject.unwrap_or_default();
        let certificates = self.cert_chain.and_then(|chain| chain.certificates);
        let chain = proto_json::list(certificates, "certChain")?;
        if chain.is_empty() {
            return Err(FieldError::Missing { field: "certChain" }.into());
        }
        Ok(Authority {
            organization: text(subject.organization),
            common_name: text(subject.common_name),
            uri: text(self.uri),
            chain: chain
                .into_iter()
                .map(|raw| proto_json::bytes(raw.raw_bytes, "certChain.rawBytes"))
                .collect::<Result<_, _>>()?,
            validity: validity(self.valid_for)?,
            operator: self.operator.map(|name| name.into_str().into_owned()),
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireSubject<'a> {
    #[serde(borrow, default)]
    organization: Option<Text<'a>>,
    #[serde(borrow, alias = "common_name", default)]
    common_name: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireChain<'a> {
    #[serde(borrow, default)]
    certificates: Option<List<WireRaw<'a>, MAX_CHAIN>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireRaw<'a> {
    #[serde(borrow, alias = "raw_bytes", default)]
    raw_bytes: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireValidity<'a> {
    #[serde(borrow, default)]
    start: Option<Text<'a>>,
    #[serde(borrow, default)]
    end: Option<Text<'a>>,
}

fn validity(wire: Option<WireValidity<'_>>) -> Result<Validity, TrustedRootError> {
    let wire = wire.ok_or(TrustedRootError::MissingValidityStart)?;
    let start = wire.start.ok_or(TrustedRootError::MissingValidityStart)?;
    let start =
        time::parse_start(&start.into_str()).map_err(|_| FieldError::Time { field: "validFor.start" })?;
    let end = wire.end.map(|end| time::parse(&end.into_str())).transpose();
    let end = end.map_err(|_| FieldError::Time { field: "validFor.end" })?;
    let validity = Validity { start, end };
    if end.is_some_and(|end| end < start) {
        return Err(TrustedRootError::EmptyValidity(validity));
    }
    Ok(validity)
}

fn text(value: Option<Text<'_>>) -> String {
    value.map(|text| text.into_str().into_owned()).unwrap_or_default()
}
