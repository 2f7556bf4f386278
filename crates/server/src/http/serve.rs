//! From a listening socket to answered requests: bounded connections, idle limits, graceful drain.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answer::Answer;
use crate::registry::Idle;

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one; errors are answers too.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Answer> + Send;
}

/// Bounds on what clients can use up.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many connections are served at once; more wait.
    pub connections: usize,
    /// How long a connection may carry nothing.
    pub idle: Duration,
    /// How long requests may take to end once the service stops.
    pub drain: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 4096, idle: Duration::from_secs(120), drain: Duration::from_secs(20) }
    }
}

/// A socket that listens.
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens; port 0 is any free one.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready, then lets the requests under way end.
    pub async fn serve<H: Handler>(self, handler: Arc<H>, bounds: Bounds, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let slots = Arc::new(Semaphore::new(bounds.connections));
        let mut tasks = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = accept(&self.listener, &slots) => {
                    let Some((stream, slot)) = accepted else { continue };
                    let served = serve(stream, Arc::clone(&handler), bounds.idle, stopped.clone());
                    tasks.spawn(async move {
                        served.await;
                        drop(slot);
                    });
                }
                // Ended connections are forgotten as they end.
                Some(_) = tasks.join_next() => {}
            }
        }
        drop(self.listener);
        // Fails only if no connection is left to be told.
        let _ = stopping.send(true);
        let drained = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(bounds.drain, drained).await;
        tasks.shutdown().await;
    }
}

async fn serve<H: Handler>(
    stream: TcpStream,
    handler: Arc<H>,
    idle: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(Idle::new(stream, idle)), answer);
    let mut connection = std::pin::pin!(connection);
    // How a connection ends is its client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// The next connection and its slot. `None` if the system could not give one now.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(_) => {
            // Out of file descriptors, or a client that was gone already.
            sleep(ACCEPT_AGAIN_AFTER).await;
            None
        }
    }
}

const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
const MAX_HEADERS: usize = 64;
