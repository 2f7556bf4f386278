//! The stack of others: fulcio, Rekor v2 and Sigstore's timestamp authority. Only the issuer of tokens and the log of
//! certificates are Signet's, as nobody packages one; fulcio writes to that log and demands its promises, while it rotates too.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;

use serde_json::Value;
use signet_testkit::{
    NoteKey, Outcome, Peer, Program, RegistryServer, Sandbox, free_address, peers, request,
};

use crate::authorities::{Authority, START};
use crate::keyless::tampered;
use crate::log::public_pem;
use crate::{denied, signet};

const EMAIL: &str = "a@b.c";
/// Rekor's name; in the trusted root it is the host of a URL that nobody asks.
const REKOR: &str = "rekor.example.org";

#[test]
fn signet_and_cosign_sign_at_sigstores_own_services_and_verify_each_other() {
    let Some(stack) = Stack::start() else { return };
    let registry = RegistryServer::signet(signet());
    let repository = registry.repository("app");
    for (name, signer) in [("ours", signet()), ("theirs", stack.cosign.as_ref())] {
        if name == "theirs" {
            rotate(&stack.sandbox, &[]);
        }
        let image = repository.at(&repository.push_image(name, name));
        stack.sign(signer, &["sign", &image]).succeeds();
        stack.both(&["verify", &image], EMAIL, true);
        stack.both(&["verify", &image], "other@b.c", false);
        let bundle = format!("{name}.json");
        stack.sign(signer, &["sign-blob", "--bundle", &bundle, "file"]).succeeds();
        stack.both(&["verify-blob", "--bundle", &bundle, "file"], EMAIL, true);
        stack.both(&["verify-blob", "--bundle", &bundle, "changed"], EMAIL, false);
        for tampered in tampered(&stack.sandbox, &bundle) {
            stack.both(&["verify-blob", "--bundle", &tampered, "file"], EMAIL, false);
        }
    }
    for shard in &stack.shards {
        let checkpoint = stack.authority.get(&format!("/ct/{shard}/checkpoint"));
        let checkpoint = String::from_utf8(checkpoint).unwrap();
        assert_eq!(checkpoint.lines().nth(1), Some("2"), "all of fulcio's certificates are in the log");
    }
}

struct Stack {
    sandbox: Sandbox,
    cosign: Peer,
    authority: Authority,
    /// The names of those of the log of certificates, the first one that is written first.
    shards: [String; 2],
    _servers: [Program; 3],
}

impl Stack {
    /// `None` if a part of it is not there.
    fn start() -> Option<Self> {
        let [cosign, openssl, fulcio, rekor, tsa] =
            peers(["cosign", "openssl", "fulcio", "rekor-server-posix", "timestamp-server"])?;
        let sandbox = Sandbox::new();
        sandbox.write("file", "content");
        sandbox.write("changed", "changed");
        fulcio_root(&sandbox, &openssl);
        let authority = Authority::start_with(&sandbox, "ca", "ca", &["--ct-root", "fulcio.pem"]);
        let log: Value = serde_json::from_slice(&sandbox.read("ca/ct/log.json")).unwrap();
        let shards = [origin(&log), rotate(&sandbox, &["--prepare"])];
        for (path, file) in [("ca/ct", "ct.pub"), ("ca/ct/shards/0001", "ct2.pub")] {
            let key = format!("{path}/keys/p256.key");
            let exported = sandbox.run(signet(), &["keys", "export-public", "--key", &key]);
            sandbox.write(file, exported.succeeds().stdout);
        }
        sandbox.write("token", authority.token(&sandbox, &["--email", EMAIL]));
        let (fulcio, fulcio_url) = start_fulcio(&sandbox, &fulcio, &authority);
        let (rekor, rekor_url) = start_rekor(&sandbox, &rekor);
        let (tsa, tsa_url) = start_tsa(&sandbox, &tsa);
        configure(&sandbox, &cosign, [&fulcio_url, &rekor_url, &tsa_url]);
        Some(Self { sandbox, cosign, authority, shards, _servers: [fulcio, rekor, tsa] })
    }

    fn sign(&self, signer: &Path, args: &[&str]) -> Outcome {
        let services = ["--signing-config", "config.json", "--trusted-root", "root.json"];
        let (verb, rest) = args.split_first().unwrap();
        self.sandbox.run(signer, &[&[verb, "--identity-token", "token", "-y"], &services[..], rest].concat())
    }

    /// Both verifiers say the same.
    fn both(&self, args: &[&str], identity: &str, good: bool) {
        let issuer = format!("{}/oidc-dev/email", self.authority.url());
        let who = ["--certificate-identity", identity, "--certificate-oidc-issuer", &issuer];
        let (verb, rest) = args.split_first().unwrap();
        let args = [&[verb, "--trusted-root", "root.json"], &who[..], rest].concat();
        let theirs = self.sandbox.run(&self.cosign, &args);
        assert_eq!(theirs.code == Some(0), good, "{theirs}");
        let ours = self.sandbox.run(signet(), &args);
        if good { drop(ours.succeeds()) } else { denied(&ours) }
    }
}

/// The name of the new shard of the log of certificates.
fn rotate(sandbox: &Sandbox, more: &[&str]) -> String {
    let args = ["log", "rotate", "--certificates", "--data", "ca", "--output", "json"];
    let rotated = sandbox.run(signet(), &[&args, more].concat()).succeeds();
    origin(&serde_json::from_str(&rotated.stdout).unwrap())
}

