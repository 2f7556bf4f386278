//! What time a registry thinks it is.

use std::time::SystemTime;

use http::Method;
use http::header::DATE;
use signet_formats::oci::Repository;

use super::Client;
use super::call::{Access, Call};
use crate::{Error, Result};

impl Client {
    /// The clock of `repository`'s registry, by the `Date` of its answer to `GET /v2/`; none if it states
    /// none that can be read.
    pub async fn date(&self, repository: &Repository) -> Result<Option<SystemTime>> {
        let base = self.transport().base(&repository.registry)?;
        let what = format!("{base}v2/");
        let url = base.join("v2/").map_err(|error| Error::malformed(&what, error.to_string()))?;
        let call = Call::new(Method::GET, url, repository, Access::Pull, what);
        let answer = self.transport().fetch(&call, self.limits().page_bytes).await?;
        let stated = answer.headers.get(DATE).and_then(|value| value.to_str().ok());
        Ok(stated.and_then(|text| httpdate::parse_http_date(text).ok()))
    }
}
