//! Sigstore's `signing_config.json` (sigstore_trustroot.proto, `SigningConfig` v0.2): where a signer gets
//! certificates, log entries and timestamps, and of how many services each.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::json::{self, JsonError};
use crate::proto_json::{self, EnumValue, FieldError, Int64, Text};
use crate::time;
use crate::trusted_root::Validity;

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

/// How many of the services that could be used are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selector {
    /// All of them, one of each operator.
    All,
    /// Any one.
    Any,
    /// As many as this, each of another operator; never 0.
    Exact(u32),
}

/// The services to use at the second `at`, in the order of preference.
///
/// The rule of `sigstore_trustroot.proto`: of the versions in `supported` the highest that any valid
/// service has; of each operator the service that became valid last; of those, as many as the selector says.
pub fn select<'a>(
    services: &'a [Service],
    selector: Selector,
    supported: &[u32],
    at: i64,
) -> Result<Vec<&'a Service>, SelectionError> {
    let valid = || {
        let usable = |service: &&Service| supported.contains(&service.api_version);
        services.iter().filter(usable).filter(move |service| service.validity.contains(at))
    };
    let highest = valid().map(|service| service.api_version).max().ok_or(SelectionError::None)?;
    let mut chosen: Vec<&Service> = valid().filter(|service| service.api_version == highest).collect();
    chosen.sort_by_key(|service| Reverse(service.validity.start));
    let mut operators = BTreeSet::new();
    chosen.retain(|service| operators.insert(service.operator.as_str()));
    match selector {
        Selector::All => {}
        Selector::Any => chosen.truncate(1),
        Selector::Exact(wanted) => {
            let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
            if chosen.len() < wanted {
                return Err(SelectionError::TooFew { wanted, found: chosen.len() });
            }
            chosen.truncate(wanted);
        }
    }
    Ok(chosen)
}

/// Why no services could be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectionError {
    /// None is valid and speaks a version that is understood.
    None,
    /// Not enough operators have one.
    TooFew {
        /// How many the config demands.
        wanted: usize,
        /// How many operators have a service that could be used.
        found: usize,
    },
}

impl fmt::Display for SelectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none is valid now and speaks a version that is understood"),
            Self::TooFew { wanted, found } => {
                write!(f, "{wanted} of different operators are demanded, and {found} can be used now")
            }
        }
    }
}

impl std::error::Error for SelectionError {}

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

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow, alias = "media_type", default)]
    media_type: Option<Text<'a>>,
    #[serde(borrow, alias = "ca_urls", default, skip_serializing_if = "Option::is_none")]
    ca_urls: Option<List<WireService<'a>, MAX_SERVICES>>,
    #[serde(borrow, alias = "oidc_urls", default, skip_serializing_if = "Option::is_none")]
    oidc_urls: Option<List<WireService<'a>, MAX_SERVICES>>,
    #[serde(borrow, alias = "rekor_tlog_urls", default, skip_serializing_if = "Option::is_none")]
    rekor_tlog_urls: Option<List<WireService<'a>, MAX_SERVICES>>,
    #[serde(borrow, alias = "rekor_tlog_config", default, skip_serializing_if = "Option::is_none")]
    rekor_tlog_config: Option<WireSelector<'a>>,
    #[serde(borrow, alias = "tsa_urls", default, skip_serializing_if = "Option::is_none")]
    tsa_urls: Option<List<WireService<'a>, MAX_SERVICES>>,
    #[serde(borrow, alias = "tsa_config", default, skip_serializing_if = "Option::is_none")]
    tsa_config: Option<WireSelector<'a>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireService<'a> {
    #[serde(borrow, default)]
    url: Option<Text<'a>>,
    #[serde(alias = "major_api_version", default, deserialize_with = "api_version")]
    major_api_version: Option<u32>,
    #[serde(borrow, alias = "valid_for", default)]
    valid_for: Option<WireValidity<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    operator: Option<Text<'a>>,
}

