//! A client that writes down what it asked for and what it was told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value as Json;
use signet_crypto::Digest;

use super::ledger::{Changes, Key, Ledger, Value};

/// A client of the registry at one address.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    ledger: Arc<Mutex<Ledger>>,
    /// Told of each change of the ledger.
    witness: Option<Witness>,
}

type Witness = Arc<dyn Fn(&Ledger) + Send + Sync>;

/// What became of a request.
pub(super) enum Answer {
    Done(Response),
    /// Nothing was changed.
    Refused,
    /// It may have been carried out, in part or whole, or not.
    Unknown,
}

/// The registry is gone.
#[derive(Debug)]
pub(super) struct Gone;

impl Client {
    pub(super) fn new(base: &str, ledger: Arc<Mutex<Ledger>>) -> Result<Self, String> {
        // Other crates of the workspace ask reqwest for no provider of its own; a second one is refused.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        Ok(Self { http, base: base.to_owned(), ledger, witness: None })
    }

    pub(super) fn witnessed(self, witness: impl Fn(&Ledger) + Send + Sync + 'static) -> Self {
        Self { witness: Some(Arc::new(witness)), ..self }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Sends a request that has these effects.
    pub(super) async fn change(&self, changes: Changes, request: RequestBuilder) -> Result<Answer, Gone> {
        self.ledger().begin(&changes);
        self.tell();
        let response = request.send().await.map_err(|_| Gone)?;
        let status = response.status();
        if status.is_success() {
            self.ledger().acknowledge(&changes);
        } else if status.is_client_error() {
            self.ledger().withdraw(&changes);
        } else {
            self.ledger().fail(&changes);
        }
        self.tell();
        Ok(match status {
            _ if status.is_success() => Answer::Done(response),
            _ if status.is_client_error() => Answer::Refused,
            _ => Answer::Unknown,
        })
    }

    /// Writes down what an answer told.
    pub(super) fn learn(&self, changes: &Changes) {
        self.ledger().acknowledge(changes);
        self.tell();
    }

    /// Compares what the registry answers with what it told before; how many answers.
    pub(super) async fn verify(&self, keys: Vec<Key>) -> Result<usize, String> {
        for key in &keys {
            let observed = self.observe(key).await?;
            self.ledger().observe(key, observed)?;
        }
        Ok(keys.len())
    }

    async fn observe(&self, key: &Key) -> Result<Value, String> {
        match key {
            Key::Content(path) => {
                let Some(response) = self.ask(path).await? else { return Ok(Value::Absent) };
                let bytes = response.bytes().await.map_err(|error| format!("{path}: {error}"))?;
                let stated = path.rsplit('/').next().and_then(|digest| digest.parse::<Digest>().ok());
                match stated.is_some_and(|digest| Digest::of(digest.algorithm(), &bytes) == digest) {
                    true => Ok(Value::There),
                    false => Err(format!("{path} has other bytes")),
                }
            }
            Key::Tag(path) => {
                let Some(response) = self.ask(path).await? else { return Ok(Value::Absent) };
                Ok(Value::Names(header(&response, "docker-content-digest")))
            }
            Key::Upload(path) => {
                let Some(response) = self.ask(path).await? else { return Ok(Value::Absent) };
                Ok(Value::Bytes(range_end(&response)))
            }
            Key::Referrer(path, digest) => {
                let response = self.ask(path).await?.ok_or_else(|| format!("{path} is not found"))?;
                let bytes = response.bytes().await.map_err(|error| format!("{path}: {error}"))?;
                let index: Json = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
                let entries = index.get("manifests").and_then(Json::as_array).into_iter().flatten();
                let listed =
                    entries.filter_map(|entry| entry.get("digest")).any(|found| found == digest.as_str());
                Ok(if listed { Value::There } else { Value::Absent })
            }
        }
    }

    /// The answer, unless it is 404.
    async fn ask(&self, path: &str) -> Result<Option<Response>, String> {
        let response =
            self.request(Method::GET, path).send().await.map_err(|error| format!("{path}: {error}"))?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(response)),
            status => Err(format!("GET {path}: {status}")),
        }
    }

    fn tell(&self) {
        if let Some(witness) = &self.witness {
            witness(&self.ledger());
        }
    }
}

pub(super) fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// How many bytes `Range: 0-<last>` means; the registry says `0-0` also of an empty upload.
fn range_end(response: &Response) -> u64 {
    let range = header(response, "range");
    let last = range.split_once('-').and_then(|(_, last)| last.parse::<u64>().ok()).unwrap_or(0);
    if last == 0 { 0 } else { last + 1 }
}
