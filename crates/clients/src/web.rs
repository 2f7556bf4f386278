//! One exchange with a service: bounded in time and size, repeated only where that is safe.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, Method};
use reqwest::{Response, Url};
use serde::de::DeserializeOwned;
use signet_formats::json;
use signet_http::{
    CollectError, Connector, Failure, Timeouts, TlsOptions, backoff, collect_unpacked, host, is_loopback,
    printable, retry_after, shown,
};
use zeroize::Zeroizing;

use crate::{Error, Result};

/// The way to services. It is given to every client of this crate.
pub struct Web {
    connector: Connector,
    limits: Limits,
}

/// The bounds. [`Limits::default`] is what the command uses; tests shorten the times.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time to reach a host.
    pub connect: Duration,
    /// Time for one whole exchange. A log answers when a checkpoint covers the entry, which takes some ten
    /// seconds (Rekor v2 asks clients for 20 at least).
    pub request: Duration,
    /// Times a request is sent, the first included.
    pub attempts: u32,
    /// Time spent waiting between the attempts of one request; a longer `Retry-After` gives up at once.
    pub retry_wait: Duration,
    /// Redirects of a read in a row.
    pub redirects: usize,
    /// Time for a person to log in.
    pub login: Duration,
    /// The shortest time between two questions whether somebody has logged in.
    pub poll: Duration,
    /// Time for a helper program.
    pub helper: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(60),
            attempts: 4,
            retry_wait: Duration::from_secs(20),
            redirects: 3,
            login: Duration::from_secs(180),
            poll: Duration::from_secs(1),
            helper: Duration::from_secs(20),
        }
    }
}

