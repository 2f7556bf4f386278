//! Witnesses by their URLs.

use async_trait::async_trait;
use reqwest::StatusCode;
use signet_crypto::Digest;
use signet_services::log::{WitnessAnswer, WitnessClient};

use crate::outgoing::{Outgoing, body, document};

/// Asks witnesses over HTTP: no redirects, bounded in time and size.
#[derive(Default)]
pub struct HttpWitnesses {
    http: Outgoing,
}

#[async_trait]
impl WitnessClient for HttpWitnesses {
    async fn add_checkpoint(&self, url: &str, request: String) -> Result<WitnessAnswer, String> {
        let response =
            self.http.post(&format!("{url}/add-checkpoint"), "text/plain; charset=utf-8", request).await;
        let response = response.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = body(response, MAX_ANSWER).await.map_err(|error| error.to_string())?;
        let body = String::from_utf8_lossy(&body);
        Ok(match status {
            StatusCode::OK => WitnessAnswer::Cosigned(body.into_owned()),
            StatusCode::CONFLICT => match body.trim_end().parse() {
                Ok(size) => WitnessAnswer::Conflict(size),
                Err(_) => WitnessAnswer::Refused("status 409 without a size".to_owned()),
            },
            _ => {
                let said: String =
                    body.trim_end().chars().filter(|c| !c.is_control()).take(MAX_SAID).collect();
                WitnessAnswer::Refused(format!("status {}: {said}", status.as_u16()))
            }
        })
    }

    async fn newest(&self, url: &str, origin: &str) -> Result<Option<String>, String> {
        let log = Digest::sha256(origin.as_bytes()).hex();
        let response = self.http.get(&format!("{url}/witness/{log}/checkpoint")).await;
        let response = response.map_err(|error| error.to_string())?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let shown = document(response, MAX_ANSWER).await.map_err(|error| error.to_string())?;
        String::from_utf8(shown.into()).map(Some).map_err(|error| error.to_string())
    }
}

/// Some lines of ML-DSA-44.
const MAX_ANSWER: usize = 64 * 1024;
const MAX_SAID: usize = 200;
