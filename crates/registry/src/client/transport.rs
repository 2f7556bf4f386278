//! One request: authorised, its redirects followed by hand, its answer bounded, tried again where safe.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderName, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use reqwest::{Response, Url};
use signet_formats::oci::{Registry, Repository};
use tokio::sync::Semaphore;

use super::Options;
use super::http::{Http, is_loopback, reason};
use crate::auth::{Credentials, Grant};
use crate::flight::Flights;
use crate::stream::BlobStream;
use crate::{Error, Limits, Result};

/// A request to a registry.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) repository: &'a Repository,
    pub(super) access: Access,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Payload,
    /// What is asked for, for messages.
    pub(super) what: String,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        method: Method,
        url: Url,
        repository: &'a Repository,
        access: Access,
        what: String,
    ) -> Self {
        Self { method, url, repository, access, headers: Vec::new(), body: Payload::Empty, what }
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(self, body: Payload) -> Self {
        Self { body, ..self }
    }

    fn is_repeatable(&self) -> bool {
        let idempotent = matches!(self.method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
        idempotent && !matches!(self.body, Payload::Stream { .. })
    }
}

/// What goes with a request.
pub(super) enum Payload {
    Empty,
    Bytes(Bytes),
    /// Sent once; where the stream itself fails, its error is kept here.
    Stream {
        content: Mutex<Option<BlobStream>>,
        size: u64,
        failure: Arc<Mutex<Option<Error>>>,
    },
}

impl Payload {
    pub(super) fn stream(content: BlobStream, size: u64) -> Self {
        Self::Stream { content: Mutex::new(Some(content)), size, failure: Arc::default() }
    }

    fn failure(&self) -> Option<Error> {
        match self {
            Self::Stream { failure, .. } => lock(failure).take(),
            _ => None,
        }
    }
}

/// What a token must allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Access {
    Pull,
    Push,
    Delete,
}

impl Access {
    pub(super) fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
            Self::Delete => "pull,push,delete",
        }
    }
}

/// A whole answer.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

pub(super) struct Transport {
    pub(super) options: Options,
    pub(super) http: Http,
    pub(super) grants: Mutex<HashMap<(Repository, Access), Grant>>,
    pub(super) credentials: Mutex<HashMap<Repository, Credentials>>,
    pub(super) asking: Flights<Repository, Credentials>,
    permits: Semaphore,
}