impl Web {
    /// A way to services; nothing is read or connected before it is needed.
    pub fn new(tls: TlsOptions, limits: Limits) -> Self {
        let timeouts = Timeouts { connect: limits.connect, idle: limits.request };
        Self { connector: Connector::new(tls, timeouts), limits }
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sends, and reads the answer whatever its status says.
    pub(crate) async fn exchange(&self, call: &Call<'_>) -> Result<Answer> {
        let mut waited = Duration::ZERO;
        let mut sent = 1;
        loop {
            let outcome = self.within(call).await;
            let Some(pause) = pause(call, &outcome, sent) else { return outcome };
            if sent >= self.limits.attempts || waited + pause > self.limits.retry_wait {
                return outcome;
            }
            tokio::time::sleep(pause).await;
            waited += pause;
            sent += 1;
        }
    }

    /// As [`Self::exchange`], where only a success is an answer.
    pub(crate) async fn ask(&self, call: &Call<'_>) -> Result<Answer> {
        let answer = self.exchange(call).await?;
        match answer.status {
            200..=299 => Ok(answer),
            _ => Err(answer.refusal(call)),
        }
    }

    async fn within(&self, call: &Call<'_>) -> Result<Answer> {
        let outcome = tokio::time::timeout(self.limits.request, self.once(call)).await;
        outcome.unwrap_or_else(|_| Err(call.failed(&call.url, Failure::Timeout)))
    }

    async fn once(&self, call: &Call<'_>) -> Result<Answer> {
        let mut url = call.url.clone();
        let mut response = self.send(call, &url, true).await?;
        for _ in 0..self.limits.redirects {
            if !response.status().is_redirection() {
                break;
            }
            url = call.target(&url, response.headers())?;
            // Where a redirect leads, nobody is told who we are.
            response = self.send(call, &url, false).await?;
        }
        if response.status().is_redirection() {
            return Err(call.redirected(&url, "there are too many redirects"));
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = collect_unpacked(response, call.most).await.map_err(|error| match error {
            CollectError::TooLarge => call.malformed("it is too large"),
            CollectError::Broken(failure) => call.failed(&url, failure),
        })?;
        Ok(Answer { status, headers, body })
    }

    async fn send(&self, call: &Call<'_>, url: &Url, secrets: bool) -> Result<Response> {
        let mut request = self.connector.client(url)?.request(call.method.clone(), url.clone());
        for (name, value) in &call.headers {
            request = request.header(name, *value);
        }
        if let (Some(secret), true) = (&call.authorization, secrets) {
            request = request.header(AUTHORIZATION, secret.as_str());
        }
        if let Some((content_type, body)) = &call.body {
            request = request.header(CONTENT_TYPE, *content_type).body(body.clone());
        }
        request.send().await.map_err(|error| call.failed(url, Failure::of(&error)))
    }
}

/// When a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Whenever it did not get through: doing it twice is as good as once.
    Always,
    /// Only if the service said that it did not begin (429, 503): doing it twice would leave two traces.
    IfNotBegun,
    /// Not at all: what it carries is good for one use.
    Never,
}

/// A request to a service.
pub(crate) struct Call<'a> {
    method: Method,
    url: Url,
    headers: Vec<(HeaderName, &'a str)>,
    authorization: Option<Zeroizing<String>>,
    body: Option<(&'static str, Bytes)>,
    repeat: Repeat,
    /// The most bytes that are read of the answer.
    most: usize,
    /// What is asked for, for messages.
    what: String,
}

impl<'a> Call<'a> {
    pub(crate) fn get(url: &str, what: &str, most: usize) -> Result<Self> {
        Self::new(Method::GET, service_url(url)?, what, most, Repeat::Always)
    }

    pub(crate) fn post(
        url: &str,
        what: &str,
        most: usize,
        repeat: Repeat,
        body: (&'static str, Bytes),
    ) -> Result<Self> {
        let call = Self::new(Method::POST, service_url(url)?, what, most, repeat)?;
        Ok(Self { body: Some(body), ..call })
    }

    /// A read of the cloud's own metadata server, which is on the machine's own link and speaks plain HTTP.
    pub(crate) fn metadata(url: &str, what: &str, most: usize) -> Result<Self> {
        let url = Url::parse(url).map_err(|_| Error::Url { url: url.to_owned(), reason: "is no URL" })?;
        Self::new(Method::GET, url, what, most, Repeat::Always)
    }

    fn new(method: Method, url: Url, what: &str, most: usize, repeat: Repeat) -> Result<Self> {
        let (headers, what) = (Vec::new(), what.to_owned());
        Ok(Self { method, url, headers, authorization: None, body: None, repeat, most, what })
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The value of `Authorization`, which no redirect gets.
    pub(crate) fn authorization(self, scheme: &str, secret: &str) -> Self {
        Self { authorization: Some(Zeroizing::new(format!("{scheme} {secret}"))), ..self }
    }

    /// The host that is asked.
    pub(crate) fn host(&self) -> String {
        host(&self.url)
    }

    pub(crate) fn malformed(&self, reason: impl ToString) -> Error {
        Error::Malformed { what: self.what.clone(), host: self.host(), reason: reason.to_string() }
    }

    fn failed(&self, url: &Url, failure: Failure) -> Error {
        let (what, host) = (self.what.clone(), host(url));
        match failure {
            Failure::Timeout => Error::Timeout { what, host },
            Failure::NoPlainHttp => {
                let reason = "it was asked over plain HTTP, and does not speak it".to_owned();
                Error::Tls { what, host, reason }
            }
            Failure::PlainHttp => Error::Tls { what, host, reason: "it speaks plain HTTP".to_owned() },
            Failure::Tls(reason) => Error::Tls { what, host, reason },
            Failure::Malformed(reason) => Error::Malformed { what, host, reason },
            Failure::Unreachable(reason) => Error::Unreachable { what, host, reason },
        }
    }

    fn redirected(&self, target: &Url, reason: &'static str) -> Error {
        Error::Redirected { what: self.what.clone(), target: shown(target), reason }
    }

    /// Where an answer redirects a read to.
    fn target(&self, from: &Url, headers: &HeaderMap) -> Result<Url> {
        if self.method != Method::GET {
            return Err(self.redirected(from, "only reads are redirected"));
        }
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let target = location.and_then(|location| from.join(location).ok());
        let target = target.ok_or_else(|| self.redirected(from, "it names no location"))?;
        match is_safe(&target) && (target.scheme() == "https" || is_loopback(from)) {
            true => Ok(target),
            false => Err(self.redirected(&target, "it leads to plain HTTP")),
        }
    }
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as a JSON document.
    pub(crate) fn json<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T> {
        // `T` borrows nothing, and the guarded reader refuses what two readers could take differently.
        let value: serde_json::Value =
            json::parse(&self.body, call.most).map_err(|error| call.malformed(error))?;
        serde_json::from_value(value).map_err(|error| call.malformed(error))
    }

    /// What a status other than success means, with the service's own words.
    pub(crate) fn refusal(&self, call: &Call<'_>) -> Error {
        let (what, host, status) = (call.what.clone(), call.host(), self.status);
        let detail = self.words();
        match status {
            429 | 500.. => Error::Failed { what, host, status, detail },
            _ => Error::Refused { what, host, status, detail },
        }
    }

    /// `message` of gRPC gateways and Rekor v1, `error_description` or `error` of OAuth; else the text itself.
    fn words(&self) -> String {
        let document: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let named = ["message", "error_description", "error"]
            .into_iter()
            .find_map(|name| document.get(name)?.as_str().map(str::to_owned));
        let plain = || {
            let text = String::from_utf8_lossy(&self.body).trim().to_owned();
            Some(text).filter(|text| !text.starts_with(['<', '{']))
        };
        let text = printable(&named.or_else(plain).unwrap_or_default());
        if text.is_empty() { text } else { format!(": {text}") }
    }
}

/// Reads the URL of a service: HTTPS, or HTTP on this machine.
pub(crate) fn service_url(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|_| Error::Url { url: printable(text), reason: "is no URL" })?;
    match is_safe(&url) {
        true => Ok(url),
        false => Err(Error::Url {
            url: shown(&url),
            reason: "is not HTTPS, and plain HTTP is spoken with this machine only",
        }),
    }
}

fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// How long to wait before sending again; `None` if that is not to be done.
fn pause(call: &Call<'_>, outcome: &Result<Answer>, sent: u32) -> Option<Duration> {
    match (outcome, call.repeat) {
        (_, Repeat::Never) => None,
        (Ok(answer), _) if matches!(answer.status, 429 | 503) => {
            Some(retry_after(&answer.headers).unwrap_or_else(|| backoff(sent)))
        }
        (Ok(answer), Repeat::Always) if answer.status >= 500 => Some(backoff(sent)),
        (Err(Error::Unreachable { .. }), Repeat::Always) => Some(backoff(sent)),
        _ => None,
    }
}
