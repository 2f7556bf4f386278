//! What a monitor reads logs with, and whom it tells.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use async_trait::async_trait;
use reqwest::{Response, StatusCode};
use serde::Serialize;
use signet_services::monitor::LogReader;
use signet_services::oidc::FetchError;

use crate::outgoing::{Outgoing, body};

/// Logs by their URLs (`http`, `https`, or `file` for a directory), and webhooks: no redirects, bounded in time and size.
#[derive(Clone, Default)]
pub struct HttpLogs {
    http: Outgoing,
}

impl HttpLogs {
    /// Posts a document to a webhook; an error in words unless it is taken.
    pub async fn post(&self, url: &str, document: &impl Serialize) -> Result<(), String> {
        let body = serde_json::to_vec(document).map_err(|error| error.to_string())?;
        let response = self.http.post(url, "application/json", body).await;
        let response = response.map_err(|error| error.to_string())?;
        match response.status().is_success() {
            true => Ok(()),
            false => Err(format!("status {}", response.status().as_u16())),
        }
    }
}

#[async_trait]
impl LogReader for HttpLogs {
    async fn read(&self, url: &str, path: &str, limit: usize) -> Result<Option<Vec<u8>>, String> {
        if let Some(dir) = url.strip_prefix("file://") {
            return read_file(&Path::new(dir).join(path), limit);
        }
        read_answer(self.http.get(&format!("{url}/{path}")).await, limit).await
    }

    async fn ask(
        &self,
        url: &str,
        path: &str,
        question: Vec<u8>,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, String> {
        read_answer(self.http.post(&format!("{url}/{path}"), "application/json", question).await, limit).await
    }
}

async fn read_answer(
    response: Result<Response, FetchError>,
    limit: usize,
) -> Result<Option<Vec<u8>>, String> {
    let response = response.map_err(|error| error.to_string())?;
    match response.status() {
        StatusCode::OK => {
            let body = body(response, limit).await.map_err(|error| error.to_string())?;
            Ok(Some(body.into()))
        }
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
        status => Err(format!("status {}", status.as_u16())),
    }
}

/// Of a log that is a directory of files.
fn read_file(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, String> {
    let failed = |error: io::Error| error.to_string();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    // One byte more tells what is too large from what just fits.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() <= limit {
        true => Ok(Some(bytes)),
        false => Err(format!("it is larger than {limit} bytes")),
    }
}
