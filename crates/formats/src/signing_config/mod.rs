//! Sigstore's `signing_config.json` (sigstore_trustroot.proto, `SigningConfig` v0.2): where a signer gets
//! certificates, log entries and timestamps, and of how many services each.

mod select;
mod wire;

use std::fmt;

use crate::json::{self, JsonError};
use crate::proto_json::{self, FieldError};
use crate::trusted_root::Validity;
use wire::{Wire, WireSelector, selector, services, wire_services};

pub use select::{SelectionError, Selector, select};

/// The largest signing config that is read, in bytes.
pub const MAX_SIGNING_CONFIG_BYTES: usize = 1024 * 1024;
/// The most services of one kind.
pub const MAX_SERVICES: usize = 256;
/// The longest URL of a service, in bytes.
pub const MAX_URL_BYTES: usize = 2048;

/// A signing config. v0.1, which had no validity and no API versions, is not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SigningConfig {
    /// Authorities that issue signing certificates (`caUrls`), by their base URLs.
    pub certificate_authorities: Vec<Service>,
    /// Issuers of identity tokens (`oidcUrls`).
    pub identity_providers: Vec<Service>,
    /// Transparency logs (`rekorTlogUrls`), by their base URLs; API 1 is Rekor v1, 2 is Rekor v2.
    pub logs: Vec<Service>,
    /// Of how many logs an entry is wanted; `None` where the config does not say.
    pub log_selector: Option<Selector>,
    /// Timestamp authorities (`tsaUrls`), by the whole URL that requests are posted to.
    pub timestamp_authorities: Vec<Service>,
    /// Of how many authorities a timestamp is wanted; `None` where the config does not say.
    pub timestamp_selector: Option<Selector>,
}

impl SigningConfig {
    /// Reads a config of at most [`MAX_SIGNING_CONFIG_BYTES`]. Fields that the format does not have are
    /// refused, and so are URLs that are not of HTTP.
    pub fn parse(bytes: &[u8]) -> Result<Self, SigningConfigError> {
        let wire: Wire<'_> =
            json::parse(bytes, MAX_SIGNING_CONFIG_BYTES).map_err(SigningConfigError::Json)?;
        let media_type = proto_json::required(wire.media_type, "mediaType")?.into_str();
        if media_type != MEDIA_TYPE {
            return Err(SigningConfigError::UnknownVersion(media_type.into_owned()));
        }
        Ok(Self {
            certificate_authorities: services(wire.ca_urls, "caUrls")?,
            identity_providers: services(wire.oidc_urls, "oidcUrls")?,
            logs: services(wire.rekor_tlog_urls, "rekorTlogUrls")?,
            log_selector: selector(wire.rekor_tlog_config, "rekorTlogConfig")?,
            timestamp_authorities: services(wire.tsa_urls, "tsaUrls")?,
            timestamp_selector: selector(wire.tsa_config, "tsaConfig")?,
        })
    }

    /// The config as JSON; an error where a time has no text (before year 0, after year 9999).
    pub fn to_json(&self) -> Result<String, SigningConfigError> {
        let wire = Wire {
            media_type: Some(MEDIA_TYPE.into()),
            ca_urls: wire_services(&self.certificate_authorities)?,
            oidc_urls: wire_services(&self.identity_providers)?,
            rekor_tlog_urls: wire_services(&self.logs)?,
            rekor_tlog_config: self.log_selector.map(WireSelector::of),
            tsa_urls: wire_services(&self.timestamp_authorities)?,
            tsa_config: self.timestamp_selector.map(WireSelector::of),
        };
        serde_json::to_string_pretty(&wire)
            .map_err(|error| SigningConfigError::Json(JsonError::Malformed(error.to_string())))
    }
}

/// A service: where it is, what it speaks, and when to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its URL, of HTTP or HTTPS.
    pub url: String,
    /// The major version of its API.
    pub api_version: u32,
    /// When it is to be used.
    pub validity: Validity,
    /// Who runs it. Services of the same operator do not vouch for each other.
    pub operator: String,
}

/// Why a signing config was refused, or cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigningConfigError {
    /// A selector says EXACT and no number of at least 1, or a number where there is none to say.
    Count {
        /// The field's name.
        field: &'static str,
    },
    /// A field has an impossible value.
    Field(FieldError),
    /// It is not JSON of the config's shape.
    Json(JsonError),
    /// A media type that is no signing config's of a known version.
    UnknownVersion(String),
    /// A URL that is not of HTTP or HTTPS, or too long.
    Url(String),
    /// A validity ends before it starts, or has no start.
    Validity,
}

impl fmt::Display for SigningConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { field } => {
                write!(f, "in the signing config, `{field}` has a count that does not fit")
            }
            Self::Field(error) => write!(f, "in the signing config, {error}"),
            Self::Json(error) => write!(f, "the signing config is malformed: {error}"),
            Self::UnknownVersion(media_type) => {
                write!(f, "`{media_type}` is not a signing config version that is understood (v0.2 is)")
            }
            Self::Url(url) => write!(f, "in the signing config, `{url}` is no URL of a service"),
            Self::Validity => f.write_str("in the signing config, a validity has no start or ends before it"),
        }
    }
}

