//! The list of tags.

use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::error::{self, ApiError};
use super::response::{self, Body};
use super::service::{Call, Service};

impl Service {
    pub(super) async fn tags(&self, call: &Call) -> Result<Response<Body>, ApiError> {
        let limit = match call.query.first("n").map(str::parse::<usize>) {
            Some(Ok(n)) => n.min(MAX_TAGS),
            Some(Err(_)) => return Err(ApiError::bad_request(error::UNSUPPORTED, "`n` is not a number")),
            None => MAX_TAGS,
        };
        let page = self.store.tags(&call.repository, call.query.first("last"), limit).await?;
        let page = page.ok_or_else(|| {
            ApiError::not_found(error::NAME_UNKNOWN, format!("there is no repository `{}`", call.repository))
        })?;
        let list = TagList { name: call.repository.as_str(), tags: &page.entries };
        let mut response = response::full(StatusCode::OK, serde_json::to_vec(&list).unwrap_or_default());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(last) = page.next {
            let target = call.location(format_args!("tags/list?n={limit}&last={last}"));
            response::set_next(&mut response, target);
        }
        Ok(response)
    }
}

#[derive(Serialize)]
struct TagList<'a> {
    name: &'a str,
    tags: &'a [String],
}

const MAX_TAGS: usize = 10_000;
