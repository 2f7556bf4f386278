//! The transparency log under load, beside Tessera's and Rekor's.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signet_crypto::KeyAlgorithm;
use signet_keys::PrivateKey;
use signet_testkit::{NoteKey, Peer, Program, Sandbox, Service, free_address, log_request, peers};

use super::load::{A_CPU_SECOND, Load, Pace, Requests, made, post};
use super::measure::{Contestant, Sample, Series, alternate};
use super::row::{Reach, Row};
use super::served::Served;
use super::{floor, stage};

/// Entries of 1 KiB by Tessera's own load tester, which follows the log and checks its proofs meanwhile.
pub(super) fn opaque(runs: usize) -> Vec<Row> {
    let Some([hammer, tessera]) = peers(["tessera-hammer", "tessera-conformance-posix"]) else {
        return Vec::new();
    };
    let series = alternate(
        runs,
        vec![
            Contestant::new("Signet", |_| {
                let (sandbox, log) = signet_log(&["--opaque"]);
                hammered(&hammer, &sandbox, log.address(), &key_of(&log), log.id())
            }),
            Contestant::new("Tessera POSIX", |_| {
                let (sandbox, key) = (Sandbox::new(), NoteKey::new(ORIGIN));
                let address = free_address();
                let mut command = sandbox.command(&tessera);
                command.args(["--antispam", "--storage_dir", "log", "--listen", &address]);
                let log = Program::start(command.env("LOG_PRIVATE_KEY", &key.secret), &address);
                hammered(&hammer, &sandbox, &address, &key.public, log.id())
            }),
        ],
    );
    let work = "entries of 1 KiB by tessera-hammer, 512 writers, deduplication on";
    let row = Row::new("log-opaque", work, "entries/s", series);
    let peak = row.signet().peak_mib().unwrap_or(f64::NAN);
    let row = row.a_cpu_second("Tessera POSIX", 2.0).ratio("Tessera POSIX", Reach::AtLeast(1.5));
    vec![row.reach("peak MiB", peak, Reach::AtMost(128.0))]
}

/// Writes until the log has so many entries.
fn hammered(hammer: &Peer, sandbox: &Sandbox, address: &str, key: &str, server: u32) -> Sample {
    let mut command = sandbox.command(hammer);
    command.args([format!("--log_public_key={key}"), format!("--log_url=http://{address}/")]);
    command.args(["--num_writers=512", "--max_write_ops=1000000", "--leaf_min_size=1024", "--show_ui=false"]);
    command.args([format!("--leaf_write_goal={HAMMERED}"), "--max_runtime=5m".to_owned()]);
    let sample = Served::new(server).during(|| Sample::of(HAMMERED as f64 / seconds(&mut command)));
    let cpu_seconds = sample.cpu_ms.unwrap_or(f64::NAN) / 1e3;
    sample.with(A_CPU_SECOND, HAMMERED as f64 / cpu_seconds)
}

/// Signatures over 3,000 connections, each client with one request after the other; then 2,000 a second.
pub(super) fn hashedrekord(runs: usize) -> Vec<Row> {
    let requests = made((0..MOST_SIGNATURES).map(|_| signature_request()));
    let open = open_loop(&requests, runs);
    let Some([rekor, openssl]) = peers(["rekor-server-posix", "openssl"]) else { return vec![open] };
    let series = alternate(
        runs,
        vec![
            Contestant::new("Signet", |_| {
                let (_sandbox, log) = signet_log(&[]);
                closed(log.address(), &requests).on(&Served::new(log.id()))
            }),
            Contestant::new("Rekor v2 POSIX", |_| {
                let sandbox = Sandbox::new();
                let (log, address) = rekor_log(&rekor, &sandbox);
                closed(&address, &requests).on(&Served::new(log.id()))
            }),
            Contestant::new(OPENSSL_CHECKS, |_| beside(&requests, |_| openssl_checks(&openssl))),
            Contestant::new(OWN_CHECKS, |_| beside(&requests, floor::checks_a_cpu_second)),
        ],
    );
    vec![hashedrekord_row(series), open]
}

/// Counts `checks` a CPU second while a log is written to, and what part of them it takes entries in one of its own. What the host
/// gives changes from second to second, and so meets both alike.
fn beside(requests: &Requests, checks: impl FnOnce(&AtomicBool) -> f64 + Send) -> Sample {
    let (_sandbox, log) = signet_log(&[]);
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        let checks = threads.spawn(|| checks(&done));
        let seen = closed(log.address(), requests).on(&Served::new(log.id()));
        done.store(true, Ordering::Relaxed);
        let checks = checks.join().expect("checks are counted");
        let accepted = seen.more.get(A_CPU_SECOND).copied().unwrap_or(f64::NAN);
        Sample::of(checks).with(PART, accepted / checks)
    })
}