fn origin(document: &Value) -> String {
    document.get("origin").and_then(Value::as_str).unwrap().to_owned()
}

/// Fulcio's root, which is also what it issues with.
fn fulcio_root(sandbox: &Sandbox, openssl: &Peer) {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", "fulcio.key"];
    let to =
        ["-passout", "pass:fulcio", "-out", "fulcio.pem", "-days", "30", "-subj", "/O=example/CN=fulcio"];
    let extensions = [
        "-addext",
        "basicConstraints=critical,CA:true,pathlen:0",
        "-addext",
        "keyUsage=critical,keyCertSign",
    ];
    sandbox.run(openssl, &[&["req", "-x509"], &key[..], &to, &extensions].concat()).succeeds();
}

/// It takes one key of a log at most; who verifies its certificates knows both.
fn start_fulcio(sandbox: &Sandbox, fulcio: &Peer, authority: &Authority) -> (Program, String) {
    let issuer = format!("{}/oidc-dev/email", authority.url());
    let believed = format!("{issuer}: {{issuer-url: '{issuer}', client-id: sigstore, type: email}}");
    sandbox.write("fulcio.yaml", format!("oidc-issuers:\n  {believed}\n"));
    let [port, grpc, metrics] = free_ports();
    let ca = ["--ca=fileca", "--fileca-cert=fulcio.pem", "--fileca-key=fulcio.key"];
    let more = ["--fileca-key-passwd=fulcio", "--fileca-watch=false", "--config-path=fulcio.yaml"];
    let log = [format!("--ct-log-url={}", authority.url())];
    let hosts = ["--host=127.0.0.1", "--grpc-host=127.0.0.1", "--legacy-unix-domain-socket=fulcio.socket"];
    let ports = [("port", &port), ("grpc-port", &grpc), ("metrics-port", &metrics)];
    let ports = ports.map(|(name, port)| format!("--{name}={port}"));
    let mut command = sandbox.command(fulcio);
    command.arg("serve").args(ca).args(more).args(log).args(hosts).args(ports);
    listening(&mut command, &port)
}

fn start_rekor(sandbox: &Sandbox, rekor: &Peer) -> (Program, String) {
    let key = NoteKey::new(REKOR);
    sandbox.write("rekor.key", &key.pem);
    sandbox.write("rekor.pub", public_pem(&key.public));
    let [port, grpc, metrics] = free_ports();
    let ports = [("http", &port), ("grpc", &grpc), ("http-metrics", &metrics)];
    let ports = ports.map(|(name, port)| format!("--{name}-port={port}"));
    let log = ["--signer-filepath=rekor.key", "--storage-dir=rekor", "--checkpoint-interval=1s"];
    let mut command = sandbox.command(rekor);
    command.arg("serve").arg(format!("--hostname={REKOR}")).args(log).args(ports);
    listening(&mut command, &port)
}

fn start_tsa(sandbox: &Sandbox, tsa: &Peer) -> (Program, String) {
    let [port] = free_ports();
    let mut command = sandbox.command(tsa);
    command.args(["serve", "--host=127.0.0.1", "--timestamp-signer=memory", "--disable-ntp-monitoring"]);
    let (running, url) = listening(command.arg(format!("--port={port}")), &port);
    let chain = request(&format!("127.0.0.1:{port}"), "GET", "/api/v1/timestamp/certchain", &[], &[]);
    sandbox.write("tsa.pem", chain.unwrap().body);
    (running, format!("{url}/api/v1/timestamp"))
}

fn listening(command: &mut std::process::Command, port: &str) -> (Program, String) {
    let address = format!("127.0.0.1:{port}");
    (Program::start(command, &address), format!("http://{address}"))
}

/// `root.json` and `config.json`, as cosign writes them.
fn configure(sandbox: &Sandbox, cosign: &Peer, [fulcio, rekor, tsa]: [&str; 3]) {
    let root = [
        ("--fulcio", format!("url={fulcio},certificate-chain=fulcio.pem")),
        ("--ctfe", format!("url=http://ct.example,public-key=ct.pub,{START}")),
        ("--ctfe", format!("url=http://ct2.example,public-key=ct2.pub,{START}")),
        ("--rekor", format!("url=http://{REKOR},public-key=rekor.pub,{START},origin={REKOR}")),
        ("--tsa", format!("url={tsa},certificate-chain=tsa.pem")),
    ];
    let root = root.iter().flat_map(|(name, value)| [*name, value]);
    let root: Vec<&str> = ["trusted-root", "create", "--out", "root.json"].into_iter().chain(root).collect();
    sandbox.run(cosign, &root).succeeds();
    let service = |url: &str, version| format!("url={url},api-version={version},{START},operator=sigstore");
    let (fulcio, rekor, tsa) = (service(fulcio, 1), service(rekor, 2), service(tsa, 1));
    let services = ["--fulcio", &fulcio, "--rekor", &rekor, "--tsa", &tsa];
    let any = ["--rekor-config", "ANY", "--tsa-config", "ANY", "--out", "config.json"];
    sandbox.run(cosign, &[&["signing-config", "create"], &services[..], &any].concat()).succeeds();
}

/// So many ports that nobody listens at now.
fn free_ports<const N: usize>() -> [String; N] {
    [(); N].map(|()| free_address().rsplit(':').next().unwrap().to_owned())
}
