//! What every face runs on: connections with bounds, TLS, and an end that lets requests finish.

mod arriving;
mod crowd;
mod health;
mod idle;
mod linger;
mod pace;
mod tls;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::Service;

pub(crate) use arriving::{Arriving, unreceived};
use crowd::Crowd;
pub use health::health;
use idle::Idle;
pub(crate) use linger::Lingering;
pub(crate) use pace::Paced;
pub use tls::TlsFiles;

/// An address that is listened on, and how what comes in is bounded.
pub struct Host {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    bounds: Bounds,
}

impl Host {
    /// Starts to listen; port 0 is any free one. With `tls` it speaks HTTPS.
    pub async fn listen(listen: SocketAddr, tls: Option<&TlsFiles>) -> Result<Self, HostError> {
        Address::take(listen, tls)?.listen()
    }

    /// The same with other bounds.
    #[must_use]
    pub fn bounded(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// `http://` or `https://` and the address.
    pub fn url(&self) -> String {
        url(self.tls.is_some(), self.address)
    }

    /// Serves until `stop` is ready, then lets the requests under way end.
    pub async fn run(self, router: Router, stop: impl Future<Output = ()> + Send) {
        self.route(router, Box::pin(stop)).await;
    }

    /// In boxes, so that what serves is compiled here and not again by everyone who runs it.
    fn route<'a>(self, router: Router, stop: BoxFuture<'a, ()>) -> BoxFuture<'a, ()> {
        let answer = move |request: Request<Incoming>| {
            let mut router = router.clone();
            async move {
                match router.call(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
        };
        Box::pin(self.serve(answer, stop))
    }

    /// Has `answer` answer until `stop` is ready, then lets the requests under way end.
    pub(crate) async fn serve<A, F, B>(self, answer: A, stop: impl Future<Output = ()>)
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send,
        B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + 'static,
    {
        serve(self.listener, self.tls, self.bounds, answer, stop).await;
    }
}

/// An address that is taken and not listened on yet: nobody can connect before what is served there is ready.
pub struct Address {
    socket: TcpSocket,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
}

impl Address {
    /// Takes it; port 0 is any free one.
    pub fn take(listen: SocketAddr, tls: Option<&TlsFiles>) -> Result<Self, HostError> {
        let tls = tls.map(TlsFiles::acceptor).transpose().map_err(HostError::Tls)?;
        let failed = |error| HostError::Listen { listen, error };
        let socket = if listen.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(failed)?;
        socket.set_reuseaddr(signet_platform::reuses_addresses()).map_err(failed)?;
        socket.bind(listen).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address, tls })
    }

    /// `http://` or `https://` and the address.
    pub fn url(&self) -> String {
        url(self.tls.is_some(), self.address)
    }

    /// Starts to listen.
    pub fn listen(self) -> Result<Host, HostError> {
        let Self { socket, address, tls } = self;
        let listener =
            socket.listen(BACKLOG).map_err(|error| HostError::Listen { listen: address, error })?;
        Ok(Host { listener, address, tls, bounds: Bounds::default() })
    }
}

fn url(is_tls: bool, address: SocketAddr) -> String {
    let scheme = if is_tls { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Bounds on what clients can use up.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many connections are served at once; more wait.
    pub connections: usize,
    /// How long a connection may carry nothing, but while a request is answered.
    pub idle: Duration,
    /// How long requests may take to end once the service stops.
    pub drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 4_096, idle: Duration::from_secs(120), drain: Duration::from_secs(20) }
    }
}

/// Why an address is not listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {error}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The certificate or key is unusable.
    #[error("the TLS certificate or key cannot be read: {0}")]
    Tls(io::Error),
}

/// Answers what comes in at `listener` until `stop` is ready, then lets the requests under way end.
async fn serve<A, F, B>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    bounds: Bounds,
    answer: A,
    stop: impl Future<Output = ()>,
) where
    A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send,
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let (stopping, stopped) = watch::channel(false);
    let connections = within_open_files(bounds.connections, signet_platform::raise_open_files());
    let crowd = Crowd::of(connections);
    let mut tasks = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &crowd) => {
                let Some((stream, slot)) = accepted else { continue };
                let connection = Connection {
                    answer: answer.clone(),
                    tls: tls.clone(),
                    idle: bounds.idle,
                    // Who comes while there is room keeps this time.
                    handshake_within: crowd.patience(HANDSHAKE_WITHIN),
                    headers_within: crowd.patience(HEADERS_WITHIN),
                    crowd: crowd.clone(),
                    stopped: stopped.clone(),
                };
                let crowd = crowd.clone();
                tasks.spawn(async move {
                    crowd.around(connection.serve(stream)).await;
                    drop(slot);
                });
            }
            // Ended connections are forgotten as they end.
            Some(_) = tasks.join_next() => {}
        }
    }
    drop(listener);
    // Fails only if no connection is left to be told.
    let _ = stopping.send(true);
    let drained = async { while tasks.join_next().await.is_some() {} };
    let _ = timeout(bounds.drain, drained).await;
    // Whoever is told that it ended may open what the requests used: none of them holds it any more.
    tasks.shutdown().await;
}

