//! How many requests commands make, counted by a relay.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::thread;

use signet_testkit::{RegistryServer, Tap, peers};

use crate::{run, signet, with_keys};

#[test]
fn one_signature_costs_four_requests_to_verify_and_seven_to_make() {
    let server = RegistryServer::signet(signet());
    assert_eq!(requests(&server), Counted { sign: 7, sign_index: 17, verify: 4 });
}

#[test]
fn without_a_referrers_api_verifying_costs_five_requests() {
    let Some([registry]) = peers(["docker-registry"]) else { return };
    let counted = requests(&RegistryServer::docker(&registry));
    assert_eq!(counted.verify, 5, "{counted:?}");
}

/// One after the other they take the time of one request more.
#[test]
fn an_image_named_by_its_digest_is_read_while_its_signatures_are() {
    for command in [["sign", "--key", "my.key"], ["verify", "--key", "my.pub"]] {
        let (sandbox, listener) = (with_keys(), TcpListener::bind("127.0.0.1:0").unwrap());
        let digest = format!("sha256:{}", "0".repeat(64));
        let address = listener.local_addr().unwrap();
        let image = format!("{address}/app@{digest}");
        // Nobody is answered: a client that waits for the first answer asks the same again.
        let asked = thread::spawn(move || {
            let clients = [(); 2].map(|()| listener.accept().unwrap().0);
            let mut asked = clients.each_ref().map(path);
            asked.sort();
            asked
        });
        run(&sandbox, &[&command[..], &["--timeout", "2s", &image]].concat()).exits(3);
        // Whoever still waits for a client gets one that asks for nothing.
        (0..2).for_each(|_| drop(TcpStream::connect(address)));
        assert_eq!(
            asked.join().unwrap(),
            ["manifests", "referrers"].map(|of| format!("/v2/app/{of}/{digest}"))
        );
    }
}

/// What a client asks for.
fn path(client: &TcpStream) -> String {
    let mut line = String::new();
    BufReader::new(client).read_line(&mut line).unwrap_or_default();
    line.split(' ').nth(1).unwrap_or_default().to_owned()
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
    let (sandbox, tap) = (with_keys(), Tap::before(server.address()));
    let count = |args: &[&str]| {
        run(&sandbox, args).exits(0);
        tap.requests()
    };
    server.repository("one").push_image("1", "content");
    server.repository("index").push_index("1", "content");
    let image = |name: &str| format!("{}/{name}:1", tap.address());
    Counted {
        sign: count(&["sign", "--key", "my.key", &image("one")]),
        sign_index: count(&["sign", "--key", "my.key", &image("index")]),
        verify: count(&["verify", "--key", "my.pub", &image("one")]),
    }
}
