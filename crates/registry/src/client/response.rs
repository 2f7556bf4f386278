//! What came back: its status as an error, its body within bounds.

use bytes::Bytes;
use futures_util::Stream;
use reqwest::{Response, Url};
use signet_http::{CollectError, Failure, host, printable, retry_after};

use super::call::Call;
use crate::{Advice, Error, Result};

/// The answer if it is a success, else what its status says; a 401 is its caller's to explain.
pub(super) async fn judge(call: &Call<'_>, response: Response) -> Result<Response> {
    let (status, what) = (response.status(), call.what.clone());
    if status.is_success() {
        return Ok(response);
    }
    let registry = call.repository.registry.to_string();
    Err(match status.as_u16() {
        403 => {
            let told = Told::read(response).await;
            Error::Forbidden { what, detail: told.words(), advice: told.advice() }
        }
        404 => Error::NotFound { what },
        409 | 412 => Error::Conflict { what, detail: Told::read(response).await.words() },
        429 => Error::RateLimited { registry, retry_after: retry_after(response.headers()) },
        status @ 500..=599 => {
            let retry_after = retry_after(response.headers());
            Error::Server { what, status, detail: Told::read(response).await.words(), retry_after }
        }
        status => Error::Refused { what, status, detail: Told::read(response).await.words() },
    })
}

/// Reads all of a body of at most `most` bytes.
pub(super) async fn collect(response: Response, most: usize, what: &str) -> Result<Bytes> {
    let url = response.url().clone();
    signet_http::collect(response, most).await.map_err(|error| match error {
        CollectError::TooLarge => Error::TooLarge { what: what.to_owned(), limit: most as u64 },
        CollectError::Broken(failure) => of_failure(&url, what, failure),
    })
}

/// The body as a stream that fails at `deadline`.
pub(super) fn chunks(
    response: Response,
    what: String,
    deadline: tokio::time::Instant,
) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
    futures_util::stream::try_unfold((response, what), move |(mut response, what)| async move {
        let chunk = match tokio::time::timeout_at(deadline, response.chunk()).await {
            Ok(outcome) => outcome.map_err(|error| broken(&response.url().clone(), &what, &error))?,
            Err(_) => return Err(Error::Timeout { what }),
        };
        Ok(chunk.map(|chunk| (chunk, (response, what))))
    })
}

/// What it means that a request was not answered, or its answer broke off.
pub(super) fn broken(url: &Url, what: &str, error: &reqwest::Error) -> Error {
    of_failure(url, what, Failure::of(error))
}

fn of_failure(url: &Url, what: &str, failure: Failure) -> Error {
    match failure {
        Failure::Timeout => Error::Timeout { what: what.to_owned() },
        Failure::PlainHttp => Error::PlainHttpRefused { host: host(url) },
        Failure::NoPlainHttp => Error::Tls { host: host(url), reason: NO_PLAIN_HTTP.to_owned() },
        Failure::Tls(reason) => Error::Tls { host: host(url), reason },
        Failure::Malformed(reason) => Error::malformed(format!("the answer of {}", host(url)), reason),
        Failure::Unreachable(reason) => Error::Unreachable { host: host(url), reason },
    }
}

/// The registry's JSON of an error, or nothing.
pub(super) struct Told(serde_json::Value);

impl Told {
    pub(super) async fn read(response: Response) -> Self {
        let body = collect(response, MAX_DETAIL, "").await.unwrap_or_default();
        Self(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Its first error in words, led by `: `.
    pub(super) fn words(&self) -> String {
        let words: Vec<_> = ["code", "message"].into_iter().filter_map(|name| self.field(name)).collect();
        let text = printable(&words.join(": "));
        if text.is_empty() { text } else { format!(": {text}") }
    }

    fn advice(&self) -> Option<Advice> {
        let (code, hint) = (self.field("detail/code")?, self.field("detail/hint")?);
        Some(Advice { code: printable(code), hint: printable(hint) })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0.pointer(&format!("/errors/0/{name}"))?.as_str()
    }
}

const NO_PLAIN_HTTP: &str = "it was asked over plain HTTP, as a registry on this machine is without an authority, and seems to speak TLS";
const MAX_DETAIL: usize = 64 * 1024;
