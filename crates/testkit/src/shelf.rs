use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use signet_crypto::Digest;

/// A registry that gives what was put on it and asks for nothing: manifests whose blobs are absent
/// can lie here. Read only, without a referrers API; stopped when dropped.
#[derive(Debug)]
pub struct Shelf {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

type Content = BTreeMap<String, (String, Vec<u8>)>;

impl Shelf {
    /// Serves these: repository, reference (tag or `sha256:…` of a blob), media type, bytes. Manifests
    /// are also found by their digest.
    pub fn serve(entries: &[(&str, &str, &str, &[u8])]) -> Self {
        Self::of(|_| content(entries))
    }

    /// Serves JSON documents by their paths, which may name the address that they are at, `http://127.0.0.1:PORT`.
    pub fn of_documents(documents: impl FnOnce(&str) -> Vec<(String, Vec<u8>)>) -> Self {
        Self::of(|url| {
            let entry = |(path, bytes)| (path, ("application/json".to_owned(), bytes));
            documents(url).into_iter().map(entry).collect()
        })
    }

    fn of(content: impl FnOnce(&str) -> Content) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let stopped = Arc::new(AtomicBool::new(false));
        let content = content(&format!("http://{address}"));
        let flag = Arc::clone(&stopped);
        let thread = thread::spawn(move || answer_all(&listener, &content, &flag));
        Self { address, stopped, thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the accept; if the thread is gone already there is no one to wake.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn content(entries: &[(&str, &str, &str, &[u8])]) -> Content {
    let mut content = Content::from([("/v2/".to_owned(), ("application/json".to_owned(), b"{}".to_vec()))]);
    for (repository, reference, media_type, bytes) in entries {
        let value = ((*media_type).to_owned(), bytes.to_vec());
        let digest = Digest::sha256(bytes);
        for (kind, name) in
            [("manifests", *reference), ("manifests", &digest.to_string()), ("blobs", &digest.to_string())]
        {
            content.insert(format!("/v2/{repository}/{kind}/{name}"), value.clone());
        }
    }
    content
}

fn answer_all(listener: &TcpListener, content: &Content, stopped: &AtomicBool) {
    for stream in listener.incoming() {
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        // A client that goes away early is its own affair; its test sees what it got.
        let _ = stream.and_then(|stream| answer(stream, content));
    }
}

fn answer(stream: TcpStream, content: &Content) -> std::io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let mut words = request.split(' ');
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default().split('?').next().unwrap_or_default();
    let mut stream = &stream;
    let Some((media_type, bytes)) = content.get(path) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\
         Docker-Content-Digest: {}\r\nConnection: close\r\n\r\n",
        bytes.len(),
        Digest::sha256(bytes)
    );
    stream.write_all(head.as_bytes())?;
    if method == "GET" { stream.write_all(bytes) } else { Ok(()) }
}
