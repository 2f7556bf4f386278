//! Documents of issuers, over HTTPS.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use signet_services::oidc::{Fetch, FetchError};

/// Gets documents with a client of its own: no redirects, no cookies, bounded in time and size.
pub struct HttpFetch {
    client: Client,
}

impl HttpFetch {
    /// A client that trusts the system's roots.
    pub fn new() -> Result<Self, FetchError> {
        Ok(Self { client: client()? })
    }
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn get(&self, url: &str, limit: usize) -> Result<Vec<u8>, FetchError> {
        read(self.client.get(url), limit).await
    }
}

/// The body that a request is answered with under status 200, of at most `limit` bytes.
pub(crate) async fn read(request: RequestBuilder, limit: usize) -> Result<Vec<u8>, FetchError> {
    let failed = |error: reqwest::Error| FetchError(error.without_url().to_string());
    let mut response = request.send().await.map_err(failed)?;
    match response.status() {
        StatusCode::OK => read_all(&mut response, limit).await,
        status => Err(FetchError(format!("status {}", status.as_u16()))),
    }
}

/// The body of an answer, of at most `limit` bytes.
pub(crate) async fn read_all(response: &mut Response, limit: usize) -> Result<Vec<u8>, FetchError> {
    let failed = |error: reqwest::Error| FetchError(error.without_url().to_string());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > limit {
            return Err(FetchError(format!("the document is larger than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A client that follows no redirects and waits for nobody long.
pub(crate) fn client() -> Result<Client, FetchError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    // Certificates of the system that are unreadable are no roots; the others are.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| FetchError(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        // A redirect would let somebody else than the issuer say what its keys are.
        .redirect(Policy::none())
        .connect_timeout(WITHIN)
        .timeout(WITHIN)
        .build()
        .map_err(|error| FetchError(error.to_string()))
}

const WITHIN: Duration = Duration::from_secs(10);