/// ProtoJSON takes a number as text too.
fn api_version<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    let Some(Int64(number)) = Option::deserialize(from)? else { return Ok(None) };
    u32::try_from(number).map(Some).map_err(serde::de::Error::custom)
}

impl<'a> WireService<'a> {
    fn read(self) -> Result<Service, SigningConfigError> {
        let url = proto_json::required(self.url, "url")?.into_str().into_owned();
        let of_http = ["https://", "http://"].iter().any(|scheme| {
            url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', ':']))
        });
        if !of_http || url.len() > MAX_URL_BYTES || url.contains(|c: char| c.is_control() || c == ' ') {
            return Err(SigningConfigError::Url(url.chars().take(MAX_URL_BYTES).collect()));
        }
        Ok(Service {
            url,
            api_version: proto_json::required(self.major_api_version, "majorApiVersion")?,
            validity: self.valid_for.ok_or(SigningConfigError::Validity)?.read()?,
            operator: self.operator.map(|name| name.into_str().into_owned()).unwrap_or_default(),
        })
    }

    fn of(service: &'a Service) -> Result<Self, FieldError> {
        Ok(Self {
            url: Some(service.url.as_str().into()),
            major_api_version: Some(service.api_version),
            valid_for: Some(WireValidity::of(&service.validity)?),
            operator: Some(service.operator.as_str().into()),
        })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireValidity<'a> {
    #[serde(borrow, default)]
    start: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    end: Option<Text<'a>>,
}

impl WireValidity<'_> {
    fn read(self) -> Result<Validity, SigningConfigError> {
        let start = self.start.ok_or(SigningConfigError::Validity)?;
        let start =
            time::parse_start(&start.into_str()).map_err(|_| FieldError::Time { field: "validFor.start" })?;
        let end = self.end.map(|end| time::parse(&end.into_str())).transpose();
        let end = end.map_err(|_| FieldError::Time { field: "validFor.end" })?;
        match end {
            Some(end) if end < start => Err(SigningConfigError::Validity),
            _ => Ok(Validity { start, end }),
        }
    }

    fn of(validity: &Validity) -> Result<Self, FieldError> {
        let text = |seconds, field| {
            time::format(seconds).map(|text| Text::Plain(text.into())).map_err(|_| FieldError::Time { field })
        };
        Ok(Self {
            start: Some(text(validity.start, "validFor.start")?),
            end: validity.end.map(|end| text(end, "validFor.end")).transpose()?,
        })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireSelector<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    selector: Option<EnumValue<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<Count>,
}

impl WireSelector<'_> {
    fn read(self, field: &'static str) -> Result<Option<Selector>, SigningConfigError> {
        let count = self.count.map_or(0, |count| count.0);
        let kind = self.selector.map(|value| value.find(SELECTORS, field)).transpose()?;
        match (kind.unwrap_or(Kind::Undefined), count) {
            (Kind::Undefined, 0) => Ok(None),
            (Kind::All, 0) => Ok(Some(Selector::All)),
            (Kind::Any, 0) => Ok(Some(Selector::Any)),
            (Kind::Exact, 1..) => Ok(Some(Selector::Exact(count))),
            _ => Err(SigningConfigError::Count { field }),
        }
    }

    fn of(selector: Selector) -> Self {
        let (name, count) = match selector {
            Selector::All => ("ALL", None),
            Selector::Any => ("ANY", None),
            Selector::Exact(count) => ("EXACT", Some(Count(count))),
        };
        Self { selector: Some(EnumValue::Name(name.into())), count }
    }
}

/// A `uint32`: written as a number, read as a number or text.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
struct Count(u32);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Int64::deserialize(deserializer)?.0;
        u32::try_from(number).map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Undefined,
    All,
    Any,
    Exact,
}

