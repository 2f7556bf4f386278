//! Files of trust repositories, over HTTP.

use std::path::PathBuf;

use async_trait::async_trait;
use signet_clients::{Error, Limits, TlsOptions, Web, file};
use signet_services::trust::{Fetch, FetchError};

/// Gets files over HTTPS, or over plain HTTP from this machine: anybody on the way could hold newer trust back.
pub(crate) struct HttpFetch(Web);

impl HttpFetch {
    /// Nothing is connected before it is needed. Hosts are believed that the system's authorities certify, or those in this
    /// file.
    pub(crate) fn trusting(authorities: Option<PathBuf>) -> Self {
        let tls = TlsOptions { authorities: authorities.into_iter().collect(), identity: None };
        // A repository that is down is asked again another time: what is stored serves until then.
        Self(Web::new(tls, Limits { attempts: 1, ..Limits::default() }))
    }
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn get(&self, url: &str, limit: usize) -> Result<Option<Vec<u8>>, FetchError> {
        file::get(&self.0, url, limit).await.map_err(|error| match error {
            Error::Tls { .. } => FetchError::Untrusted(error.to_string()),
            _ => FetchError::Silent(error.to_string()),
        })
    }
}
