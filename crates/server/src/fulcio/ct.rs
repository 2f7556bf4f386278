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
    key: PublicKey,
}

impl HttpCtLog {
    /// The log at this URL, whose promises are signed with this key.
    pub fn new(url: &str, key: PublicKey) -> Self {
        let url = format!("{}/ct/v1/add-pre-chain", url.trim_end_matches('/'));
        Self { http: Outgoing::default(), url, key }
    }
}

#[async_trait]
impl CtLog for HttpCtLog {
    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    async fn add_pre_chain(&self, entry: &PrecertEntry) -> Result<Sct, CtError> {
        let certificates = std::iter::once(&entry.precertificate).chain(&entry.chain);
        let body =
            serde_json::to_vec(&Chain::of(certificates)).map_err(|error| CtError(error.to_string()))?;
        let failed = |error: FetchError| CtError(error.to_string());
        let response = self.http.post(&self.url, "application/json", body).await.map_err(failed)?;
        let answer = document(response, MAX_ANSWER).await.map_err(failed)?;
        let answer: Promise = json::parse(&answer, MAX_ANSWER).map_err(|error| CtError(error.to_string()))?;
        answer.sct().ok_or_else(|| CtError("its answer is not a promise".to_owned()))
    }
}

const MAX_ANSWER: usize = 64 * 1024;
