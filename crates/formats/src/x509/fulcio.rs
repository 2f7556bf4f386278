//! What Fulcio writes into a certificate about the identity it vouches for
//! (sigstore/fulcio, `docs/oid-info.md`).

use std::collections::BTreeMap;

use const_oid::ObjectIdentifier;
use der::Tag;

use super::X509Error;
use crate::asn1::Tlv;

/// The extensions 1.3.6.1.4.1.57264.1.N of a certificate, by N.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FulcioClaims {
    values: BTreeMap<u32, String>,
}

impl FulcioClaims {
    /// The OIDC issuer: N = 8, else N = 1.
    pub fn issuer(&self) -> Option<&str> {
        self.value(ISSUER_V2).or_else(|| self.value(ISSUER))
    }

    /// The value of 1.3.6.1.4.1.57264.1.`n`.
    pub fn value(&self, n: u32) -> Option<&str> {
        self.values.get(&n).map(String::as_str)
    }

    /// All values, by N.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        self.values.iter().map(|(n, value)| (*n, value.as_str()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn read<'a>(
        extensions: impl Iterator<Item = (ObjectIdentifier, &'a [u8])>,
    ) -> Result<Self, X509Error> {
        let mut claims = Self::default();
        for (oid, value) in extensions {
            let Some(n) = number(&oid) else { continue };
            match text(n, value) {
                Some(text) => drop(claims.values.insert(n, text.to_owned())),
                // A number that is not defined yet may be encoded in any way.
                None if n > LAST_DEFINED => {}
                None => return Err(X509Error::MalformedExtension(oid)),
            }
        }
        match (claims.value(ISSUER), claims.value(ISSUER_V2)) {
            (Some(v1), Some(v2)) if v1 != v2 => {
                Err(X509Error::IssuersDiffer { v1: v1.to_owned(), v2: v2.to_owned() })
            }
            _ => Ok(claims),
        }
    }
}

/// N of 1.3.6.1.4.1.57264.1.N, where it is one byte long.
fn number(oid: &ObjectIdentifier) -> Option<u32> {
    match oid.as_bytes().strip_prefix(PREFIX.as_bytes())? {
        [n @ 0..0x80] => Some(u32::from(*n)),
        _ => None,
    }
}

/// N ≤ 6 are the bare bytes of the text, all later ones a DER UTF8String.
fn text(n: u32, value: &[u8]) -> Option<&str> {
    match n <= LAST_RAW {
        true => std::str::from_utf8(value).ok(),
        false => Tlv::whole(value, Tag::Utf8String).ok()?.utf8().ok(),
    }
}

const PREFIX: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1");
const ISSUER: u32 = 1;
const ISSUER_V2: u32 = 8;
const LAST_RAW: u32 = 6;
const LAST_DEFINED: u32 = 24;
