//! One request: what it asks for, and what answers.

use std::io;

use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use signet_formats::tlog::Resource;
use signet_services::log::{Log, ReadError};

use super::checks::Checks;
use super::error::ApiError;
use super::write;
use crate::http::{Answer, Handler, full};

/// What a log takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sigstore's `hashedrekord` entries with good signatures, under `/api/v2/`.
    HashedRekord,
    /// Any bytes, at the root.
    Opaque,
}

impl Kind {
    /// What all its paths begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::HashedRekord => "/api/v2/",
            Self::Opaque => "/",
        }
    }
}

/// The HTTP face of a log.
pub struct Face {
    log: Log,
    kind: Kind,
    checks: Checks,
}

impl Face {
    /// A face for this log. Starts the threads that check signatures.
    pub fn new(log: Log, kind: Kind) -> io::Result<Self> {
        Ok(Self { log, kind, checks: Checks::start()? })
    }

    /// The log behind it.
    pub fn log(&self) -> &Log {
        &self.log
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Answer, ApiError> {
        let (parts, body) = request.into_parts();
        if parts.uri.path() == "/healthz" {
            return Ok(self.health());
        }
        let path = parts.uri.path().strip_prefix(self.kind.prefix()).ok_or(ApiError::NotFound)?;
        match (self.kind, path, &parts.method) {
            (Kind::HashedRekord, "log/entries", &Method::POST) => {
                write::hashed_rekord(&self.log, &self.checks, body).await
            }
            (Kind::Opaque, "add", &Method::POST) => write::opaque(&self.log, body).await,
            (Kind::HashedRekord, "log/entries", _) | (Kind::Opaque, "add", _) => Err(ApiError::Method),
            (_, _, &Method::GET | &Method::HEAD) => {
                self.read(path.parse().map_err(|_| ApiError::NotFound)?).await
            }
            _ => Err(path.parse::<Resource>().map_or(ApiError::NotFound, |_| ApiError::Method)),
        }
    }

    async fn read(&self, resource: Resource) -> Result<Answer, ApiError> {
        let log = self.log.clone();
        let read = match resource {
            Resource::Checkpoint => {
                let note = log.head().note.clone();
                return Ok(cached(full(StatusCode::OK, "text/plain; charset=utf-8", note), "no-cache"));
            }
            Resource::Tile(tile) => blocking(move || log.tile(tile)).await,
            Resource::Entries(bundle) => blocking(move || log.entries(bundle)).await,
        };
        let found = read?.ok_or(ApiError::NotFound)?;
        Ok(cached(full(StatusCode::OK, "application/octet-stream", found), IMMUTABLE))
    }

    fn health(&self) -> Answer {
        match self.log.is_writing() {
            true => full(StatusCode::OK, "application/json", r#"{"status":"SERVING"}"#),
            false => full(StatusCode::SERVICE_UNAVAILABLE, "application/json", r#"{"status":"NOT_SERVING"}"#),
        }
    }
}

impl Handler for Face {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        self.route(request).await.unwrap_or_else(ApiError::into_answer)
    }
}

async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(read).await;
    let read = done.map_err(|error| ApiError::Internal(error.to_string()))?;
    read.map_err(|error| ApiError::Internal(error.to_string()))
}

fn cached(mut answer: Answer, how: &'static str) -> Answer {
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(how));
    answer
}

const IMMUTABLE: &str = "public, max-age=31536000, immutable";
