//! What came back: its status as an error, its body within bounds.

use std::error::Error as StdError;

use bytes::Bytes;
use futures_util::Stream;
use reqwest::{Response, Url};
use rustls::InvalidMessage;

use super::call::Call;
use super::retry::retry_after;
use crate::{Advice, Error, Result};

/// The answer if it is a success, else what its status says.
pub(super) async fn judge(call: &Call<'_>, response: Response) -> Result<Response> {
    let (status, what) = (response.status(), call.what.clone());
    if status.is_success() {
        return Ok(response);
    }
    let registry = call.repository.registry.to_string();
    Err(match status.as_u16() {
        401 => Error::Unauthorized { registry },
        403 => {
            let told = Told::read(response).await;
            Error::Forbidden { what, detail: told.words(), advice: told.advice() }
        }
        404 => Error::NotFound { what },
        409 | 412 => Error::Conflict { what, detail: Told::read(response).await.words() },
        429 => Error::RateLimited { registry, retry_after: retry_after(response.headers()) },
        500..=599 => Error::Server { what, status: status.as_u16() },
        status => Error::Refused { what, status, detail: Told::read(response).await.words() },
    })
}

/// Reads all of a body of at most `most` bytes.
pub(super) async fn collect(mut response: Response, most: usize, what: &str) -> Result<Bytes> {
    let too_large = || Error::TooLarge { what: what.to_owned(), limit: most as u64 };
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let url = response.url().clone();
    let mut all = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&url, what, &error))? {
        if all.len() + chunk.len() > most {
            return Err(too_large());
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.into())
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
    if error.is_timeout() {
        return Error::Timeout { what: what.to_owned() };
    }
    let mut causes = causes(error);
    match causes.clone().find_map(tls_error) {
        // What came is no TLS at all.
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            return Error::PlainHttpRefused { host: host(url) };
        }
        Some(tls) => return Error::Tls { host: host(url), reason: tls.to_string() },
        None => {}
    }
    if causes.any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)) {
        return Error::malformed(format!("the answer of {}", host(url)), reason(error));
    }
    Error::Unreachable { host: host(url), reason: reason(error) }
}

/// The innermost cause: the outer ones only say that sending failed.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let innermost = causes(error).last().map(ToString::to_string);
    let reason = innermost.unwrap_or_else(|| "the connection broke off".to_owned());
    // Registries are asked over HTTP and HTTPS alone: another scheme is that of a proxy (SOCKS).
    match reason.strip_prefix("unsupported scheme ") {
        Some(scheme) => format!("the proxy of the environment is of the unsupported kind `{scheme}`"),
        None => reason,
    }
}

/// The URL without user, query and fragment, which may hold secrets.
pub(super) fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), host(url), url.path())
}

pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> + Clone {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// The error of rustls that `cause` is, or wraps as I/O errors do: not as its source.
fn tls_error<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = || cause.downcast_ref::<std::io::Error>()?.get_ref();
    cause.downcast_ref().or_else(|| tls_error(wrapped()?))
}

/// The registry's JSON of an error, or nothing.
struct Told(serde_json::Value);

impl Told {
    async fn read(response: Response) -> Self {
        let body = collect(response, MAX_DETAIL, "").await.unwrap_or_default();
        Self(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Its first error in words, led by `: `.
    fn words(&self) -> String {
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

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
}

const MAX_DETAIL: usize = 64 * 1024;
/// The most characters of a registry's own words that are shown.
const MAX_WORDS: usize = 200;
