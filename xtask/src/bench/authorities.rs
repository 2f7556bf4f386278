//! The timestamp authority and the keyless CA under load, beside those of Sigstore.

use std::time::Duration;

use serde_json::json;
use signet_crypto::{Digest, KeyAlgorithm, Scheme};
use signet_formats::base64;
use signet_formats::pem;
use signet_formats::timestamp::TimestampRequest;
use signet_keys::{Payload, PrivateKey};
use signet_services::oidc::dev::{Bearer, DevIssuer};
use signet_testkit::{Program, Sandbox, Service, free_address, peers};

use super::load::{Load, Pace, Requests, made, post};
use super::machine::seconds_since_1970;
use super::measure::{Contestant, alternate};
use super::row::{Reach, Row};
use super::served::Served;
use super::stage::{self, port_of};

/// Timestamps over 16 connections.
pub(super) fn tsa(runs: usize) -> Vec<Row> {
    let Some([timestamp_server]) = peers(["timestamp-server"]) else { return Vec::new() };
    let sandbox = Sandbox::new();
    let ours = Service::start(&stage::signet(), &sandbox, &["serve", "tsa", "--dev", "--data", "tsa"]);
    let address = free_address();
    let mut command = sandbox.command(&timestamp_server);
    command.args([
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        port_of(&address),
        "--timestamp-signer",
        "memory",
    ]);
    let theirs = Program::start(command.args(["--disable-ntp-monitoring", "--log-type", "prod"]), &address);
    let requests = made((0..MOST_TIMESTAMPS).map(timestamp_request));
    let load = |address| at_16(address, &requests);
    let series = alternate(
        runs,
        vec![
            Contestant::new("Signet", |_| load(ours.address()).on(&Served::new(ours.id()))),
            Contestant::new("timestamp-authority", |_| load(&address).on(&Served::new(theirs.id()))),
        ],
    );
    let row = Row::new("tsa", "RFC 3161 timestamps with certificates, 16 connections", "tokens/s", series);
    let p99 = row.signet().more("p99_ms");
    vec![row.a_cpu_second("timestamp-authority", 5.0).reach("p99 ms", p99, Reach::AtMost(5.0))]
}

fn timestamp_request(number: usize) -> Vec<u8> {
    let request = TimestampRequest {
        imprint: Digest::sha256(&number.to_be_bytes()),
        policy: None,
        nonce: Some(number as u64 + 1),
        with_certificates: true,
    };
    post("/api/v1/timestamp", "application/timestamp-query", &request.to_der())
}

/// Certificates with the promise of Signet's log of certificates, over 16 connections.
///
/// Fulcio issues by the same intermediate as Signet and logs in Signet's log, whose CPU time is not counted as Fulcio's.
pub(super) fn ca(runs: usize) -> Vec<Row> {
    let Some([fulcio]) = peers(["fulcio"]) else { return Vec::new() };
    let sandbox = Sandbox::new();
    let ours = Service::start(&stage::signet(), &sandbox, &["serve", "ca", "--dev", "--data", "ca"]);
    let url = ours.said("url");
    sandbox.write("fulcio.yaml", fulcio_config(&format!("{url}/oidc-dev/email")));
    let [address, grpc, metrics] = [(); 3].map(|()| free_address());
    let mut command = sandbox.command(&fulcio);
    command.args([
        "serve",
        "--host",
        "127.0.0.1",
        "--grpc-host",
        "127.0.0.1",
        "--config-path",
        "fulcio.yaml",
    ]);
    command.args([
        "--port",
        port_of(&address),
        "--grpc-port",
        port_of(&grpc),
        "--metrics-port",
        port_of(&metrics),
    ]);
    command.args(["--ca", "fileca", "--fileca-cert", "ca/intermediate-0.pem"]);
    command.args([
        "--fileca-key",
        "ca/intermediate-0.key",
        "--fileca-key-passwd",
        "none",
        "--log_type",
        "prod",
    ]);
    let log = format!("{url}{}", certificate_log(&sandbox));
    command.args(["--ct-log-url", &log]);
    let theirs = Program::start(&mut command, &address);
    let requests = made(certificate_requests(&sandbox));
    let load = |address| at_16(address, &requests);
    let series = alternate(
        runs,
        vec![
            Contestant::new("Signet", |_| load(ours.address()).on(&Served::new(ours.id()))),
            Contestant::new("Fulcio", |_| load(&address).on(&Served::new(theirs.id()))),
        ],
    );
    let work = "certificates for email tokens, logged in Signet's log of certificates, 16 connections";
    vec![Row::new("ca", work, "certificates/s", series).a_cpu_second("Fulcio", 3.0)]
}

/// The path of the log of certificates in the CA's directory.
fn certificate_log(sandbox: &Sandbox) -> String {
    let origin = signet_services::log::origin_of(&sandbox.path("ca/ct")).expect("the CA's log can be read");
    format!("/ct/{}", origin.expect("the CA has made a log"))
}

fn fulcio_config(issuer: &str) -> String {
    format!(
        "oidc-issuers:\n  {issuer}:\n    issuer-url: {issuer}\n    client-id: sigstore\n    type: email\n"
    )
}

/// Each with a key of its own, for so many people that none has too many certificates.
fn certificate_requests(sandbox: &Sandbox) -> impl Iterator<Item = Vec<u8>> {
    let issuer = DevIssuer::load(&sandbox.path("ca")).expect("the CA has an issuer");
    let now = i64::try_from(seconds_since_1970()).expect("the clock is of this age");
    let people: Vec<(String, String)> = (0..PEOPLE)
        .map(|person| {
            let address = format!("person{person}@example.com");
            let token = issuer.mint(&Bearer::Email(address.clone()), now).expect("a token can be made");
            (address, token)
        })
        .collect();
    (0..MOST_CERTIFICATES).map(move |number| {
        let (address, token) = people.get(number % PEOPLE).expect("it is one of them");
        certificate_request(address, token)
    })
}

fn certificate_request(address: &str, token: &str) -> Vec<u8> {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key can be made");
    let proof = key.sign(Scheme::EcdsaP256Sha256, Payload::Message(address.as_bytes())).expect("it signs");
    let body = json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": pem::encode("PUBLIC KEY", key.public_key().spki_der()) },
            "proofOfPossession": base64::encode(proof),
        },
    });
    post("/api/v2/signingCert", "application/json", body.to_string().as_bytes())
}

fn at_16<'a>(address: &'a str, requests: &Requests) -> Load<'a> {
    Load { address, requests: Requests::clone(requests), clients: 16, pace: Pace::Closed, most: FOR }
}

/// More than any server answers in the time.
const MOST_TIMESTAMPS: usize = 200_000;
const MOST_CERTIFICATES: usize = 12_000;
const PEOPLE: usize = 200;
const FOR: Duration = Duration::from_secs(4);
