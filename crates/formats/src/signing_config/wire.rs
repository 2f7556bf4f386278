//! The config as proto3 JSON has it.

use serde::{Deserialize, Serialize};

use super::{MAX_SERVICES, MAX_URL_BYTES, Selector, Service, SigningConfigError};
use crate::bounded::List;
use crate::proto_json::{self, EnumValue, FieldError, Int64, Text};
use crate::time;
use crate::trusted_root::Validity;

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wire<'a> {
    #[serde(borrow, alias = "media_type", default)]
    pub(super) media_type: Option<Text<'a>>,
    #[serde(borrow, alias = "ca_urls", default, skip_serializing_if = "Option::is_none")]
    pub(super) ca_urls: Option<List<WireService<'a>, MAX_SERVICES>>,
    #[serde(borrow, alias = "oidc_urls", default, skip_serializing_if = "Option::is_none")]
    pub(super) oidc_urls: Option<List<WireService<'a>, MAX_SERVICES>>,
    #[serde(borrow, alias = "rekor_tlog_urls", default, skip_serializing_if = "Option::is_none")]
    pub(super) rekor_tlog_urls: Option<List<WireService<'a>, MAX_SERVICES>>,
    #[serde(borrow, alias = "rekor_tlog_config", default, skip_serializing_if = "Option::is_none")]
    pub(super) rekor_tlog_config: Option<WireSelector<'a>>,
    #[serde(borrow, alias = "tsa_urls", default, skip_serializing_if = "Option::is_none")]
    pub(super) tsa_urls: Option<List<WireService<'a>, MAX_SERVICES>>,
    #[serde(borrow, alias = "tsa_config", default, skip_serializing_if = "Option::is_none")]
    pub(super) tsa_config: Option<WireSelector<'a>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireService<'a> {
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
pub(super) struct WireSelector<'a> {
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

    pub(super) fn of(selector: Selector) -> Self {
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

pub(super) fn services(
    wire: Option<List<WireService<'_>, MAX_SERVICES>>,
    field: &'static str,
) -> Result<Vec<Service>, SigningConfigError> {
    proto_json::list(wire, field)?.into_iter().map(WireService::read).collect()
}

pub(super) fn wire_services(
    services: &[Service],
) -> Result<Option<List<WireService<'_>, MAX_SERVICES>>, FieldError> {
    let wire: List<_, MAX_SERVICES> = services.iter().map(WireService::of).collect::<Result<_, _>>()?;
    Ok(Some(wire).filter(|wire| wire.count > 0))
}

pub(super) fn selector(
    wire: Option<WireSelector<'_>>,
    field: &'static str,
) -> Result<Option<Selector>, SigningConfigError> {
    wire.map_or(Ok(None), |wire| wire.read(field))
}

/// `ServiceSelector` of sigstore_trustroot.proto.
const SELECTORS: &[(Kind, i64, &str)] = &[
    (Kind::Undefined, 0, "SERVICE_SELECTOR_UNDEFINED"),
    (Kind::All, 1, "ALL"),
    (Kind::Any, 2, "ANY"),
    (Kind::Exact, 3, "EXACT"),
];
