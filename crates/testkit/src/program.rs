use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A server of another project. It is ready once somebody can connect; stopped, by its process, when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
}

impl Program {
    /// Starts it and waits until something listens at `address`.
    ///
    /// # Panics
    /// If it ends instead, or nothing listens for long.
    pub fn start(command: &mut Command, address: &str) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut program = Self { child: child.unwrap_or_else(|error| panic!("{command:?}: {error}")) };
        for _ in 0..POLLS {
            if TcpStream::connect(address).is_ok() {
                return program;
            }
            let ended = program.child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "{command:?} has ended: {ended:?}");
            thread::sleep(POLL);
        }
        panic!("{command:?} does not listen at {address}");
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop and the wait only reaps it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of loopback that nobody listens at now, for a server that cannot say which port it took.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address").to_string()
}

/// How often a starting server is asked, and how many times.
const POLL: Duration = Duration::from_millis(20);
const POLLS: u32 = 1_500;
