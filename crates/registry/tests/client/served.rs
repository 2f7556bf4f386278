//! Signet's own registry, in this process.

use signet_server::registry::Config;
use tokio::sync::oneshot;

/// An open registry on a free port, with its data in a temporary directory.
pub(crate) struct Served {
    pub(crate) host: String,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
    _data: tempfile::TempDir,
}

impl Served {
    pub(crate) async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let app = Config::new(data.path().join("data"), ([127, 0, 0, 1], 0).into()).build().await.unwrap();
        let host = app.local_addr().to_string();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(app.run(async { drop(stopped.await) }));
        Self { host, stop, served, _data: data }
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.served.await.unwrap();
    }
}
