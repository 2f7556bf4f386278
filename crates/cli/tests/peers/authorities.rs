//! Timestamps and keyless certificates of Signet, judged by OpenSSL and cosign 3.1.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::Value;
use signet_testkit::{Outcome, Peer, RegistryServer, Sandbox, Service, peers, request};

use crate::signet;

#[test]
fn openssl_accepts_our_timestamps_and_no_tampered_ones() {
    let Some([openssl]) = peers(["openssl"]) else { return };
    let sandbox = Sandbox::new();
    let tsa = Authority::start(&sandbox, "tsa");
    sandbox.write("data", "data");
    sandbox.write("chain.pem", tsa.get("/api/v1/timestamp/certchain"));
    for (digest, certificate) in [("-sha256", true), ("-sha384", true), ("-sha512", false)] {
        let with = if certificate { &["-cert"][..] } else { &[] };
        let query = [&["ts", "-query", "-data", "data", digest, "-out", "query"], with].concat();
        sandbox.run(&openssl, &query).succeeds();
        sandbox.write("reply", tsa.stamp(&sandbox.read("query")));
        openssl_verifies(&sandbox, &openssl, "query").succeeds();
    }
    let mut tampered = sandbox.read("reply");
    *tampered.last_mut().unwrap() ^= 1;
    sandbox.write("reply", tampered);
    openssl_verifies(&sandbox, &openssl, "query").refuses_saying(&["FAILED"]);
    sandbox.run(&openssl, &["ts", "-query", "-data", "data", "-sha1", "-out", "query"]).succeeds();
    sandbox.write("reply", tsa.stamp(&sandbox.read("query")));
    let text = sandbox.run(&openssl, &["ts", "-reply", "-in", "reply", "-text"]).succeeds();
    assert!(text.says("unrecognized or unsupported algorithm identifier"), "{text}");
}

fn openssl_verifies(sandbox: &Sandbox, openssl: &Peer, query: &str) -> Outcome {
    let chain = ["-CAfile", "chain.pem", "-untrusted", "chain.pem"];
    sandbox.run(openssl, &[&["ts", "-verify", "-queryfile", query, "-in", "reply"][..], &chain].concat())
}

/// The real client of Sigstore, with nothing changed but its trust root and signing config; it demands a
/// certificate-transparency promise.
#[test]
fn cosign_signs_and_verifies_keyless_with_our_authorities() {
    let Some([cosign]) = peers(["cosign"]) else { return };
    let sandbox = Sandbox::new();
    let (ca, tsa) = (Authority::start(&sandbox, "ca"), Authority::start(&sandbox, "tsa"));
    trust_and_config(&sandbox, &cosign, &ca, &tsa);
    let registry = RegistryServer::signet(signet());
    let repository = registry.repository("app");
    let image = repository.at(&repository.push_image("1", "content"));
    let workflow = "https://github.com/o/r/.github/workflows/w.yml@refs/heads/main";
    let token = ca.token(&sandbox, &["--github", "o/r", "--workflow", "w.yml"]);
    let sign = ["sign", "--signing-config", "config.json", "--allow-http-registry", "-y"];
    let sign = [&sign[..], &["--trusted-root", "root.json", "--identity-token", &token, &image]].concat();
    sandbox.run(&cosign, &sign).succeeds();
    let verify = |identity: &str, kind: &str| {
        let issuer = format!("{}/oidc-dev/{kind}", ca.url());
        let identity = ["--certificate-identity", identity, "--certificate-oidc-issuer", &issuer];
        let proofs = ["--insecure-ignore-tlog", "--use-signed-timestamps", "--allow-http-registry"];
        let args = [&["verify", "--trusted-root", "root.json"][..], &identity, &proofs, &[&image]].concat();
        sandbox.run(&cosign, &args)
    };
    verify(workflow, "github").succeeds();
    verify("https://github.com/o/other", "github").refuses_saying(&["no matching", "no signatures found"]);
    verify(workflow, "gitlab").refuses_saying(&["no matching", "no signatures found"]);
    // A root with another log of certificates: the promise is nobody's.
    let elsewhere = Sandbox::new();
    let other = Authority::start(&elsewhere, "ca");
    std::fs::copy(other.log_key(), sandbox.path("ct.key")).unwrap();
    write_root(&sandbox, &cosign, &ca, &tsa);
    verify(workflow, "github").refuses_saying(&["SCT", "unable to verify", "no signatures found"]);
}

const START: &str = "start-time=2026-01-01T00:00:00Z";

fn trust_and_config(sandbox: &Sandbox, cosign: &Peer, ca: &Authority, tsa: &Authority) {
    let bundle: Value = serde_json::from_slice(&ca.get("/api/v2/trustBundle")).unwrap();
    let chain = bundle["chains"][0]["certificates"].as_array().unwrap();
    sandbox.write("ca.pem", chain.iter().map(|pem| pem.as_str().unwrap()).collect::<String>());
    sandbox.write("tsa.pem", tsa.get("/api/v1/timestamp/certchain"));
    std::fs::copy(ca.log_key(), sandbox.path("ct.key")).unwrap();
    write_root(sandbox, cosign, ca, tsa);
    let fulcio = format!("url={},api-version=1,{START},operator=signet", ca.url());
    let tsa = format!("url={}/api/v1/timestamp,api-version=1,{START},operator=signet", tsa.url());
    let config = ["signing-config", "create", "--fulcio", &fulcio, "--tsa", &tsa, "--tsa-config", "ANY"];
    sandbox.run(cosign, &[&config[..], &["--out", "config.json"]].concat()).succeeds();
}

fn write_root(sandbox: &Sandbox, cosign: &Peer, ca: &Authority, tsa: &Authority) {
    let key = sandbox.run(signet(), &["keys", "export-public", "--key", "ct.key"]).succeeds();
    sandbox.write("ct.pub", key.stdout);
    let fulcio = format!("url={},certificate-chain=ca.pem", ca.url());
    let log = format!("url=http://ct.example,public-key=ct.pub,{START}");
    let tsa = format!("url={}/api/v1/timestamp,certificate-chain=tsa.pem", tsa.url());
    let root = ["trusted-root", "create", "--fulcio", &fulcio, "--ctfe", &log, "--tsa", &tsa];
    sandbox.run(cosign, &[&root[..], &["--out", "root.json"]].concat()).succeeds();
}

/// `signet serve KIND --dev`, with its data in the sandbox.
struct Authority {
    service: Service,
    data: String,
}

impl Authority {
    fn start(sandbox: &Sandbox, kind: &str) -> Self {
        let data = sandbox.path(kind).display().to_string();
        let service = Service::start(signet(), sandbox, &["serve", kind, "--data", &data, "--dev"]);
        Self { service, data }
    }

    fn url(&self) -> &str {
        self.service.said("url")
    }

    fn get(&self, path: &str) -> Vec<u8> {
        let answer = request(self.service.address(), "GET", path, &[], &[]).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        answer.body
    }

    fn stamp(&self, query: &[u8]) -> Vec<u8> {
        let headers = [("content-type", "application/timestamp-query")];
        request(self.service.address(), "POST", "/api/v1/timestamp", &headers, query).unwrap().body
    }

    fn token(&self, sandbox: &Sandbox, bearer: &[&str]) -> String {
        let args = [&["dev-token", "--data", &self.data][..], bearer].concat();
        sandbox.run(signet(), &args).succeeds().stdout.trim().to_owned()
    }

    /// The key of the log of certificates.
    fn log_key(&self) -> String {
        format!("{}/ct/keys/p256.key", self.data)
    }
}
