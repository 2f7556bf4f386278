//! A double of Rekor v1, and its HTTP face.

mod log;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value, json};

pub use log::RekorV1Log;

/// A running log. Its thread ends with the process.
pub struct RekorV1Server {
    address: String,
    log: Arc<Mutex<RekorV1Log>>,
}

impl RekorV1Server {
    /// An empty log.
    ///
    /// # Panics
    /// If loopback has no free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address").to_string();
        let log = Arc::new(Mutex::new(RekorV1Log::new()));
        let served = Arc::clone(&log);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that hangs up has what it wanted.
                let _ = serve(stream, &served);
            }
        });
        Self { address, log }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The log as a trusted root has it.
    pub fn root(&self) -> Value {
        self.log().root()
    }

    /// What it serves.
    pub fn log(&self) -> MutexGuard<'_, RekorV1Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(stream: TcpStream, log: &Mutex<RekorV1Log>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let target =
        head.split(' ').nth(1).and_then(|target| target.strip_prefix("/api/v1/")).unwrap_or_default();
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, location, answer) = match (head.starts_with("POST "), log.get(target)) {
        (true, _) if target == "log/entries/retrieve" => (200, None, log.retrieve(&body)),
        (true, _) => log.post(&body),
        (false, Some(answer)) => (200, None, answer),
        (false, None) => (404, None, json!({"code": 404, "message": "there is nothing here"})),
    };
    let location = location.map_or(String::new(), |location| format!("Location: {location}\r\n"));
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{location}\r\n",
        answer.len()
    );
    reader.into_inner().write_all([head.as_bytes(), answer.as_bytes()].concat().as_slice())
}
