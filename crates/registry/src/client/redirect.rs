//! Redirects and upload locations, followed by hand and never to a less secure place.

use http::StatusCode;
use http::header::LOCATION;
use reqwest::{Response, Url};
use signet_http::{is_loopback, same_origin, shown};

use super::call::Call;
use super::transport::Transport;
use crate::{Error, Result};

impl Transport {
    /// Sends a request and follows the redirects of a read.
    ///
    /// The authorisation goes with the first request only. That drops it also where a registry
    /// redirects to itself: whether a path of the same origin is the same service is the server's
    /// say, and a registry that wants credentials there has not been met.
    pub(super) async fn redirected(&self, call: &Call<'_>, authorization: Option<&str>) -> Result<Response> {
        let mut response = self.once(call, &call.url, authorization).await?;
        let mut url = call.url.clone();
        for _ in 0..self.limits().redirects {
            if !is_redirect(&response) {
                return Ok(response);
            }
            url = target(call, &url, &response)?;
            response = self.once(call, &url, None).await?;
        }
        match is_redirect(&response) {
            true => Err(refused(call, &url, "there are too many redirects")),
            false => Ok(response),
        }
    }
}

/// Resolves a location that the registry named: never less secure than where it came from.
pub(super) fn follow(from: &Url, to: &str, what: &str) -> Result<Url> {
    let refused = |target: String, reason| Error::RedirectRefused { what: what.to_owned(), target, reason };
    let target = from.join(to).map_err(|_| refused("?".to_owned(), "it is not a URL"))?;
    let local = |url: &Url| url.scheme() == "http" && is_loopback(url);
    match (from.scheme(), target.scheme()) {
        (_, "https") => Ok(target),
        ("http", "http") if same_origin(from, &target) || (local(from) && local(&target)) => Ok(target),
        (_, "http") => Err(refused(shown(&target), "it leads to plain HTTP")),
        _ => Err(refused(shown(&target), "it leads to another protocol")),
    }
}

fn target(call: &Call<'_>, from: &Url, response: &Response) -> Result<Url> {
    if !call.is_read() {
        return Err(refused(call, from, "only reads are redirected"));
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| refused(call, from, "it names no location"))?;
    follow(from, location, &call.what)
}

fn is_redirect(response: &Response) -> bool {
    response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED
}

pub(super) fn refused(call: &Call<'_>, target: &Url, reason: &'static str) -> Error {
    Error::RedirectRefused { what: call.what.clone(), target: shown(target), reason }
}
