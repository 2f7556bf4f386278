//! How many requests commands make, counted by a proxy that only counts.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use signet_testkit::{RegistryServer, peers};

use crate::{run, signet, with_keys};

#[test]
fn one_signature_costs_four_requests_to_verify_and_nine_to_make() {
    let server = RegistryServer::signet(signet());
    assert_eq!(requests(&server), Counted { sign: 9, sign_index: 21, verify: 4 });
}

#[test]
fn without_a_referrers_api_verifying_costs_five_requests() {
    let Some([registry]) = peers(["docker-registry"]) else { return };
    let counted = requests(&RegistryServer::docker(&registry));
    assert_eq!(counted.verify, 5, "{counted:?}");
}

#[derive(Debug, PartialEq, Eq)]
struct Counted {
    /// Signing an image of one platform, the first in its repository.
    sign: usize,
    /// Signing an index of two platforms, the first in its repository.
    sign_index: usize,
    /// Verifying an image that has one signature.
    verify: usize,
}

fn requests(server: &RegistryServer) -> Counted {
    let (sandbox, proxy) = (with_keys(), Proxy::to(server.address()));
    let count = |args: &[&str]| {
        proxy.requests.store(0, Ordering::SeqCst);
        run(&sandbox, args).exits(0);
        proxy.requests.load(Ordering::SeqCst)
    };
    server.repository("one").push_image("1", "content");
    server.repository("index").push_index("1", "content");
    let image = |name: &str| format!("{}/{name}:1", proxy.address);
    Counted {
        sign: count(&["sign", "--key", "my.key", &image("one")]),
        sign_index: count(&["sign", "--key", "my.key", &image("index")]),
        verify: count(&["verify", "--key", "my.pub", &image("one")]),
    }
}

struct Proxy {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy that lives as long as the test's process.
    fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address").to_string();
        let requests = Arc::<AtomicUsize>::default();
        let (count, server) = (Arc::clone(&requests), server.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).expect("the registry is there");
                let (from_client, to_client) = (client.try_clone(), client);
                let (from_server, to_server) = (server.try_clone(), server);
                let count = Arc::clone(&count);
                thread::spawn(move || {
                    carry(from_client, to_server, |bytes| {
                        count.fetch_add(request_lines(bytes), Ordering::SeqCst);
                    })
                });
                thread::spawn(move || carry(from_server, to_client, |_| ()));
            }
        });
        Self { address, requests }
    }
}

/// Carries bytes until either side is done. A client writes the head of a request at once.
fn carry(from: std::io::Result<TcpStream>, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let Ok(mut from) = from else { return };
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let bytes = buffer.get(..read).unwrap_or_default();
        see(bytes);
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    // The other side may have closed already.
    let _ = to.shutdown(Shutdown::Write);
}

fn request_lines(bytes: &[u8]) -> usize {
    bytes.windows(11).filter(|window| window == b" HTTP/1.1\r\n").count()
}
