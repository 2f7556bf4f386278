//! One file of metadata: who signed, what was signed.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{MAX_KEYS, Signature, TufError, canonical};
use crate::json;
use crate::time;

/// What the five kinds of metadata differ in.
pub trait Body: DeserializeOwned + Serialize {
    /// What `_type` says.
    const TYPE: &'static str;
    /// The largest file of this kind, in bytes.
    const MAX_BYTES: usize;

    /// What the shape of the JSON does not say.
    fn checked(self) -> Result<Self, TufError>;
}

/// A file of metadata, read. Nobody has checked its signatures.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata<B> {
    /// What this kind says.
    pub body: B,
    /// Its version; at least 1.
    pub version: u64,
    /// The second, in Unix time, from which on it may not be used any more.
    pub expires: i64,
    /// The signatures, each of another key id.
    pub signatures: Vec<Signature>,
    signed: Value,
    canonical: Vec<u8>,
}

impl<B: Body> Metadata<B> {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, TufError> {
        let wire: Wire = json::parse(bytes, B::MAX_BYTES)?;
        let header: Header = shaped(&wire.signed)?;
        if header.kind != B::TYPE {
            return Err(TufError::Type { wanted: B::TYPE, found: header.kind });
        }
        // Asked before the rest is read: what another version demands cannot be checked.
        if header.spec_version.split('.').next() != Some("1") {
            return Err(TufError::SpecVersion(header.spec_version));
        }
        if header.version == 0 {
            return Err(TufError::Zero("version"));
        }
        Ok(Self {
            body: shaped::<B>(&wire.signed)?.checked()?,
            version: header.version,
            expires: time::parse(&header.expires).map_err(|_| TufError::Expires(header.expires))?,
            signatures: distinct(wire.signatures)?,
            canonical: canonical::to_vec(&wire.signed)?,
            signed: wire.signed,
        })
    }

    /// The bytes that the signatures are over.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// A member that TUF does not define, if it is text.
    pub fn extension(&self, name: &str) -> Option<&str> {
        self.signed.get(name)?.as_str()
    }

    /// The file as JSON, with what was signed as it was read.
    pub fn to_json(&self) -> String {
        let file = serde_json::json!({ "signatures": self.signatures, "signed": self.signed });
        let mut text = format!("{file:#}");
        text.push('\n');
        text
    }
}

/// Metadata that nobody has signed yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft<B> {
    /// What this kind says.
    pub body: B,
    /// Its version; at least 1.
    pub version: u64,
    /// The second, in Unix time, from which on it may not be used any more.
    pub expires: i64,
    /// Members that TUF does not define.
    pub extensions: Map<String, Value>,
}

impl<B: Body> Draft<B> {
    /// The file, ready to be signed: its `signatures` are to be filled.
    ///
    /// An error for what could not be read again.
    pub fn unsigned(self) -> Result<Metadata<B>, TufError> {
        let text = |_| TufError::Expires(self.expires.to_string());
        let header = Header {
            kind: B::TYPE.to_owned(),
            spec_version: SPEC_VERSION.to_owned(),
            version: self.version,
            expires: time::format(self.expires).map_err(text)?,
        };
        let mut signed = self.extensions;
        for part in [serde_json::to_value(&header), serde_json::to_value(&self.body)] {
            match part {
                Ok(Value::Object(members)) => signed.extend(members),
                _ => return Err(TufError::NotAnInteger),
            }
        }
        let file = serde_json::json!({ "signatures": [], "signed": signed });
        Metadata::parse(file.to_string().as_bytes())
    }
}

/// The version of the specification that is written.
const SPEC_VERSION: &str = "1.0.34";

#[derive(Deserialize)]
struct Wire {
    signatures: Vec<Signature>,
    signed: Value,
}

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    version: u64,
    expires: String,
}

fn shaped<T: DeserializeOwned>(signed: &Value) -> Result<T, TufError> {
    Ok(json::parse_value(signed)?)
}

fn distinct(signatures: Vec<Signature>) -> Result<Vec<Signature>, TufError> {
    if signatures.len() > MAX_KEYS {
        return Err(TufError::TooMany("signatures"));
    }
    let mut ids: Vec<&str> = signatures.iter().map(|signature| signature.keyid.as_str()).collect();
    match twice(&mut ids) {
        Some(id) => Err(TufError::DuplicateSignature(id.to_owned())),
        None => Ok(signatures),
    }
}

/// Something that stands twice in the list, if anything does.
pub(super) fn twice<'a>(list: &mut [&'a str]) -> Option<&'a str> {
    list.sort_unstable();
    list.windows(2).find_map(|pair| pair.first().filter(|one| pair.last() == Some(one)).copied())
}
