//! A registry that answers as a test tells it to, over HTTP or HTTPS.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A running server; it stops when it is dropped.
pub(crate) struct Double {
    pub(crate) address: String,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Double {
    /// Answers each request, given as `METHOD TARGET`, with what `answer` says goes over the wire.
    pub(crate) fn http(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        Self::start(move |stream| serve(stream, &answer))
    }

    /// The same over TLS.
    pub(crate) fn https(config: ServerConfig, answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let config = Arc::new(config);
        Self::start(move |stream| {
            let tls = ServerConnection::new(Arc::clone(&config)).expect("the configuration is whole");
            serve(StreamOwned::new(tls, stream), &answer);
        })
    }

    /// Answers whatever comes with these bytes, also where it is no HTTP.
    pub(crate) fn plain_to_all(answer: &'static [u8]) -> Self {
        Self::start(|mut stream| {
            let heard = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(answer));
            let _ = heard.and_then(|()| stream.read(&mut [0]));
        })
    }

    /// A tagged image.
    pub(crate) fn image(&self) -> String {
        format!("{}/app:v1", self.address)
    }

    fn start(meet: impl Fn(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address").to_string();
        let stopped = Arc::<AtomicBool>::default();
        let stop = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                meet(stream);
            }
        });
        Self { address, stopped, thread: Some(thread) }
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The last visitor, so that it sees that it is to stop.
        let _ = TcpStream::connect(&self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// An answer with this status, these headers and this body.
pub(crate) fn reply(status: u16, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// One request and its answer; a client that goes away in the middle is none of the server's business.
fn serve(mut stream: impl Read + Write, answer: &impl Fn(&str) -> String) {
    let Some(line) = request(&mut stream) else { return };
    let answer = answer(&line);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let body = if line.starts_with("HEAD") { "" } else { body };
    let sent = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).and_then(|()| stream.flush());
    if sent.is_ok() {
        let _ = stream.read(&mut [0]);
    }
}

/// Reads a request to its end; answers its method and target.
fn request(stream: &mut impl Read) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let head = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let head: Vec<String> = head.collect();
    let value =
        |line: &String| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok();
    let length: u64 = head.iter().find_map(value).unwrap_or(0);
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()?;
    head.first()?.strip_suffix(" HTTP/1.1").map(str::to_owned)
}
