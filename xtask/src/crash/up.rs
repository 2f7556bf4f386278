//! A whole stack, with clients of all of its services: whenever it ends it starts again, everything in it is sound, and what
//! clients were told is so.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use signet_crypto::{Digest, KeyAlgorithm, Scheme};
use signet_formats::timestamp::{TimestampRequest, TimestampToken};
use signet_formats::x509::{Certificate, certificates_from_pem};
use signet_formats::{base64, pem};
use signet_keys::{Payload, PrivateKey};
use signet_server::stack::{Config, Stack, fsck};
use signet_services::clock::{Clock, SystemClock};
use signet_services::oidc::dev::{Bearer, DevIssuer};

use super::play::{Killer, Role, tell};
use super::{ca, log};

/// The hidden task.
pub(super) const COMMAND: &str = "play-up";

/// Kills the stack so often; what was seen.
pub(super) async fn kills(dir: &Path, kills: u32, seed: u64) -> Result<String, String> {
    let dir = tempfile::tempdir_in(dir).map_err(|error| error.to_string())?;
    let (data, mut told) = (dir.path().join("up"), Told::default());
    let mut killer = Killer::new(COMMAND, seed, LONGEST_LIFE_MICROS);
    for life in 0..kills {
        let why = |why| format!("kill {life}: {why}");
        let lines = killer.life(&data, life).await.map_err(why)?;
        lines.iter().try_for_each(|line| told.hear(line)).map_err(why)?;
        let report = fsck(&data).await.map_err(|error| why(error.to_string()))?;
        if !report.findings.is_empty() {
            return Err(why(report.findings.join("; ")));
        }
    }
    told.check(&data).await?;
    let Told { log, certificates, serials, blobs, trust } = told;
    Ok(format!(
        "{kills} kills: {} entries, {} certificates, {} timestamps, {} blobs and {trust} versions of trust as they must be",
        log.added.len(),
        certificates.len(),
        serials.len(),
        blobs.len()
    ))
}

/// The stack and its clients, in the process that is killed.
pub(super) async fn play(args: &[&str]) -> Result<(), String> {
    let role = Role::parse(args)?;
    // Other crates of the workspace ask reqwest for no provider of its own; a second one is refused.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let stack = start(role.data).await?;
    let clients = Clients::new(&stack, role.data, role.life)?;
    let rotating = tokio::spawn(ca::rotate(Arc::clone(&stack.services().ct)));
    let serving = tokio::spawn(stack.run(std::future::pending()));
    let (first, second, third, fourth, fifth) = tokio::join!(
        tokio::spawn(Arc::clone(&clients).forever(Service::Log)),
        tokio::spawn(Arc::clone(&clients).forever(Service::Ca)),
        tokio::spawn(Arc::clone(&clients).forever(Service::Tsa)),
        tokio::spawn(Arc::clone(&clients).forever(Service::Registry)),
        tokio::spawn(clients.forever(Service::Trust)),
    );
    serving.abort();
    rotating.abort();
    // They never end but by an error.
    [first, second, third, fourth, fifth]
        .into_iter()
        .try_for_each(|client| client.map_err(|e| e.to_string())?)
}

async fn start(data: &Path) -> Result<Stack, String> {
    let mut config = Config::new(data.to_owned(), SocketAddr::from(([127, 0, 0, 1], 0)));
    config.dev = true;
    config.build().await.map_err(|error| format!("it does not start: {error}"))
}

#[derive(Clone, Copy)]
enum Service {
    Log,
    Ca,
    Tsa,
    Registry,
    Trust,
}

/// Clients of all services; each writes down what it is told.
struct Clients {
    http: Client,
    url: String,
    dev: DevIssuer,
    life: u32,
}

impl Clients {
    fn new(stack: &Stack, data: &Path, life: u32) -> Result<Arc<Self>, String> {
        let http = Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        let dev = DevIssuer::load(&data.join("ca")).map_err(|error| error.to_string())?;
        Ok(Arc::new(Self { http, url: stack.url().to_owned(), dev, life }))
    }

    async fn forever(self: Arc<Self>, service: Service) -> Result<(), String> {
        for number in 0_u64.. {
            let what = format!("{}/{number}", self.life);
            match service {
                Service::Log => self.log(&what).await?,
                Service::Ca => self.certificate(&format!("{}.{number}@example.com", self.life)).await?,
                Service::Tsa => self.timestamp(&what).await?,
                Service::Registry => self.blob(&what).await?,
                Service::Trust => self.trust().await?,
            }
        }
        Ok(())
    }

    async fn log(&self, message: &str) -> Result<(), String> {
        let request = signet_testkit::log_request(&generate()?, message.as_bytes());
        let answer = self.post("/api/v2/log/entries", "application/json", request.into_bytes()).await?;
        let entry: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        let text =
            |pointer: &str| entry.pointer(pointer).and_then(Value::as_str).ok_or("the log answers otherwise");
        let body = base64::decode(text("/canonicalizedBody")?).map_err(|error| error.to_string())?;
        let index = text("/logIndex")?.parse().map_err(|_| "no index")?;
        tell(&format!("log {}", log::added(&body, index)));
        tell(&format!("log {}", log::head(text("/inclusionProof/checkpoint/envelope")?.as_bytes())));
        Ok(())
    }