fn hashedrekord_row(series: Vec<Series>) -> Row {
    let work = "P-256 signatures checked and logged, 3,000 connections, closed loop";
    let row = Row::new("log-hashedrekord", work, "accepted/s", series);
    let figures: Vec<(String, f64)> = ["Signet", "Rekor v2 POSIX"]
        .iter()
        .flat_map(|name| {
            let series = row.of(name);
            ["p50_ms", "p99_ms", "other answers", A_CPU_SECOND]
                .map(|seen| (format!("{seen}, {name}"), series.more(seen)))
        })
        .collect();
    let row = row.ratio("Rekor v2 POSIX", Reach::AtLeast(8.0));
    let row = [OPENSSL_CHECKS, OWN_CHECKS].iter().fold(row, |row, checks| {
        let part = row.of(checks).more(PART);
        row.reach(&format!("accepted a CPU second / {checks} meanwhile"), part, Reach::AtLeast(0.6))
    });
    figures.iter().fold(row, |row, (what, value)| row.figure(what, *value))
}

/// By its own benchmark, which counts CPU time: for some seconds signatures, then for as many their checks.
fn openssl_checks(openssl: &Peer) -> f64 {
    let sandbox = Sandbox::new();
    let mut speed = sandbox.command(openssl);
    let output = speed.args(["speed", "-mr", "-seconds", "4", "ecdsap256"]).output().expect("openssl runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    // `+F4:…:256:SIGNATURES:CHECKS`, each a second.
    let checks =
        printed.lines().find(|line| line.starts_with("+F4:")).and_then(|line| line.rsplit(':').next());
    checks.and_then(|checks| checks.parse().ok()).unwrap_or_else(|| panic!("openssl said `{printed}`"))
}

fn open_loop(requests: &Requests, runs: usize) -> Row {
    let offered = |(_sandbox, log): (Sandbox, Service)| {
        let load = Load { pace: Pace::Open(2_000.0), clients: 512, ..closed(log.address(), requests) };
        load.on(&Served::new(log.id()))
    };
    let series = alternate(runs, vec![Contestant::new("Signet", |_| offered(signet_log(&[])))]);
    let work = "P-256 signatures checked and logged, 2,000/s offered, open loop";
    let row = Row::new("log-hashedrekord-open", work, "accepted/s", series);
    let [p50, p99] = ["p50_ms", "p99_ms"].map(|seen| row.signet().more(seen));
    row.reach("p99 ms", p99, Reach::AtMost(150.0)).figure("p50 ms", p50)
}

fn closed<'a>(address: &'a str, requests: &Requests) -> Load<'a> {
    Load { address, requests: Requests::clone(requests), clients: 3_000, pace: Pace::Closed, most: FOR }
}

/// Signed by a key of its own, as keyless signatures are.
fn signature_request() -> Vec<u8> {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key can be made");
    post("/api/v2/log/entries", "application/json", log_request(&key, key.public_key().spki_der()).as_bytes())
}

/// A new log of Signet's, in a directory of its own.
fn signet_log(options: &[&str]) -> (Sandbox, Service) {
    let sandbox = Sandbox::new();
    let log = serve_log(&sandbox, options);
    (sandbox, log)
}

/// The log of Signet's in the directory `log` of a sandbox.
pub(super) fn serve_log(sandbox: &Sandbox, options: &[&str]) -> Service {
    let serve = ["serve", "log", "--data", "log", "--origin", ORIGIN];
    Service::start(&stage::signet(), sandbox, &[&serve[..], options].concat())
}

/// The first key that a log said.
pub(super) fn key_of(log: &Service) -> String {
    let document: serde_json::Value = serde_json::from_str(log.printed()).expect("it printed a document");
    let key = document.pointer("/keys/0").and_then(|key| key.as_str());
    key.expect("a log has a key").to_owned()
}

/// Rekor as it is faster than by default: a checkpoint a second.
fn rekor_log(rekor: &Peer, sandbox: &Sandbox) -> (Program, String) {
    sandbox.write("rekor.pem", NoteKey::new(ORIGIN).pem);
    let [address, grpc, metrics] = [(); 3].map(|()| free_address());
    let ports = [("http", &address), ("grpc", &grpc), ("http-metrics", &metrics)];
    let mut command = sandbox.command(rekor);
    command.args(["serve", "--storage-dir=log", "--signer-filepath=rekor.pem", "--checkpoint-interval=1s"]);
    command.args(ports.map(|(what, address)| format!("--{what}-port={}", stage::port_of(address))));
    command.args([&format!("--hostname={ORIGIN}"), "--persistent-antispam", "--log-level=error"]);
    (Program::start(&mut command, &address), address)
}

/// How long a program took that has to succeed.
fn seconds(command: &mut Command) -> f64 {
    let start = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {:?}\n{said}", output.status);
    start.elapsed().as_secs_f64()
}

const ORIGIN: &str = "log.example.org";
const OPENSSL_CHECKS: &str = "P-256 checks of OpenSSL a CPU second";
const OWN_CHECKS: &str = "P-256 checks of our own provider a CPU second";
const PART: &str = "accepted a CPU second / checks";
/// The load tester looks once a second whether it is done: enough that a second more or less says little.
const HAMMERED: u64 = 250_000;
/// More than any server takes in the time.
const MOST_SIGNATURES: usize = 250_000;
const FOR: Duration = Duration::from_secs(10);