/// So many connections that files are left to answer them with.
fn within_open_files(connections: usize, files: Option<u64>) -> usize {
    let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    connections.min(files / 2).max(1)
}

struct Connection<A> {
    answer: A,
    tls: Option<TlsAcceptor>,
    idle: Duration,
    handshake_within: Duration,
    headers_within: Duration,
    crowd: Crowd,
    stopped: watch::Receiver<bool>,
}

impl<A, F, B> Connection<A>
where
    A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send,
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    async fn serve(self, stream: TcpStream) {
        // Answers are written whole; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let stream = Idle::new(stream, self.crowd.clone(), self.idle);
        match self.tls.clone() {
            None => self.serve_http(stream).await,
            Some(tls) => {
                if let Ok(Ok(stream)) = timeout(self.handshake_within, tls.accept(stream)).await {
                    self.serve_http(stream).await;
                }
            }
        }
    }

    async fn serve_http(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { answer, mut stopped, headers_within, .. } = self;
        let service = service_fn(move |request: Request<Incoming>| {
            let answered = answer(request);
            async move { Ok::<_, Infallible>(answered.await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(headers_within)
            // Nothing is read while a request is answered: neither for its client's end, which cannot change what was asked, nor
            // into a buffer that its body still has a part of, for which another would be made.
            .half_close(true)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        // How a connection ends is its client's affair.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

/// The next connection and its slot. `None` if the system could not give one now.
async fn accept(listener: &TcpListener, crowd: &Crowd) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = crowd.slot().await?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(error) => {
            // A client that was gone already, or out of file descriptors.
            if error.kind() != io::ErrorKind::ConnectionAborted {
                tracing::warn!(%error, "a connection could not be accepted");
            }
            sleep(ACCEPT_AGAIN_AFTER).await;
            None
        }
    }
}

/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1024;
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(200);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
const MAX_HEADERS: usize = 64;
/// Bytes of a connection that wait to be read by us, and so many, or one piece of an answer more, by its client.
const MAX_BUFFER: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What is answered to who ends its half of the connection then.
    async fn ask(address: SocketAddr) -> String {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: signet.example\r\n\r\n").await.unwrap();
        client.shutdown().await.unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        said
    }

    /// As what speaks TCP without HTTP does, and some balancers do.
    #[tokio::test]
    async fn who_has_asked_and_ends_its_half_of_the_connection_is_answered() {
        let host = Host::listen(([127, 0, 0, 1], 0).into(), None).await.unwrap();
        let address = host.local_addr();
        let answer = async |_| {
            sleep(Duration::from_millis(50)).await;
            Response::new(Body::from("late"))
        };
        tokio::spawn(host.serve(answer, std::future::pending()));
        let said = ask(address).await;
        assert!(said.starts_with("HTTP/1.1 200 OK") && said.ends_with("late"), "{said}");
    }

    #[tokio::test]
    async fn a_request_knows_the_crowd_that_it_is_from() {
        let host = Host::listen(([127, 0, 0, 1], 0).into(), None).await.unwrap();
        let bounds = Bounds { connections: 4, ..Bounds::default() };
        let (address, host) = (host.local_addr(), host.bounded(bounds));
        let answer = async |_| Response::new(Body::from(Crowd::here().is_large().to_string()));
        tokio::spawn(host.serve(answer, std::future::pending()));
        let mut others = Vec::new();
        for (connections, is_large) in [(1, "false"), (3, "true")] {
            while others.len() < connections - 1 {
                let mut other = TcpStream::connect(address).await.unwrap();
                other.write_all(b"GET / HTTP/1.1\r\nhost: signet.example\r\n\r\n").await.unwrap();
                other.read_u8().await.unwrap();
                others.push(other);
            }
            assert!(ask(address).await.ends_with(is_large), "{connections}");
        }
        assert!(!Crowd::here().is_large());
    }

    #[test]
    fn connections_leave_files_to_answer_them_with() {
        for (files, slots) in [(None, 4_096), (Some(65_536), 4_096), (Some(1_024), 512), (Some(1), 1)] {
            assert_eq!(within_open_files(4_096, files), slots);
        }
        assert!(signet_platform::raise_open_files().is_none_or(|files| files > 0));
    }
}
