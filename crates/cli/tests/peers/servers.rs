//! Servers of other projects, as processes.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A server that is ready once somebody can connect. Stopped when dropped.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it and waits until it listens on the address.
    #[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    pub(crate) fn start(command: &mut Command, address: &str) -> Self {
        let mut running = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        while TcpStream::connect(address).is_err() {
            assert!(running.0.try_wait().unwrap().is_none(), "{command:?} has ended");
            thread::sleep(Duration::from_millis(20));
        }
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then the wait only reaps it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// So many ports that nobody listens on.
pub(crate) fn free_ports<const N: usize>() -> [String; N] {
    // All at once, so that they are different ones.
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("loopback has free ports"));
    listeners
        .map(|listener| listener.local_addr().expect("a bound listener has an address").port().to_string())
}
