//! Many clients of one server at once, over HTTP/1.1: the same ones for Signet and for its peers.

mod answer;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::LocalSet;
use tokio::time::sleep_until;

use super::measure::Sample;
use super::served::Served;

/// Clients and what they ask.
pub(super) struct Load<'a> {
    /// Where the server listens.
    pub(super) address: &'a str,
    /// Each is sent once.
    pub(super) requests: Requests,
    /// How many connections there are.
    pub(super) clients: usize,
    /// When a request is sent.
    pub(super) pace: Pace,
    /// After this nothing is sent any more.
    pub(super) most: Duration,
}

/// Whole requests, head and body, by number; `None` after the last.
pub(super) type Requests = Rc<dyn Fn(usize) -> Option<Rc<[u8]>>>;

/// Requests that are all made before the clock starts.
pub(super) fn made(requests: impl Iterator<Item = Vec<u8>>) -> Requests {
    let requests: Vec<Rc<[u8]>> = requests.map(Rc::from).collect();
    Rc::new(move |number| requests.get(number).cloned())
}

/// When a request is sent.
#[derive(Clone, Copy)]
pub(super) enum Pace {
    /// Each client sends as soon as it has its answer.
    Closed,
    /// So many a second, whether the server keeps up or not. A request's latency counts from when it was due.
    Open(f64),
}

impl Load<'_> {
    /// Runs it against a server, whose CPU time and memory are noted. The value is how many requests a second were answered with
    /// success.
    pub(super) fn on(&self, server: &Served) -> Sample {
        let mut seen = None;
        let sample = server.during(|| {
            let seen = seen.insert(self.run());
            Sample::of(seen.succeeded() / seen.took.as_secs_f64())
        });
        let seen = seen.expect("the load was run");
        let cpu_seconds = sample.cpu_ms.unwrap_or(f64::NAN) / 1e3;
        sample
            .with(A_CPU_SECOND, seen.succeeded() / cpu_seconds)
            .with("p50_ms", seen.percentile(0.5))
            .with("p99_ms", seen.percentile(0.99))
            .with("answers", seen.succeeded())
            .with("other answers", seen.failed as f64)
    }

    fn run(&self) -> Seen {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
        LocalSet::new().block_on(&runtime, self.run_clients())
    }

    async fn run_clients(&self) -> Seen {
        let mut connections = Vec::new();
        for _ in 0..self.clients {
            connections.push(connect(self.address).await.expect("the server takes connections"));
        }
        let start = Instant::now();
        let work = Rc::new(Work {
            address: self.address.to_owned(),
            requests: Rc::clone(&self.requests),
            next: Cell::new(0),
            start,
            end: start + self.most,
            pace: self.pace,
            seen: RefCell::default(),
        });
        let clients: Vec<_> = connections
            .into_iter()
            .map(|stream| tokio::task::spawn_local(client(Rc::clone(&work), stream)))
            .collect();
        for client in clients {
            client.await.expect("a client does not panic");
        }
        let mut seen = work.seen.take();
        seen.took = start.elapsed();
        seen.latencies.sort_unstable();
        seen
    }
}

/// What a sample says beside its value: the answers a CPU second of the server.
pub(super) const A_CPU_SECOND: &str = "a CPU second";

/// A request of HTTP/1.1 with a body.
pub(super) fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A request of HTTP/1.1 without one.
pub(super) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// What the clients share.
struct Work {
    address: String,
    requests: Requests,
    /// The number of the next request.
    next: Cell<usize>,
    start: Instant,
    end: Instant,
    pace: Pace,
    seen: RefCell<Seen>,
}

/// What the clients saw.
#[derive(Default)]
struct Seen {
    /// Of requests that succeeded; in the end sorted.
    latencies: Vec<Duration>,
    failed: usize,
    took: Duration,
}

impl Seen {
    fn succeeded(&self) -> f64 {
        self.latencies.len() as f64
    }

    /// In milliseconds.
    fn percentile(&self, part: f64) -> f64 {
        let at = (self.latencies.len().saturating_sub(1)) as f64 * part;
        self.latencies.get(at as usize).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

async fn client(work: Rc<Work>, mut stream: TcpStream) {
    let mut buffer = Vec::with_capacity(8 * 1024);
    loop {
        let number = work.next.replace(work.next.get() + 1);
        let Some(request) = (work.requests)(number) else { return };
        let due = match work.pace {
            Pace::Closed => Instant::now(),
            Pace::Open(rate) => work.start + Duration::from_secs_f64(number as f64 / rate),
        };
        if due >= work.end {
            return;
        }
        if let Pace::Open(_) = work.pace {
            sleep_until(due.into()).await;
        }
        let answered = ask(&mut stream, &request, &mut buffer).await;
        match answered {
            Ok(200..=299) => work.seen.borrow_mut().latencies.push(due.elapsed()),
            _ => work.seen.borrow_mut().failed += 1,
        }
        if answered.is_err() {
            let Ok(again) = connect(&work.address).await else { return };
            stream = again;
        }
    }
}

/// The status of the answer.
async fn ask(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> io::Result<u16> {
    stream.write_all(request).await?;
    answer::read(stream, buffer).await
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