    async fn certificate(&self, email: &str) -> Result<(), String> {
        let token = self.dev.mint(&Bearer::Email(email.to_owned()), SystemClock::start().seconds());
        let key = generate()?;
        let proof = key.sign(Scheme::EcdsaP256Sha256, Payload::Message(email.as_bytes()));
        let body = json!({
            "credentials": { "oidcIdentityToken": token.map_err(|error| error.to_string())? },
            "publicKeyRequest": {
                "publicKey": { "content": pem::encode(pem::PUBLIC_KEY, key.public_key().spki_der()) },
                "proofOfPossession": base64::encode(proof.map_err(|error| error.to_string())?),
            },
        });
        let answer =
            self.post("/api/v2/signingCert", "application/json", body.to_string().into_bytes()).await?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        let own =
            answer.pointer("/signedCertificateEmbeddedSct/chain/certificates/0").and_then(Value::as_str);
        let chain = certificates_from_pem(own.ok_or("the authority answers otherwise")?);
        let chain: Vec<Certificate> = chain.map_err(|error| error.to_string())?;
        chain.first().into_iter().for_each(|own| tell(&format!("certificate {}", ca::given(own))));
        Ok(())
    }

    async fn timestamp(&self, message: &str) -> Result<(), String> {
        let imprint = Digest::sha256(message.as_bytes());
        let request = TimestampRequest { imprint, policy: None, nonce: None, with_certificates: true };
        let answer = self.post("/api/v1/timestamp", "application/timestamp-query", request.to_der()).await?;
        let token = TimestampToken::from_response(&answer).map_err(|error| error.to_string())?;
        tell(&format!("serial {:?}", token.info().serial).replace(", ", ","));
        Ok(())
    }

    async fn blob(&self, content: &str) -> Result<(), String> {
        let digest = Digest::sha256(content.as_bytes());
        let began = self.send(Method::POST, "/v2/app/blobs/uploads/", "text/plain", Vec::new()).await?;
        let location = began.headers().get("location").and_then(|value| value.to_str().ok());
        let location = location.ok_or("no upload was begun")?.to_owned();
        let path = location.strip_prefix(&self.url).unwrap_or(&location);
        let mark = if path.contains('?') { '&' } else { '?' };
        let put = format!("{path}{mark}digest={digest}");
        let done =
            self.send(Method::PUT, &put, "application/octet-stream", content.as_bytes().to_vec()).await?;
        match done.status() {
            StatusCode::CREATED => tell(&format!("blob {digest}")),
            status => return Err(format!("{put}: {status}")),
        }
        Ok(())
    }

    async fn trust(&self) -> Result<(), String> {
        let answer = self.send(Method::GET, "/tuf/timestamp.json", "text/plain", Vec::new()).await?;
        let bytes = answer.bytes().await.map_err(|error| error.to_string())?;
        let timestamp: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let version = timestamp.pointer("/signed/version").and_then(Value::as_u64).ok_or("no version")?;
        tell(&format!("trust {version}"));
        Ok(())
    }

    /// The body of an answer of success.
    async fn post(&self, path: &str, media_type: &str, body: Vec<u8>) -> Result<Vec<u8>, String> {
        let answer = self.send(Method::POST, path, media_type, body).await?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| error.to_string())?;
        match status.is_success() {
            true => Ok(body.to_vec()),
            false => Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&body))),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> Result<reqwest::Response, String> {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let sent = request.header("content-type", media_type).body(body).send().await;
        sent.map_err(|error| error.to_string())
    }
}

/// What clients were told.
#[derive(Default)]
struct Told {
    log: log::Told,
    certificates: ca::Told,
    serials: BTreeSet<String>,
    blobs: BTreeSet<String>,
    /// The newest version of trust.
    trust: u64,
}

impl Told {
    fn hear(&mut self, line: &str) -> Result<(), String> {
        let (who, what) = line.split_once(' ').ok_or_else(|| format!("told `{line}`"))?;
        let once = |is_new: bool| if is_new { Ok(()) } else { Err(format!("`{line}` twice")) };
        match who {
            "log" => self.log.hear(what),
            "certificate" => self.certificates.hear_one(what),
            "serial" => once(self.serials.insert(what.to_owned())),
            "blob" => once(self.blobs.insert(what.to_owned())),
            "trust" => {
                let version = what.parse().map_err(|_| format!("told `{line}`"))?;
                let before = std::mem::replace(&mut self.trust, version);
                match before <= version {
                    true => Ok(()),
                    false => Err(format!("trust of version {version} was shown, after {before}")),
                }
            }
            _ => Err(format!("told `{line}`")),
        }
    }

    /// All that was told is so, by a stack that starts on what is left.
    async fn check(&self, data: &Path) -> Result<(), String> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let stack = start(data).await?;
        let (services, url) = (stack.services().clone(), stack.url().to_owned());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(stack.run(async move { drop(stopped.await) }));
        self.certificates.check_in(&data.join("ca"), &services.ct)?;
        let active = services.log.active().ok_or("no log")?;
        log::check(&active, &self.log).await?;
        self.check_blobs(&url).await?;
        drop((services, active, stop));
        serving.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    async fn check_blobs(&self, url: &str) -> Result<(), String> {
        let http = Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        for digest in &self.blobs {
            let answer = http.get(format!("{url}/v2/app/blobs/{digest}")).send().await;
            let bytes = answer.map_err(|error| error.to_string())?.bytes().await;
            let bytes = bytes.map_err(|error| error.to_string())?;
            if Digest::sha256(&bytes).to_string() != *digest {
                return Err(format!("the blob {digest} is not there"));
            }
        }
        Ok(())
    }
}

fn generate() -> Result<PrivateKey, String> {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(|error| error.to_string())
}

const LONGEST_LIFE_MICROS: u64 = 500_000;