impl std::error::Error for SigningConfigError {}

impl From<FieldError> for SigningConfigError {
    fn from(error: FieldError) -> Self {
        Self::Field(error)
    }
}

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn config() -> Value {
        let service = |url: &str, version: u32| {
            json!({"url": url, "majorApiVersion": version, "operator": "o",
                   "validFor": {"start": "1970-01-01T00:00:05Z", "end": "1970-01-01T00:00:09Z"}})
        };
        json!({
            "mediaType": MEDIA_TYPE,
            "caUrls": [service("https://ca.example", 1)],
            "oidcUrls": [service("https://oidc.example/auth", 1)],
            "rekorTlogUrls": [service("https://log.example", 2)],
            "rekorTlogConfig": {"selector": "EXACT", "count": 2},
            "tsaUrls": [service("https://tsa.example/api/v1/timestamp", 1)],
            "tsaConfig": {"selector": 2},
        })
    }

    fn with(pointer: &str, value: Value) -> Result<SigningConfig, SigningConfigError> {
        let mut config = config();
        *config.pointer_mut(pointer).unwrap() = value;
        SigningConfig::parse(config.to_string().as_bytes())
    }

    #[test]
    fn every_field_is_read_and_written() {
        let read = SigningConfig::parse(config().to_string().as_bytes()).unwrap();
        assert_eq!(read.certificate_authorities[0].url, "https://ca.example");
        assert_eq!(read.identity_providers[0].validity, Validity { start: 5, end: Some(9) });
        assert_eq!((read.logs[0].api_version, read.logs[0].operator.as_str()), (2, "o"));
        assert_eq!(read.log_selector, Some(Selector::Exact(2)));
        assert_eq!(read.timestamp_authorities[0].url, "https://tsa.example/api/v1/timestamp");
        assert_eq!(read.timestamp_selector, Some(Selector::Any));
        assert_eq!(SigningConfig::parse(read.to_json().unwrap().as_bytes()), Ok(read));
    }

    /// cosign writes `{}` where nothing was said.
    #[test]
    fn a_selector_may_be_undefined() {
        assert_eq!(with("/tsaConfig", json!({})).unwrap().timestamp_selector, None);
        let undefined = json!({"selector": "SERVICE_SELECTOR_UNDEFINED"});
        assert_eq!(with("/rekorTlogConfig", undefined).unwrap().log_selector, None);
        let empty = SigningConfig::default();
        assert_eq!(SigningConfig::parse(empty.to_json().unwrap().as_bytes()), Ok(empty));
    }

    #[test]
    fn malformed_configs_are_refused_for_their_reason() {
        let v01 = "application/vnd.dev.sigstore.signingconfig.v0.1+json";
        assert_eq!(with("/mediaType", json!(v01)), Err(SigningConfigError::UnknownVersion(v01.into())));
        let count = Err(SigningConfigError::Count { field: "rekorTlogConfig" });
        for selector in
            [json!({"selector": "EXACT"}), json!({"selector": "ANY", "count": 1}), json!({"count": 1})]
        {
            assert_eq!(with("/rekorTlogConfig", selector), count);
        }
        for url in
            ["", "ftp://x", "https://", "https:///x", "https://:5000", "file:///etc/passwd", "http://a b"]
        {
            assert_eq!(with("/caUrls/0/url", json!(url)), Err(SigningConfigError::Url(url.into())));
        }
        let long = format!("https://{}", "a".repeat(MAX_URL_BYTES - 8));
        assert!(with("/caUrls/0/url", json!(long)).is_ok());
        assert!(with("/caUrls/0/url", json!(format!("{long}a"))).is_err());
        let valid_for = "/tsaUrls/0/validFor";
        assert_eq!(with(valid_for, json!({})), Err(SigningConfigError::Validity));
        let end = with(&format!("{valid_for}/end"), json!("1970-01-01T00:00:04Z"));
        assert_eq!(end, Err(SigningConfigError::Validity));
        assert!(matches!(with("/tsaUrls/0", json!({"url": "https://x"})), Err(SigningConfigError::Field(_))));
        assert!(matches!(with("/tsaUrls/0/validFor", json!({"x": 1})), Err(SigningConfigError::Json(_))));
        let many = vec![config()["caUrls"][0].clone(); MAX_SERVICES + 1];
        let error = FieldError::Count { field: "caUrls", count: MAX_SERVICES + 1, limit: MAX_SERVICES };
        assert_eq!(with("/caUrls", many.into()), Err(SigningConfigError::Field(error)));
    }

    proptest! {
        #[test]
        fn any_damage_is_parsed_or_refused_without_panic(at in 0_usize..900, byte in any::<u8>()) {
            let mut bytes = config().to_string().into_bytes();
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
            let _ = SigningConfig::parse(&bytes);
        }
    }
}
