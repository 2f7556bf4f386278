//! What services ask of others over HTTP: issuers, witnesses, logs, webhooks.
//!
//! No redirects, bounded in time and size. Nothing is read or connected before it is needed: a stack starts without the
//! system's roots, and without a network.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Body, RequestBuilder, Response, StatusCode, Url};
use signet_http::{CollectError, Connector, ENCODINGS, Failure, Timeouts, TlsOptions, collect_unpacked};
use signet_services::oidc::FetchError;

/// A client with a memory of its own. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Outgoing(Arc<Connector>);

impl Default for Outgoing {
    fn default() -> Self {
        Self(Arc::new(connector()))
    }
}

impl Outgoing {
    /// A client that trusts these authorities too, given in PEM.
    pub(crate) fn trusting(authorities: &str) -> Self {
        Self(Arc::new(connector().trusting(authorities)))
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Response, FetchError> {
        let url = parse(url)?;
        send(self.client(&url)?.get(url).header("accept-encoding", ENCODINGS)).await
    }

    pub(crate) async fn post(
        &self,
        url: &str,
        media_type: &'static str,
        body: impl Into<Body>,
    ) -> Result<Response, FetchError> {
        let url = parse(url)?;
        send(self.client(&url)?.post(url).header("content-type", media_type).body(body)).await
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, FetchError> {
        self.0.client(url).map_err(|error| FetchError(error.to_string()))
    }
}

fn connector() -> Connector {
    Connector::new(TlsOptions::default(), Timeouts { connect: WITHIN, idle: WITHIN })
}

/// The body of an answer of status 200, of at most `limit` bytes.
pub(crate) async fn document(response: Response, limit: usize) -> Result<Bytes, FetchError> {
    match response.status() {
        StatusCode::OK => body(response, limit).await,
        status => Err(FetchError(format!("status {}", status.as_u16()))),
    }
}

/// The body of an answer, of at most `limit` bytes.
pub(crate) async fn body(response: Response, limit: usize) -> Result<Bytes, FetchError> {
    collect_unpacked(response, limit).await.map_err(|error| match error {
        CollectError::TooLarge => FetchError(format!("the document is larger than {limit} bytes")),
        CollectError::Broken(failure) => FetchError(said(&failure)),
    })
}

async fn send(request: RequestBuilder) -> Result<Response, FetchError> {
    // Of the whole: somebody who sends a byte now and then is not waited for.
    let sent = request.timeout(WITHIN).send().await;
    sent.map_err(|error| FetchError(said(&Failure::of(&error))))
}

fn parse(url: &str) -> Result<Url, FetchError> {
    url.parse().map_err(|error| FetchError(format!("`{url}` is no URL: {error}")))
}

/// Without the URL, which may hold secrets.
fn said(failure: &Failure) -> String {
    match failure {
        Failure::Timeout => format!("there was no whole answer within {} s", WITHIN.as_secs()),
        Failure::NoPlainHttp => "it does not speak plain HTTP, which it was asked in".to_owned(),
        Failure::PlainHttp => "it speaks plain HTTP where HTTPS was asked for".to_owned(),
        Failure::Tls(why) => format!("no TLS connection: {why}"),
        Failure::Malformed(why) => format!("its answer is no HTTP: {why}"),
        Failure::Unreachable(why) => format!("it cannot be reached: {why}"),
    }
}

const WITHIN: Duration = Duration::from_secs(10);
