//! What no program that does the work can go below on this machine.

use std::hint::black_box;
use std::io::{Read, Write};
use std::iter;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use signet_crypto::{KeyAlgorithm, PublicKey, Scheme};
use signet_keys::{Payload, PrivateKey};
use signet_testkit::request as ask;

use super::measure::{self, cpu_microseconds, median, milliseconds};

/// Milliseconds of a process that does nothing.
pub(super) fn process() -> f64 {
    middle(|| measure::process(Command::new("true")).value)
}

/// Milliseconds of one request to a registry, with its connection.
pub(super) fn request(address: &str) -> f64 {
    middle(|| {
        let start = Instant::now();
        let answer = ask(address, "GET", "/v2/", &[], &[]).expect("the registry answers");
        assert_eq!(answer.status, 200, "{answer:?}");
        milliseconds(start)
    })
}

/// Milliseconds of as many checks of P-256 signatures, on one core.
pub(super) fn checks(count: usize) -> f64 {
    let check = check();
    middle(|| {
        let start = Instant::now();
        (0..count).for_each(|_| check());
        milliseconds(start)
    })
}

/// How many checks of P-256 signatures a second of CPU time is enough for until `done`, each by another key, which is read for it:
/// what a log that takes keyless signatures cannot do without.
pub(super) fn checks_a_cpu_second(done: &AtomicBool) -> f64 {
    let signed: Vec<(Vec<u8>, Vec<u8>)> = (0..CHECKS).map(|_| signed()).collect();
    let check = |(spki, signature): &(Vec<u8>, Vec<u8>)| {
        let key = PublicKey::from_spki_der(spki).expect("it is a key");
        black_box(key.verify(SCHEME, MESSAGE, signature)).expect("it is the signature");
    };
    let times = iter::from_fn(|| {
        let is_done = done.load(Ordering::Relaxed);
        (!is_done).then(|| cpu_microseconds(1, || signed.iter().for_each(check)))
    });
    let times: Vec<f64> = times.collect();
    (CHECKS * times.len()) as f64 * 1e6 / times.iter().sum::<f64>()
}

fn check() -> impl Fn() {
    let (spki, signature) = signed();
    let key = PublicKey::from_spki_der(&spki).expect("it is a key");
    move || black_box(key.verify(SCHEME, MESSAGE, &signature)).expect("it is the signature")
}

/// A new key, and its signature.
fn signed() -> (Vec<u8>, Vec<u8>) {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key can be made");
    let signature = key.sign(SCHEME, Payload::Message(MESSAGE)).expect("a key can sign");
    (key.public_key().spki_der().to_vec(), signature)
}

/// Answers every request with the same `body`, on a free port of loopback and for as long as this
/// process lives; the address.
pub(super) fn canned(body: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound listener has an address").to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = [head.as_bytes(), body].concat();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let answer = answer.clone();
            // It ends when its client goes.
            thread::spawn(move || answer_all(client, &answer));
        }
    });
    address
}

/// A load generator sends a request when it has the last answer, so each read is one request.
fn answer_all(mut client: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut request = [0; 4096];
    while client.read(&mut request)? > 0 {
        client.write_all(answer)?;
    }
    Ok(())
}

fn middle(once: impl Fn() -> f64) -> f64 {
    let times: Vec<f64> = (0..REPEATS).map(|_| once()).collect();
    median(&times)
}

const REPEATS: usize = 15;
const CHECKS: usize = 500;
const SCHEME: Scheme = Scheme::EcdsaP256Sha256;
const MESSAGE: &[u8] = b"message";
