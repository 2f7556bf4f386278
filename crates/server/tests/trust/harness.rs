//! A host with some routes, and what a client says to it.

use axum::Router;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use signet_server::host::Host;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) struct Served {
    pub(crate) url: String,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl Served {
    /// A host that listens; its routes may need to know where.
    pub(crate) async fn listen() -> Host {
        Host::listen(([127, 0, 0, 1], 0).into(), None).await.unwrap()
    }

    pub(crate) fn start(host: Host, router: Router) -> Self {
        let url = host.url();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(host.run(router, async { drop(stopped.await) }));
        // Other crates of the workspace ask reqwest for no provider of its own; a second one is refused.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { url, client, stop: Some(stop), served }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub(crate) fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).header("content-type", content_type).body(body)
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        self.served.await.unwrap();
    }
}

/// The JSON that was answered.
pub(crate) async fn json(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}