fn services(
    wire: Option<List<WireService<'_>, MAX_SERVICES>>,
    field: &'static str,
) -> Result<Vec<Service>, SigningConfigError> {
    proto_json::list(wire, field)?.into_iter().map(WireService::read).collect()
}

fn wire_services(services: &[Service]) -> Result<Option<List<WireService<'_>, MAX_SERVICES>>, FieldError> {
    let wire: List<_, MAX_SERVICES> = services.iter().map(WireService::of).collect::<Result<_, _>>()?;
    Ok(Some(wire).filter(|wire| wire.count > 0))
}

fn selector(
    wire: Option<WireSelector<'_>>,
    field: &'static str,
) -> Result<Option<Selector>, SigningConfigError> {
    wire.map_or(Ok(None), |wire| wire.read(field))
}

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/// `ServiceSelector` of sigstore_trustroot.proto.
const SELECTORS: &[(Kind, i64, &str)] = &[
    (Kind::Undefined, 0, "SERVICE_SELECTOR_UNDEFINED"),
    (Kind::All, 1, "ALL"),
    (Kind::Any, 2, "ANY"),
    (Kind::Exact, 3, "EXACT"),
];

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

    fn service(url: &str, api_version: u32, operator: &str, start: i64, end: Option<i64>) -> Service {
        let (url, operator) = (url.to_owned(), operator.to_owned());
        Service { url, api_version, operator, validity: Validity { start, end } }
    }

    fn urls(
        services: &[Service],
        selector: Selector,
        supported: &[u32],
        at: i64,
    ) -> Result<Vec<String>, SelectionError> {
        select(services, selector, supported, at)
            .map(|chosen| chosen.into_iter().map(|service| service.url.clone()).collect())
    }

    #[test]
    fn the_highest_version_then_the_newest_of_each_operator_is_chosen() {
        let services = [
            service("old", 2, "a", 1, None),
            service("ended", 2, "a", 5, Some(9)),
            service("new", 2, "a", 7, None),
            service("later", 2, "a", 20, None),
            service("other", 2, "b", 3, None),
            service("v1", 1, "c", 8, None),
            service("v3", 3, "d", 8, None),
        ];
        let both = [1, 2];
        assert_eq!(urls(&services, Selector::All, &both, 10).unwrap(), ["new", "other"]);
        assert_eq!(urls(&services, Selector::Any, &both, 10).unwrap(), ["new"]);
        assert_eq!(urls(&services, Selector::Exact(2), &both, 10).unwrap(), ["new", "other"]);
        assert_eq!(urls(&services, Selector::Exact(1), &[1], 10).unwrap(), ["v1"]);
        let few = SelectionError::TooFew { wanted: 3, found: 2 };
        assert_eq!(urls(&services, Selector::Exact(3), &both, 10), Err(few));
        assert_eq!(urls(&services, Selector::All, &both, 0), Err(SelectionError::None));
        assert_eq!(urls(&services, Selector::All, &[9], 10), Err(SelectionError::None));
        assert_eq!(urls(&[], Selector::Any, &both, 10), Err(SelectionError::None));
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

        #[test]
        fn what_is_chosen_is_valid_and_of_distinct_operators(
            parts in proptest::collection::vec((0_u32..4, 0_u8..3, 0_i64..9, proptest::option::of(0_i64..9)), 0..9),
            exact in 1_u32..4,
        ) {
            let services: Vec<Service> = parts
                .into_iter()
                .map(|(version, operator, start, end)| service("u", version, &operator.to_string(), start, end))
                .collect();
            for selector in [Selector::All, Selector::Any, Selector::Exact(exact)] {
                let Ok(chosen) = select(&services, selector, &[1, 2], 5) else { continue };
                let operators: BTreeSet<_> = chosen.iter().map(|service| &service.operator).collect();
                prop_assert_eq!(operators.len(), chosen.len());
                prop_assert!(chosen.iter().all(|service| service.validity.contains(5)));
                prop_assert!(!chosen.is_empty());
            }
        }
    }
}
