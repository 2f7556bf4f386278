//! An HTTP server that answers as a test tells it to, truthfully or not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use signet_formats::oci::{Reference, Repository};
use signet_registry::{Client, Keychain, Limits, Options};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    /// What it waits for.
    held: Option<Arc<Notify>>,
}

enum Body {
    Bytes(Vec<u8>),
    /// A stated length of which nothing ever comes.
    Stalled(u64),
    /// The whole answer as it goes over the wire, head included, and what then comes again and again.
    Wire {
        start: Vec<u8>,
        then: Vec<u8>,
        pause: Duration,
    },
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::of(status, Body::Bytes(body.into()))
    }

    /// Zeros without end, no length stated.
    pub(crate) fn endless() -> Self {
        Self::endless_with(200)
    }

    pub(crate) fn endless_with(status: u16) -> Self {
        let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n");
        Self::wire(head, vec![0; 65536], Duration::ZERO)
    }

    /// `start`, which holds the head, and then `then` for ever; closes where that is empty.
    pub(crate) fn wire(start: impl Into<Vec<u8>>, then: impl Into<Vec<u8>>, pause: Duration) -> Self {
        Self::of(200, Body::Wire { start: start.into(), then: then.into(), pause })
    }

    pub(crate) fn stalled(length: u64) -> Self {
        Self::of(200, Body::Stalled(length))
    }

    /// Nothing of it comes before `signal` is given.
    pub(crate) fn held(self, signal: &Arc<Notify>) -> Self {
        Self { held: Some(Arc::clone(signal)), ..self }
    }

    fn of(status: u16, body: Body) -> Self {
        Self { status, headers: Vec::new(), body, held: None }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

/// A running server; it stops when it is dropped.
pub(crate) struct Double {
    pub(crate) host: String,
    seen: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

type Answer = dyn Fn(&Request) -> Reply + Send + Sync;

impl Double {
    pub(crate) async fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(None, Arc::new(answer)).await
    }

    /// The same answer to everything.
    pub(crate) async fn always(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        Self::start(move |_| reply()).await
    }

    /// The same over TLS.
    pub(crate) async fn start_tls(
        tls: ServerConfig,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(Arc::new(tls).into()), Arc::new(answer)).await
    }

    async fn listen(tls: Option<TlsAcceptor>, answer: Arc<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (seen, connections) = (Arc::<Mutex<_>>::default(), Arc::<AtomicUsize>::default());
        let (log, count) = (Arc::clone(&seen), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (tls, answer, log) = (tls.clone(), Arc::clone(&answer), Arc::clone(&log));
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, answer.as_ref(), &log).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            serve(stream, answer.as_ref(), &log).await;
                        }
                    }
                });
            }
        });
        Self { host, seen, connections, task }
    }

    /// How often somebody connected, whatever came of it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn port(&self) -> u16 {
        self.host.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn repository(&self) -> Repository {
        format!("{}/app", self.host).parse().unwrap()
    }

    pub(crate) fn reference(&self) -> Reference {
        format!("{}/app:v1", self.host).parse().unwrap()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn client() -> Client {
    client_with(Keychain::anonymous())
}

pub(crate) fn client_with(keychain: Keychain) -> Client {
    Client::new(Options { keychain, ..Options::default() })
}

/// A client that soon loses patience: only for servers that are slower than any machine.
pub(crate) fn hasty(keychain: Keychain) -> Client {
    let limits = Limits {
        idle: Duration::from_millis(300),
        request: Duration::from_millis(1500),
        ..Limits::default()
    };
    Client::new(Options { keychain, limits, ..Options::default() })
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &Answer, seen: &Mutex<Vec<Request>>) {
    let Some(request) = read(&mut stream).await else { return };
    let reply = answer(&request);
    let head_only = request.method == "HEAD";
    seen.lock().unwrap().push(request);
    if let Some(signal) = &reply.held {
        signal.notified().await;
    }
    if let Body::Wire { start, then, pause } = reply.body {
        return pour(stream, &start, &then, pause).await;
    }
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let (bytes, length) = match reply.body {
        Body::Stalled(length) => (None, length),
        Body::Bytes(bytes) => (Some(bytes.clone()), bytes.len() as u64),
        Body::Wire { .. } => unreachable!("poured above"),
    };
    head.push_str(&format!("Content-Length: {length}\r\n\r\n"));
    if stream.write_all(head.as_bytes()).await.is_err() || head_only {
        let _ = stream.shutdown().await;
        return;
    }
    match bytes {
        Some(bytes) => drop(stream.write_all(&bytes).await),
        None => drop(stream.read(&mut [0]).await),
    }
    let _ = stream.shutdown().await;
}

async fn pour(mut stream: impl AsyncWrite + Unpin, start: &[u8], then: &[u8], pause: Duration) {
    let mut poured = stream.write_all(start).await;
    while poured.is_ok() && !then.is_empty() {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        poured = stream.write_all(then).await;
    }
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { method: first.next()?.to_owned(), target: first.next()?.to_owned(), headers, body })
}

/// A small image manifest.
pub(crate) fn manifest() -> Vec<u8> {
    let empty = r#"{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#;
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{empty},"layers":[{empty}]}}"#
    );
    text.into_bytes()
}
