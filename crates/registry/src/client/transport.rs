//! One request: authorised, its answer bounded in time and size, tried again where safe.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::Stream;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use reqwest::{Response, Url};
use signet_formats::oci::Registry;
use signet_http::{Connector, Timeouts, is_loopback, same_origin};
use tokio::sync::Semaphore;

use super::Options;
use super::authorize::Grants;
use super::call::{Answer, Call};
use super::redirect::refused;
use super::response::{broken, chunks, collect, judge};
use super::retry::Attempts;
use crate::{Error, Limits, Result};

pub(super) struct Transport {
    pub(super) options: Options,
    pub(super) http: Connector,
    pub(super) grants: Grants,
    permits: Semaphore,
    /// The addresses of the registries that were asked: a call needs its registry's more than once.
    bases: Mutex<HashMap<Registry, Url>>,
}

impl Transport {
    pub(super) fn new(options: Options) -> Self {
        let timeouts = Timeouts { connect: options.limits.connect, idle: options.limits.idle };
        Self {
            http: Connector::new(options.tls.clone(), timeouts),
            permits: Semaphore::new(options.limits.parallel.max(1)),
            options,
            grants: Grants::new(),
            bases: Mutex::default(),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// `http://host` for registries on this machine, unless the options name them for HTTPS, and for
    /// those that the options name for plain HTTP; else `https://host`.
    pub(super) fn base(&self, registry: &Registry) -> Result<Url> {
        if let Some(base) = lock(&self.bases).get(registry) {
            return Ok(base.clone());
        }
        let local = registry.is_loopback() && !self.options.https.contains(registry);
        let plain = local || self.options.plain_http.contains(registry);
        let text = format!("{}://{}", if plain { "http" } else { "https" }, registry.endpoint());
        let base = Url::parse(&text).map_err(|error| Error::malformed(text, error.to_string()))?;
        lock(&self.bases).insert(registry.clone(), base.clone());
        Ok(base)
    }

    /// The whole answer of at most `most` bytes; tried again where that is safe.
    pub(super) async fn fetch(&self, call: &Call<'_>, most: usize) -> Result<Answer> {
        self.repeat(call, || {
            self.within(call, async {
                let mut response = self.exchange(call).await?;
                let headers = mem::take(response.headers_mut());
                let body = collect(response, most, &call.what).await?;
                Ok(Answer { headers, body })
            })
        })
        .await
    }

    /// The answer with its body as a stream that must end within the time for `size` bytes.
    pub(super) async fn open(
        &self,
        call: &Call<'_>,
        size: u64,
    ) -> Result<Opened<impl Stream<Item = Result<Bytes>> + Send + 'static>> {
        let response = self.repeat(call, || self.within(call, self.exchange(call))).await?;
        let deadline = tokio::time::Instant::now() + self.limits().transfer(size);
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Opened { status, headers, chunks: chunks(response, call.what.clone(), deadline) })
    }

    /// The answer to a request that is not repeated: an upload, in the time that `size` bytes may take.
    pub(super) async fn send(&self, call: &Call<'_>, size: u64) -> Result<(StatusCode, HeaderMap)> {
        let timeout = self.limits().transfer(size);
        let outcome = tokio::time::timeout(timeout, self.exchange(call)).await;
        let response = outcome.unwrap_or_else(|_| Err(Error::Timeout { what: call.what.clone() }))?;
        Ok((response.status(), response.headers().clone()))
    }

    /// Sends one request to `url`, which the call leads to.
    pub(super) async fn once(
        &self,
        call: &Call<'_>,
        url: &Url,
        authorization: Option<&str>,
    ) -> Result<Response> {
        if url.scheme() == "http" && !is_loopback(url) && !self.is_registry(call, url) {
            return Err(refused(call, url, "it leads to plain HTTP"));
        }
        let _permit = self.permits.acquire().await;
        // A certificate is a credential like any other: storage that the registry names is not shown it.
        let client = match self.is_registry(call, url) {
            true => self.http.identified(url)?,
            false => self.http.client(url)?,
        };
        let mut request = client.request(call.method.clone(), url.clone());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let outcome = call.body.on(request).send().await;
        outcome.map_err(|error| call.body.failure().unwrap_or_else(|| broken(url, &call.what, &error)))
    }

    async fn within<T>(&self, call: &Call<'_>, work: impl Future<Output = Result<T>>) -> Result<T> {
        let outcome = tokio::time::timeout(self.limits().request, work).await;
        outcome.unwrap_or_else(|_| Err(Error::Timeout { what: call.what.clone() }))
    }

    async fn repeat<T, F>(&self, call: &Call<'_>, attempt: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut attempts = Attempts::new(self.limits());
        loop {
            match attempt().await {
                Err(error) if call.is_repeatable() && attempts.again(&error).await => {}
                other => return other,
            }
        }
    }

    /// Sends with the authorisation at hand; a 401 of the registry is answered once with a new one.
    async fn exchange(&self, call: &Call<'_>) -> Result<Response> {
        let own = self.is_registry(call, &call.url);
        let known = if own { self.known(call).await? } else { None };
        let response = self.redirected(call, known.as_deref()).await?;
        // Where a redirect led, nobody is told who we are.
        let challenged = response.status() == StatusCode::UNAUTHORIZED && *response.url() == call.url;
        if !own || !challenged {
            return self.judged(call, response).await;
        }
        let fresh = self.authorize(call, response.headers(), known.as_deref()).await?;
        if call.body.is_spent() {
            return self.judged(call, response).await;
        }
        let response = self.redirected(call, Some(&fresh)).await?;
        self.judged(call, response).await
    }

    async fn judged(&self, call: &Call<'_>, response: Response) -> Result<Response> {
        match response.status() {
            StatusCode::UNAUTHORIZED => Err(self.unauthorized(call)),
            _ => judge(call, response).await,
        }
    }

    /// Whether `url` is of the call's registry itself, and not of storage that it named.
    pub(super) fn is_registry(&self, call: &Call<'_>, url: &Url) -> bool {
        self.base(&call.repository.registry).is_ok_and(|base| same_origin(&base, url))
    }
}

/// An answer whose body is still to come.
pub(super) struct Opened<S> {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) chunks: S,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
