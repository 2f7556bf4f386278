//! Files of trust repositories, over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{StatusCode, Url};
use signet_http::{CollectError, Connector, Failure, Timeouts, TlsOptions, collect, is_loopback};
use signet_services::trust::{Fetch, FetchError};

/// Gets files: no redirects, no cookies, bounded in time and size. Plain HTTP is spoken to this machine only, or
/// anybody on the way could hold newer trust back.
pub(crate) struct HttpFetch {
    connector: Connector,
}

impl HttpFetch {
    /// Nothing is connected before it is needed.
    pub(crate) fn new(tls: TlsOptions) -> Self {
        Self { connector: Connector::new(tls, Timeouts { connect: CONNECT, idle: IDLE }) }
    }

    async fn try_get(&self, url: &Url, limit: usize) -> Result<Option<Vec<u8>>, FetchError> {
        let client = self.connector.client(url).map_err(|error| FetchError(error.to_string()))?;
        let sent = client.get(url.clone()).send().await;
        let response = sent.map_err(|error| FetchError(words(&Failure::of(&error))))?;
        match response.status() {
            StatusCode::OK => {}
            // Object stores answer 403 for what is not there to whoever may not list them.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => return Ok(None),
            status => return Err(FetchError(format!("status {}", status.as_u16()))),
        }
        match collect(response, limit).await {
            Ok(body) => Ok(Some(body.to_vec())),
            Err(CollectError::TooLarge) => Err(FetchError(format!("it is larger than {limit} bytes"))),
            Err(CollectError::Broken(failure)) => Err(FetchError(words(&failure))),
        }
    }
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn get(&self, url: &str, limit: usize) -> Result<Option<Vec<u8>>, FetchError> {
        let url = Url::parse(url).map_err(|error| FetchError(error.to_string()))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            _ => return Err(FetchError("only HTTPS is spoken beyond this machine".to_owned())),
        }
        let answered = tokio::time::timeout(WHOLE, self.try_get(&url, limit)).await;
        answered.unwrap_or_else(|_| Err(FetchError("it took too long".to_owned())))
    }
}

fn words(failure: &Failure) -> String {
    match failure {
        Failure::Timeout => "it took too long".to_owned(),
        Failure::PlainHttp => "the host speaks no TLS".to_owned(),
        Failure::Tls(why) => format!("no trusted TLS connection: {why}"),
        Failure::Malformed(why) => format!("the answer is not HTTP: {why}"),
        Failure::Unreachable(why) => why.clone(),
    }
}

const CONNECT: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(20);
const WHOLE: Duration = Duration::from_secs(60);
