//! A registry on a free loopback port, and what a client says to it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use signet_crypto::Digest;
use signet_formats::oci::media_type;
use signet_server::registry::{App, Config, PullGate};
use signet_store::registry::RegistryStore;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::access::users;
use crate::memory::Memory;

pub(crate) struct Registry {
    pub(crate) url: String,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) client: Client,
    user: Option<(String, String)>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
    pub(crate) data: TempDir,
}

impl Registry {
    /// An open registry.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_, _| {}).await
    }

    /// A registry that `configure` has the last word on; it is given a directory for its files too.
    pub(crate) async fn start_with(configure: impl FnOnce(&mut Config, &Path)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config::new(data.path().join("data"), ([127, 0, 0, 1], 0).into());
        configure(&mut config, data.path());
        let (stop, stopped) = oneshot::channel();
        let (address, served) = match Memory::is_asked_for() {
            true => run(config.build_over(Memory::default()).await.unwrap(), stopped),
            false => run(config.build().await.unwrap(), stopped),
        };
        // Other crates of the workspace ask reqwest for no provider of its own; a second one is refused.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        let (stop, served) = (Some(stop), Some(served));
        Self { url: format!("http://{address}"), address, client, user: None, stop, served, data }
    }

    /// A registry with users that asks this gate.
    pub(crate) async fn gated(gate: impl PullGate) -> Self {
        Self::start_with(|config, dir| {
            users(config, dir);
            config.gate = Some(Arc::new(gate));
        })
        .await
    }

    pub(crate) fn log_in(&mut self, user: &str, password: &str) {
        self.user = Some((user.to_owned(), password.to_owned()));
    }

    pub(crate) fn log_out(&mut self) {
        self.user = None;
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        self.served.take().unwrap().await.unwrap();
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.user {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        }
    }

    pub(crate) async fn send(&self, method: Method, path: &str) -> Response {
        self.request(method, path).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path).await
    }

    /// Asks until the answer has that status.
    pub(crate) async fn until(&self, path: &str, status: StatusCode) {
        let answers = async || self.get(path).await.status() == status;
        until(&format!("{path} is {status}"), answers).await;
    }

    /// Where a new upload is.
    pub(crate) async fn start_upload(&self, repository: &str) -> String {
        let response = self.send(Method::POST, &format!("/v2/{repository}/blobs/uploads/")).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        header(&response, "location")
    }

    pub(crate) async fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::sha256(content);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let response = self.request(Method::POST, &path).body(content.to_vec()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        digest
    }

    pub(crate) async fn put_manifest(&self, repository: &str, reference: &str, manifest: &Value) -> Response {
        let media_type = manifest["mediaType"].as_str().unwrap();
        let request = self.request(Method::PUT, &format!("/v2/{repository}/manifests/{reference}"));
        request.header("content-type", media_type).body(manifest.to_string()).send().await.unwrap()
    }

    /// Pushes a manifest by its digest.
    pub(crate) async fn push_manifest(&self, repository: &str, manifest: &Value) -> Digest {
        let digest = Digest::sha256(manifest.to_string().as_bytes());
        let response = self.put_manifest(repository, &digest.to_string(), manifest).await;
        assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
        digest
    }
}

fn run<S: RegistryStore + Clone>(
    app: App<S>,
    stopped: oneshot::Receiver<()>,
) -> (std::net::SocketAddr, JoinHandle<()>) {
    (app.local_addr(), tokio::spawn(app.run(async { drop(stopped.await) })))
}

/// Asks until it is so, for as long as a busy machine may take.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), asking).await.is_ok(), "never: {what}");
}

/// An image manifest with an empty configuration; push `{}` first.
pub(crate) fn image(layers: &[(&str, Digest)], subject: Option<Digest>) -> Value {
    let empty = descriptor(media_type::OCI_EMPTY, Digest::sha256(b"{}"));
    let layers: Vec<_> = layers.iter().map(|(media_type, digest)| descriptor(media_type, *digest)).collect();
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": empty, "layers": layers,
    });
    if let Some(subject) = subject {
        manifest["subject"] = descriptor(media_type::OCI_MANIFEST, subject);
    }
    manifest
}

pub(crate) fn index(children: &[Digest]) -> Value {
    let children: Vec<_> =
        children.iter().map(|child| descriptor(media_type::OCI_MANIFEST, *child)).collect();
    json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": children})
}

pub(crate) fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// The answer's document.
pub(crate) async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// The code of an error answer.
pub(crate) async fn code(response: Response) -> String {
    json_of(response).await["errors"][0]["code"].as_str().unwrap().to_owned()
}

fn descriptor(media_type: &str, digest: Digest) -> Value {
    json!({"mediaType": media_type, "digest": digest, "size": 2})
}
