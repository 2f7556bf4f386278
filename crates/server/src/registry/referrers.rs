//! The list of what refers to a manifest.

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use signet_crypto::Digest;
use signet_formats::oci::media_type;

use super::error::ApiError;
use super::response::{self, Body};
use super::service::{Call, Service};

impl Service {
    pub(super) async fn referrers(&self, call: &Call, subject: &Digest) -> Result<Response<Body>, ApiError> {
        let after = call.query.digest("last")?;
        let artifact_type = call.query.first("artifactType").filter(|wanted| !wanted.is_empty());
        let page = self.store.referrers(&call.repository, subject, artifact_type, after.as_ref()).await?;
        let index = [OPENING, &page.entries.join(&b","[..]), CLOSING].concat();
        let mut response = response::full(StatusCode::OK, index);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::OCI_INDEX));
        if artifact_type.is_some() {
            response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
        }
        if let Some(last) = page.next {
            let filter = artifact_type
                .map(|wanted| format!("&artifactType={}", utf8_percent_encode(wanted, NON_ALPHANUMERIC)));
            let filter = filter.unwrap_or_default();
            response::set_next(
                &mut response,
                call.location(format_args!("referrers/{subject}?last={last}{filter}")),
            );
        }
        Ok(response)
    }
}

/// The entries are kept as JSON, so the index around them is put together as text.
const OPENING: &[u8] =
    br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#;
const CLOSING: &[u8] = b"]}";
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