impl Transport {
    pub(super) fn new(options: Options) -> Self {
        Self {
            http: Http::new(options.tls.clone(), options.limits.clone()),
            permits: Semaphore::new(options.limits.parallel.max(1)),
            options,
            grants: Mutex::default(),
            credentials: Mutex::default(),
            asking: Flights::new(),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// `http://host` for registries on this machine and those named in the options, else `https://host`.
    pub(super) fn base(&self, registry: &Registry) -> Result<String> {
        let local = registry.is_loopback() && !self.options.tls.is_set();
        let plain = local || self.options.plain_http.contains(registry);
        Ok(format!("{}://{}", if plain { "http" } else { "https" }, registry.endpoint()))
    }

    /// The whole answer of at most `most` bytes; tried again where that is safe.
    pub(super) async fn fetch(&self, call: &Call<'_>, most: usize) -> Result<Answer> {
        self.repeat(call, || {
            self.within(call, async {
                let response = self.exchange(call).await?;
                let headers = response.headers().clone();
                let body = collect(response, most, &call.what).await?;
                Ok(Answer { headers, body })
            })
        })
        .await
    }

    /// The answer's body as a stream that must end within the time for `size` bytes.
    pub(super) async fn open(
        &self,
        call: &Call<'_>,
        size: u64,
    ) -> Result<impl Stream<Item = Result<Bytes>> + Send + 'static> {
        let response = self.repeat(call, || self.within(call, self.exchange(call))).await?;
        let deadline = tokio::time::Instant::now() + self.limits().transfer(size);
        Ok(chunks(response, call.what.clone(), deadline))
    }

    /// The answer to a request that is not repeated: an upload, in the time that `size` bytes may take.
    pub(super) async fn send(&self, call: &Call<'_>, size: u64) -> Result<(StatusCode, HeaderMap)> {
        let timeout = self.limits().transfer(size);
        let outcome = tokio::time::timeout(timeout, self.exchange(call)).await;
        let response = outcome.unwrap_or_else(|_| Err(Error::Timeout { what: call.what.clone() }))?;
        Ok((response.status(), response.headers().clone()))
    }

    /// Resolves a location that the registry named: never less secure than where it came from.
    pub(super) fn follow(&self, from: &Url, to: &str, what: &str) -> Result<Url> {
        let refused = |target: &str, reason| Error::RedirectRefused {
            what: what.to_owned(),
            target: target.to_owned(),
            reason,
        };
        let target = from.join(to).map_err(|_| refused("?", "it is not a URL"))?;
        let shown = shown(&target);
        let local = |url: &Url| url.scheme() == "http" && is_loopback(url);
        match (from.scheme(), target.scheme()) {
            (_, "https") => Ok(target),
            ("http", "http") if same_origin(from, &target) || (local(from) && local(&target)) => Ok(target),
            (_, "http") => Err(refused(&shown, "it leads to plain HTTP")),
            _ => Err(refused(&shown, "it leads to another protocol")),
        }
    }

    async fn within<T>(&self, call: &Call<'_>, work: impl Future<Output = Result<T>>) -> Result<T> {
        let outcome = tokio::time::timeout(self.limits().request, work).await;
        outcome.unwrap_or_else(|_| Err(Error::Timeout { what: call.what.clone() }))
    }

    async fn repeat<T, F>(&self, call: &Call<'_>, attempt: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut waited = Duration::ZERO;
        let mut sent = 1;
        loop {
            let error = match attempt().await {
                Err(error) if error.is_transient() && call.is_repeatable() => error,
                other => return other,
            };
            let wait = match &error {
                Error::RateLimited { retry_after: Some(wait), .. } => {
                    *wait + jitter(Duration::from_millis(100))
                }
                _ => backoff(sent),
            };
            if sent >= self.limits().attempts || waited + wait > self.limits().retry_wait {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            waited += wait;
            sent += 1;
        }
    }

    /// Sends with the authorisation at hand; a 401 is answered once with a new one.
    async fn exchange(&self, call: &Call<'_>) -> Result<Response> {
        let own = self.is_own(call);
        let known = if own { self.grant(call) } else { None };
        let response = self.redirected(call, known.as_deref()).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !own {
            return self.judge(call, response).await;
        }
        let fresh = self.authorize(call, response.headers()).await?;
        let response = self.redirected(call, Some(&fresh)).await?;
        self.judge(call, response).await
    }

    /// Follows the redirects of a read. The authorisation goes to the first host only.
    async fn redirected(&self, call: &Call<'_>, authorization: Option<&str>) -> Result<Response> {
        let mut response = self.once(call, &call.url, authorization).await?;
        let mut url = call.url.clone();
        for _ in 0..self.limits().redirects {
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
                return Ok(response);
            }
            url = self.redirect_target(call, &url, &response)?;
            response = self.once(call, &url, None).await?;
        }
        match response.status().is_redirection() {
            true => Err(redirect_refused(call, &url, "there are too many redirects")),
            false => Ok(response),
        }
    }

    fn redirect_target(&self, call: &Call<'_>, from: &Url, response: &Response) -> Result<Url> {
        if !matches!(call.method, Method::GET | Method::HEAD) {
            return Err(redirect_refused(call, from, "only reads are redirected"));
        }
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.ok_or_else(|| redirect_refused(call, from, "it names no location"))?;
        self.follow(from, location, &call.what)
    }

    async fn once(&self, call: &Call<'_>, url: &Url, authorization: Option<&str>) -> Result<Response> {
        if url.scheme() == "http" && !is_loopback(url) && !self.may_be_plain(call.repository, url) {
            return Err(Error::PlainHttpRefused { host: host(url) });
        }
        let _permit = self.permits.acquire().await;
        let mut request = self.http.client(url)?.request(call.method.clone(), url.clone());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let outcome = with_body(request, &call.body)?.send().await;
        outcome.map_err(|error| call.body.failure().unwrap_or_else(|| broken(url, &call.what, &error)))
    }

    async fn judge(&self, call: &Call<'_>, response: Response) -> Result<Response> {
        let (status, what) = (response.status(), call.what.clone());
        if status.is_success() {
            return Ok(response);
        }
        let registry = call.repository.registry.to_string();
        Err(match status.as_u16() {
            401 => Error::Unauthorized { registry },
            403 => Error::Forbidden { what, detail: detail(response).await },
            404 => Error::NotFound { what },
            409 | 412 => Error::Conflict { what, detail: detail(response).await },
            429 => Error::RateLimited { registry, retry_after: retry_after(response.headers()) },
            500..=599 => Error::Server { what, status: status.as_u16() },
            status => Error::Refused { what, status, detail: detail(response).await },
        })
    }

    /// Whether the call goes to the registry itself, and not to storage that it named.
    fn is_own(&self, call: &Call<'_>) -> bool {
        let base = self.base(&call.repository.registry).and_then(|base| parse(&base));
        base.is_ok_and(|base| same_origin(&base, &call.url))
    }

    fn may_be_plain(&self, repository: &Repository, url: &Url) -> bool {
        let base = self.base(&repository.registry).and_then(|base| parse(&base));
        base.is_ok_and(|base| same_origin(&base, url))
    }
}

/// A random time of at most `most`.
pub(super) fn jitter(most: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    most.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}

pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host() == b.host() && a.port_or_known_default() == b.port_or_known_default()
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

fn chunks(
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

fn with_body(request: reqwest::RequestBuilder, body: &Payload) -> Result<reqwest::RequestBuilder> {
    Ok(match body {
        Payload::Empty => request,
        Payload::Bytes(bytes) => request.body(bytes.clone()),
        Payload::Stream { content, size, failure } => {
            let Some(stream) = lock(content).take() else {
                return Err(Error::Unauthorized {
                    registry: "the registry, in the middle of an upload".into(),
                });
            };
            let failure = Arc::clone(failure);
            let noted = stream.inspect(move |item| {
                if let Err(error) = item {
                    *lock(&failure) = Some(error.clone());
                }
            });
            request.header(CONTENT_LENGTH, *size).body(reqwest::Body::wrap_stream(noted))
        }
    })
}

pub(super) fn broken(url: &Url, what: &str, error: &reqwest::Error) -> Error {
    match error.is_timeout() {
        true => Error::Timeout { what: what.to_owned() },
        false => Error::Unreachable { host: host(url), reason: reason(error) },
    }
}

/// The first error of the registry's JSON, made printable, led by `: `.
async fn detail(response: Response) -> String {
    let body = collect(response, MAX_DETAIL, "").await.unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let field = |name: &str| json.pointer(&format!("/errors/0/{name}")).and_then(|value| value.as_str());
    let words: Vec<_> = ["code", "message"].into_iter().filter_map(field).collect();
    let text: String = words.join(": ").chars().filter(|c| !c.is_control()).take(200).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn redirect_refused(call: &Call<'_>, target: &Url, reason: &'static str) -> Error {
    Error::RedirectRefused { what: call.what.clone(), target: shown(target), reason }
}

/// The URL without user, query and fragment, which may hold secrets.
pub(super) fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), host(url), url.path())
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn parse(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|error| Error::malformed(text, error.to_string()))
}

/// 50 to 100 ms, doubled with each attempt.
fn backoff(sent: u32) -> Duration {
    let step = Duration::from_millis(50) * 2u32.saturating_pow(sent.min(8));
    step / 2 + jitter(step / 2)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MAX_DETAIL: usize = 64 * 1024;
