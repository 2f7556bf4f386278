//! A certificate log by its URL (RFC 6962 §4.2).

use async_trait::async_trait;
use signet_crypto::PublicKey;
use signet_formats::json;
use signet_formats::sct::Sct;
use signet_services::ca::{CtError, CtLog, PrecertEntry};
use signet_services::oidc::FetchError;

use crate::outgoing::{Outgoing, document};
use crate::static_ct::{Chain, Promise};

/// A log that is asked over HTTP.
pub struct HttpCtLog {
    http: Outgoing,
    /// The URL of `add-pre-chain`.
    url: String,
    keys: Vec<PublicKey>,
}

impl HttpCtLog {
    /// The log at this URL, whose promises are each signed with one of these keys: there are several where it goes on in shards.
    pub fn new(url: &str, keys: Vec<PublicKey>) -> Self {
        let url = format!("{}/ct/v1/add-pre-chain", url.trim_end_matches('/'));
        Self { http: Outgoing::default(), url, keys }
    }
}

#[async_trait]
impl CtLog for HttpCtLog {
    fn keys(&self) -> Option<&[PublicKey]> {
        Some(&self.keys)
    }

    async fn add_pre_chain(&self, entry: &PrecertEntry) -> Result<Sct, CtError> {
        let certificates = std::iter::once(&entry.precertificate).chain(&entry.chain);
        let body =
            serde_json::to_vec(&Chain::of(certificates)).map_err(|error| CtError(error.to_string()))?;
        let failed = |error: FetchError| CtError(format!("`{}`: {error}", self.url));
        let response = self.http.post(&self.url, "application/json", body).await.map_err(failed)?;
        let answer = document(response, MAX_ANSWER).await.map_err(failed)?;
        let answer: Promise = json::parse(&answer, MAX_ANSWER).map_err(|error| CtError(error.to_string()))?;
        answer.sct().ok_or_else(|| CtError("its answer is not a promise".to_owned()))
    }
}

const MAX_ANSWER: usize = 64 * 1024;
