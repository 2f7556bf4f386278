//! What a monitor reads logs with, and whom it tells.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use async_trait::async_trait;
use reqwest::{Response, StatusCode, Url};
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

/// Reads the URL of a log, as [`HttpLogs`] takes it. Why it is none, in words.
pub fn log_url(text: &str) -> Result<String, String> {
    let is_dir = |url: &Url| url.scheme() == "file" && url.to_file_path().is_ok();
    read_url(text, |url| is_http(url) || is_dir(url), "`http`, `https`, or `file` and an absolute path")
}

/// Reads the URL of a webhook. Why it is none, in words: an alarm that was never given says it too late.
pub fn webhook_url(text: &str) -> Result<String, String> {
    read_url(text, is_http, "`http` or `https`")
}

fn read_url(text: &str, is_fit: impl Fn(&Url) -> bool, wanted: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    match is_fit(&url) {
        true => Ok(url.into()),
        false => Err(format!("`{text}` is not {wanted}")),
    }
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

#[async_trait]
impl LogReader for HttpLogs {
    async fn read(&self, url: &str, path: &str, limit: usize) -> Result<Option<Vec<u8>>, String> {
        let parsed = Url::parse(url).map_err(|error| error.to_string())?;
        if parsed.scheme() == "file" {
            let dir = parsed.to_file_path().map_err(|()| "it is on another machine")?;
            return read_file(&dir.join(path), limit);
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use axum::Router;
    use axum::routing::get;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::host::Host;

    /// C2SP tlog-tiles: "Logs MAY use Content-Encoding: gzip with no negotiation".
    #[tokio::test]
    async fn a_log_that_compresses_its_entries_unasked_is_read() {
        let bundle = vec![7; 100_000];
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&bundle).unwrap();
        let packed = packed.finish().unwrap();
        let routes = Router::new().route("/{file}", get(async || ([("content-encoding", "gzip")], packed)));
        let host = Host::listen(([127, 0, 0, 1], 0).into(), None).await.unwrap();
        let url = log_url(&host.url()).unwrap();
        let served = tokio::spawn(host.run(routes, std::future::pending()));
        let read = async |limit| HttpLogs::default().read(url.trim_end_matches('/'), "entries", limit).await;
        assert_eq!(read(100_000).await, Ok(Some(bundle)));
        assert!(read(99_999).await.is_err(), "the bound is of what it is unpacked");
        served.abort();
    }

    #[tokio::test]
    async fn a_log_on_a_disk_is_read_by_any_spelling_of_its_url() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a b");
        std::fs::create_dir(&log).unwrap();
        std::fs::write(log.join("checkpoint"), b"a checkpoint").unwrap();
        let log = Url::from_file_path(&log).unwrap().to_string();
        for url in [log.clone(), log.replacen("file://", "file://localhost", 1), log.replace("%20", " ")] {
            let read = HttpLogs::default().read(&log_url(&url).unwrap(), "checkpoint", 100).await;
            assert_eq!(read, Ok(Some(b"a checkpoint".to_vec())), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_is_found_before_it_is_needed() {
        for wrong in ["", "notaurl", "log.example.org", "ftp://log.example.org", "file://elsewhere/log"] {
            assert!(log_url(wrong).is_err() && webhook_url(wrong).is_err(), "{wrong}");
        }
        assert!(webhook_url("file:///log").is_err());
    }
}
