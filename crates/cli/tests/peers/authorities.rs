//! Keyless certificates of Signet, judged by OpenSSL and cosign 3.1.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::{Value, json};
use signet_formats::base64;
use signet_testkit::{Outcome, Peer, RegistryServer, Sandbox, Service, peers, request};

use crate::signet;

/// OpenSSL makes the request, and reads what comes of it.
#[test]
fn openssl_accepts_our_certificates_and_no_tampered_ones() {
    let Some([openssl]) = peers(["openssl"]) else { return };
    let sandbox = Sandbox::new();
    let ca = Authority::start(&sandbox, "ca");
    let run = |args: &[&str]| sandbox.run(&openssl, args);
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"];
    run(&[&["req", "-new", "-subj", "/CN=ignored", "-out", "request.pem"], &key[..]].concat()).succeeds();
    let token = ca.token(&sandbox, &["--email", "a@b.c"]);
    let (own, above) = ca.certify(&token, &sandbox.read("request.pem"));
    sandbox.write("own.pem", &own);
    sandbox.write("above.pem", above.concat());
    sandbox.write("root.pem", above.last().unwrap());
    let verify = |file: &str| run(&["verify", "-CAfile", "root.pem", "-untrusted", "above.pem", file]);
    verify("own.pem").succeeds();
    let text = run(&["x509", "-in", "own.pem", "-noout", "-text"]).succeeds().stdout;
    for said in [
        "Digital Signature",
        "Code Signing",
        "email:a@b.c",
        "CT Precertificate SCTs",
        "Version   : v1 (0x0)",
        "ecdsa-with-SHA256",
        "1.3.6.1.4.1.57264.1.8",
        "Subject: \n",
    ] {
        assert!(text.contains(said), "no `{said}`: {text}");
    }
    assert_eq!(validity(&run(&["x509", "-in", "own.pem", "-noout", "-startdate", "-enddate"])), 10);

    run(&["x509", "-in", "own.pem", "-outform", "der", "-out", "own.der"]).succeeds();
    let mut tampered = sandbox.read("own.der");
    *tampered.last_mut().unwrap() ^= 1;
    sandbox.write("own.der", tampered);
    verify("own.der").refuses_saying(&["certificate signature failure"]);
    let other = Authority::start_in(&sandbox, "ca", "other");
    let (_, others) =
        other.certify(&other.token(&sandbox, &["--email", "a@b.c"]), &sandbox.read("request.pem"));
    sandbox.write("root.pem", others.last().unwrap());
    sandbox.write("above.pem", others.concat());
    verify("own.pem").refuses_saying(&["unable to get local issuer certificate"]);
}

/// How long a certificate is valid by the two lines of OpenSSL, in minutes.
fn validity(dates: &Outcome) -> i64 {
    let minute = |line: &str| {
        let time: Vec<i64> =
            line.split_whitespace().nth(2).unwrap().split(':').map(|part| part.parse().unwrap()).collect();
        time[0] * 60 + time[1]
    };
    let mut minutes = dates.stdout.lines().map(minute);
    let (start, end) = (minutes.next().unwrap(), minutes.next().unwrap());
    // It may span midnight.
    (end - start).rem_euclid(24 * 60)
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

pub(crate) const START: &str = "start-time=2026-01-01T00:00:00Z";

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
pub(crate) struct Authority {
    service: Service,
    data: String,
}

impl Authority {
    pub(crate) fn start(sandbox: &Sandbox, kind: &str) -> Self {
        Self::start_in(sandbox, kind, kind)
    }

    /// With its data in this directory of the sandbox.
    pub(crate) fn start_in(sandbox: &Sandbox, kind: &str, data: &str) -> Self {
        Self::start_with(sandbox, kind, data, &[])
    }

    /// And with these options.
    pub(crate) fn start_with(sandbox: &Sandbox, kind: &str, data: &str, options: &[&str]) -> Self {
        let data = sandbox.path(data).display().to_string();
        let serve = ["serve", kind, "--data", &data, "--dev"];
        let service = Service::start(signet(), sandbox, &[&serve[..], options].concat());
        Self { service, data }
    }

    pub(crate) fn url(&self) -> &str {
        self.service.said("url")
    }

    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        let answer = request(self.service.address(), "GET", path, &[], &[]).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        answer.body
    }

    pub(crate) fn stamp(&self, query: &[u8]) -> Vec<u8> {
        let headers = [("content-type", "application/timestamp-query")];
        request(self.service.address(), "POST", "/api/v1/timestamp", &headers, query).unwrap().body
    }

    pub(crate) fn token(&self, sandbox: &Sandbox, bearer: &[&str]) -> String {
        let args = [&["dev-token", "--data", &self.data][..], bearer].concat();
        sandbox.run(signet(), &args).succeeds().stdout.trim().to_owned()
    }

    /// The certificate for a request in PEM, and those above it.
    fn certify(&self, token: &str, request_pem: &[u8]) -> (String, Vec<String>) {
        let body = json!({
            "credentials": {"oidcIdentityToken": token},
            "certificateSigningRequest": base64::encode(request_pem),
        });
        let headers = [("content-type", "application/json")];
        let body = body.to_string();
        let answer =
            request(self.service.address(), "POST", "/api/v2/signingCert", &headers, body.as_bytes())
                .unwrap();
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        let chain = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"].as_array();
        let mut chain = chain.unwrap().iter().map(|pem| pem.as_str().unwrap().to_owned());
        (chain.next().unwrap(), chain.collect())
    }

    /// The key of the log of certificates.
    pub(crate) fn log_key(&self) -> String {
        format!("{}/ct/keys/p256.key", self.data)
    }
}
