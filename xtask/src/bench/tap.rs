//! Counting requests on their way to a server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A relay on loopback that keeps what clients say. Its threads end with the process.
pub(super) struct Tap {
    address: SocketAddr,
    said: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    /// A relay to the server at `target`.
    pub(super) fn before(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (target, kept) = (target.to_owned(), Arc::clone(&said));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&target).expect("the server listens");
                relay(client, server, &kept);
            }
        });
        Self { address, said }
    }

    /// `127.0.0.1:PORT`.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many requests there were since the last time this was asked.
    pub(super) fn requests(&self) -> f64 {
        let said = std::mem::take(&mut *self.said.lock().expect("no holder panics"));
        let version = b" HTTP/1.1\r\n";
        said.windows(version.len()).filter(|window| window == version).count() as f64
    }
}

fn relay(client: TcpStream, server: TcpStream, said: &Arc<Mutex<Vec<u8>>>) {
    let (from_client, to_client) = (client.try_clone().expect("a socket has two ends"), client);
    let (from_server, to_server) = (server.try_clone().expect("a socket has two ends"), server);
    let said = Arc::clone(said);
    thread::spawn(move || {
        copy(from_client, to_server, |bytes| said.lock().expect("no holder panics").extend_from_slice(bytes));
    });
    thread::spawn(move || copy(from_server, to_client, |_| {}));
}

/// Until either side has had enough.
fn copy(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..read).unwrap_or_default();
        see(bytes);
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    // The other side may be gone already.
    let _ = to.shutdown(Shutdown::Write);
}
