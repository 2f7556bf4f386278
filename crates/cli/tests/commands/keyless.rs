//! Signing without a key, against a whole stack on loopback.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use signet_clients::rekor::{self, KnownLog, Log, Submission};
use signet_clients::{Limits, TlsOptions, Web};
use signet_crypto::{Digest, KeyAlgorithm, Scheme};
use signet_formats::bundle::{Bundle, Content, Material};
use signet_formats::rekor::{PublicKeyDetails, Verifier};
use signet_formats::trusted_root::TrustedRoot;
use signet_formats::{base64, merkle};
use signet_keys::{Payload, PrivateKey};
use signet_testkit::{Outcome, Sandbox, StackServer};

use crate::{run, signet};

const EMAIL: &str = "a@b.c";

struct Setting {
    sandbox: Sandbox,
    stack: StackServer,
    token: String,
}

impl Setting {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let stack = StackServer::start(signet(), &sandbox, "up");
        let token = stack.token(&sandbox, &["--email", EMAIL]);
        sandbox.write("token", format!("{token}\n"));
        sandbox.write("file", "content");
        Self { sandbox, stack, token }
    }

    /// A signing command with this stack's services and the token in its file.
    fn sign(&self, args: &[&str]) -> Outcome {
        self.sign_with(self.stack.signing_config(), &[&["--identity-token", "token"], args].concat())
    }

    fn sign_with(&self, config: &str, args: &[&str]) -> Outcome {
        let (command, rest) = args.split_last().expect("there is something to sign");
        let verb = if *command == "file" { "sign-blob" } else { "sign" };
        let with = ["--signing-config", config, "--trusted-root", self.stack.trusted_root()];
        let outcome = run(&self.sandbox, &[&[verb][..], &with, rest, &[*command]].concat());
        assert!(!outcome.says(&self.token), "the token is shown");
        outcome
    }

    fn verify(&self, identity: &str, kind: &str, args: &[&str]) -> Outcome {
        let issuer = self.stack.issuer(kind);
        let who = ["--certificate-identity", identity, "--certificate-oidc-issuer", &issuer];
        let verb = if args.contains(&"--bundle") { "verify-blob" } else { "verify" };
        let root = ["--trusted-root", self.stack.trusted_root()];
        run(&self.sandbox, &[&[verb][..], &root, &who, args].concat())
    }

    /// The stack's signing config, changed.
    fn config(&self, change: impl FnOnce(&mut Value)) -> String {
        let text = std::fs::read(self.stack.signing_config()).expect("the config was written");
        let mut config = serde_json::from_slice(&text).expect("the config is JSON");
        change(&mut config);
        self.sandbox.write("config.json", config.to_string()).display().to_string()
    }
}

#[test]
fn an_image_is_signed_with_its_platforms_under_one_certificate() {
    let setting = Setting::new();
    let repository = setting.stack.repository("app");
    repository.push_index("1", "content");
    let image = repository.tagged("1");
    let signed = setting.sign(&["--output", "json", &image]).exits(0);
    let document: Value = serde_json::from_str(&signed.stdout).expect("one document");
    let bodies = document["signed"].as_array().expect("a list");
    assert_eq!(bodies.len(), 3, "the index and two platforms");
    let identity = format!("{EMAIL} (issuer {})", setting.stack.issuer("email"));
    assert!(bodies.iter().all(|body| body["identity"] == identity && body["action"] == "signed"), "{signed}");
    let audit = String::from_utf8(setting.sandbox.read("up/ca/audit.jsonl")).expect("records are text");
    assert_eq!(audit.lines().count(), 1, "one certificate for all: {audit}");

    setting.verify(EMAIL, "email", &[&image]).exits(0);
    setting.verify("other@b.c", "email", &[&image]).exits(1).refuses_saying(&["SGN-1601"]);
    setting.verify(EMAIL, "github", &[&image]).exits(1).refuses_saying(&["SGN-1601"]);
    let again = setting.sign(&[&image]).exits(0);
    assert_eq!(again.stdout.matches("nothing to do").count(), 3, "{again}");
}

#[test]
fn a_workflow_signs_with_what_it_says_of_itself() {
    let setting = Setting::new();
    let bearer = ["--github", "o/r", "--workflow", "w.yml", "--ref", "refs/heads/main"];
    setting.sandbox.write("token", setting.stack.token(&setting.sandbox, &bearer));
    setting.sign(&["--bundle", "b.json", "file"]).exits(0);
    let workflow = "https://github.com/o/r/.github/workflows/w.yml@refs/heads/main";
    setting.verify(workflow, "github", &["--bundle", "b.json", "file"]).exits(0);
    setting.sandbox.write("file", "changed");
    setting
        .verify(workflow, "github", &["--bundle", "b.json", "file"])
        .exits(1)
        .refuses_saying(&["SGN-1003"]);
}

#[test]
fn a_token_is_given_as_file_input_variable_or_argument() {
    let setting = Setting::new();
    let (config, root) = (setting.stack.signing_config(), setting.stack.trusted_root());
    let with = ["sign-blob", "--signing-config", config, "--trusted-root", root, "--bundle"];
    let mut input = setting.sandbox.command(signet());
    input.args(with).args(["input.json", "--identity-token", "-", "file"]).stdin(Stdio::piped());
    let mut child = input.spawn().expect("signet runs");
    child.stdin.take().expect("piped").write_all(setting.token.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success());
    let mut variable = setting.sandbox.command(signet());
    variable.args(with).args(["variable.json", "file"]).env("SIGSTORE_ID_TOKEN", &setting.token);
    assert!(variable.status().expect("signet runs").success());
    let raw = [&with[..], &["raw.json", "--identity-token", &setting.token, "file"]].concat();
    let raw = run(&setting.sandbox, &raw).exits(0);
    assert!(raw.stderr.starts_with("warning: other users of this machine"), "{raw}");
    for bundle in ["input.json", "variable.json", "raw.json"] {
        setting.verify(EMAIL, "email", &["--bundle", bundle, "file"]).exits(0);
    }
}

#[test]
fn without_services_or_token_it_is_said_what_to_give() {
    let setting = Setting::new();
    run(&setting.sandbox, &["sign", "localhost/app"]).exits(2).refuses_saying(&["SGN-5001"]);
    let bare = run(&setting.sandbox, &["sign-blob", "--bundle", "b.json", "file"]).exits(2);
    assert!(bare.says("SGN-5001") && bare.says("--signing-config FILE"), "{bare}");
    let config = setting.stack.signing_config();
    setting.sign_with(config, &["--bundle", "b.json", "file"]).exits(2).refuses_saying(&["SGN-5004"]);
    let login = ["--login", "device", "--bundle", "b.json", "file"];
    setting.sign_with(config, &login).exits(2).refuses_saying(&["--oidc-issuer"]);
    for token in ["junk", "a.b.c", ""] {
        setting.sandbox.write("token", token);
        setting.sign(&["--bundle", "b.json", "file"]).exits(2).refuses_saying(&["SGN-5005"]);
    }
    let expired = json!({"sub": "s", "email": EMAIL, "exp": 1_000_000_000});
    let parts = [base64::encode_url(r#"{"alg":"RS256"}"#), base64::encode_url(expired.to_string())];
    setting.sandbox.write("token", format!("{}.{}.AAAA", parts[0], parts[1]));
    let expired = setting.sign(&["--bundle", "b.json", "file"]).exits(2);
    assert!(expired.says("SGN-5005") && expired.says("2001-09-09T01:46:40Z"), "{expired}");
    assert!(!setting.sandbox.path("b.json").exists());
}

#[test]
fn what_the_authority_refuses_is_told_in_its_words() {
    let setting = Setting::new();
    let (header, rest) = setting.token.split_once('.').expect("a token has parts");
    let (claims, signature) = rest.split_once('.').expect("a token has parts");
    let claims = base64::decode_url(claims).expect("claims are base64url");
    let mut claims: Value = serde_json::from_slice(&claims).expect("claims are JSON");
    claims["email"] = json!("root@b.c");
    let forged = base64::encode_url(claims.to_string());
    setting.sandbox.write("token", format!("{header}.{forged}.{signature}"));
    let refused = setting.sign(&["--bundle", "b.json", "file"]).exits(3);
    assert!(refused.says("SGN-5009") && refused.says("status 401: "), "{refused}");
}

/// With the trust root of another instance nothing of what is made here would verify.
#[test]
fn what_would_not_verify_is_not_stored() {
    let setting = Setting::new();
    let other = StackServer::start(signet(), &setting.sandbox, "other");
    let repository = setting.stack.repository("app");
    let digest = repository.push_image("1", "content");
    let with = ["--signing-config", setting.stack.signing_config(), "--trusted-root", other.trusted_root()];
    let with = [&with[..], &["--identity-token", "token"]].concat();
    let image = run(&setting.sandbox, &[&["sign"][..], &with, &[&repository.tagged("1")]].concat()).exits(1);
    assert!(image.says("SGN-5013") && image.says("SGN-1401"), "{image}");
    let listed = repository.referrers(&digest).expect("the registry has the API");
    assert_eq!(listed["manifests"].as_array().map(Vec::len), Some(0));
    run(&setting.sandbox, &[&["sign-blob"][..], &with, &["--bundle", "b.json", "file"]].concat()).exits(1);
    assert!(!setting.sandbox.path("b.json").exists());
    // A log alone proves no time.
    let no_time = setting.config(|config| config["tsaUrls"] = json!([]));
    let no_time = setting.sign_with(&no_time, &["--identity-token", "token", "--bundle", "b.json", "file"]);
    assert!(no_time.exits(1).says("SGN-1308"));
}

#[test]
fn services_are_those_of_the_config_and_no_others() {
    let setting = Setting::new();
    let sign = |config: &str| {
        setting.sign_with(config, &["--identity-token", "token", "--bundle", "b.json", "file"])
    };
    let v01 = "application/vnd.dev.sigstore.signingconfig.v0.1+json";
    let config = setting.config(|config| config["mediaType"] = json!(v01));
    sign(&config).exits(2).refuses_saying(&["SGN-5002"]);
    let config = setting.config(|config| config["tsaConfig"] = json!({}));
    sign(&config).exits(2).refuses_saying(&["SGN-5002"]);
    let config = setting.config(|config| config["tsaConfig"] = json!({"selector": "EXACT", "count": 2}));
    sign(&config).exits(3).refuses_saying(&["SGN-5003"]);
    let over = json!({"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"});
    let ended = setting.config(|config| config["caUrls"][0]["validFor"] = over);
    sign(&ended).exits(3).refuses_saying(&["SGN-5003"]);
    let config = setting.config(|config| config["caUrls"][0]["url"] = json!("http://ca.example.com"));
    let plain = sign(&config).exits(3);
    assert!(plain.says("SGN-5008") && plain.says("plain HTTP"), "{plain}");
    let config = setting.config(|config| config["rekorTlogUrls"][0]["url"] = json!("http://127.0.0.1:9"));
    sign(&config).exits(3).refuses_saying(&["SGN-5007"]);
    assert!(!setting.sandbox.path("b.json").exists());
}

#[test]
fn timestamps_of_several_operators_and_no_log_are_what_a_config_may_demand() {
    let setting = Setting::new();
    let other = StackServer::start(signet(), &setting.sandbox, "other");
    let read = |path: &str| -> Value {
        serde_json::from_slice(&std::fs::read(path).expect("it was written")).expect("it is JSON")
    };
    let mut theirs = read(other.signing_config())["tsaUrls"][0].clone();
    theirs["operator"] = json!("other");
    let config = setting.config(|config| {
        config["tsaUrls"].as_array_mut().expect("a list").push(theirs);
        config["tsaConfig"] = json!({"selector": "EXACT", "count": 2});
        config["rekorTlogUrls"] = json!([]);
    });
    let mut root = read(setting.stack.trusted_root());
    let mut authority = read(other.trusted_root())["timestampAuthorities"][0].clone();
    authority["operator"] = json!("other");
    root["timestampAuthorities"].as_array_mut().expect("a list").push(authority);
    root["ctlogs"] = json!([]);
    setting.sandbox.write("root.json", root.to_string());
    let with = ["--signing-config", &config, "--trusted-root", "root.json", "--identity-token", "token"];
    let signed =
        run(&setting.sandbox, &[&["sign-blob"][..], &with, &["--bundle", "b.json", "file"]].concat())
            .exits(0);
    assert!(signed.stderr.contains("`--insecure-ignore-tlog`"), "{signed}");
    assert!(signed.stderr.contains("`--insecure-ignore-sct`"), "{signed}");
    let bundle: Value = serde_json::from_slice(&setting.sandbox.read("b.json")).expect("a bundle is JSON");
    let material = &bundle["verificationMaterial"];
    let stamps = &material["timestampVerificationData"]["rfc3161Timestamps"];
    assert_eq!(stamps.as_array().map(Vec::len), Some(2), "{bundle}");
    assert_eq!(material["tlogEntries"].as_array().map_or(0, Vec::len), 0);
    // The other authority is not in the first stack's root: one is not enough to sign, nor to be logged.
    let one =
        setting.sign_with(&config, &["--identity-token", "token", "--bundle", "c.json", "file"]).exits(1);
    assert!(one.says("SGN-5013"), "{one}");
}

#[test]
fn options_that_contradict_are_refused() {
    let setting = Setting::new();
    let sign = |args: &[&str]| setting.sign(&[args, &["localhost/app:1"]].concat());
    sign(&["--format", "cosign-legacy"]).exits(2).refuses_saying(&["SGN-3009"]);
    sign(&["--scheme", "ed25519"]).exits(2).refuses_saying(&["--scheme"]);
    sign(&["--key", "my.key"]).exits(2).refuses_saying(&["'--identity-token"]);
    sign(&["--login", "device"]).exits(2).refuses_saying(&["SGN-3010"]);
    sign(&["--tlog-upload=false"]).exits(2).refuses_saying(&["--signing-config"]);
    sign(&["--fulcio-url", "https://x"]).exits(2).refuses_saying(&["--signing-config"]);
    run(&setting.sandbox, &["sign", "--identity-token", "token", "localhost/app:1"]).exits(2);
}

/// The signing cases of the Sigstore conformance suite, by its protocol.
#[test]
fn the_conformance_suites_protocol_signs_files_and_statements() {
    let setting = Setting::new();
    let (config, root) = (setting.stack.signing_config(), setting.stack.trusted_root());
    let sign = ["conformance", "sign-bundle", "--identity-token", &setting.token, "--bundle", "b.json"];
    let services = ["--trusted-root", root, "--signing-config", config];
    let issuer = setting.stack.issuer("email");
    let verify = |subject: &str| {
        let who =
            ["--certificate-identity", EMAIL, "--certificate-oidc-issuer", &issuer, "--trusted-root", root];
        let args = [&["conformance", "verify-bundle", "--bundle", "b.json"][..], &who, &[subject]].concat();
        run(&setting.sandbox, &args)
    };
    let bundle = || Bundle::parse(&setting.sandbox.read("b.json")).expect("it is a bundle");
    run(&setting.sandbox, &[&sign[..], &services, &["file"]].concat()).exits(0);
    verify("file").exits(0);
    let written = bundle();
    assert!(matches!(written.content, Content::MessageSignature { .. }));
    assert!(matches!(written.material, Material::Certificate(_)), "no chain, and so no root");
    let kind = &written.tlog_entries.first().expect("it was logged").kind;
    assert_eq!((kind.kind.as_str(), kind.version.as_str()), ("hashedrekord", "0.0.2"));
    let digest = Digest::sha256(b"content");
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://example.com/p/v1", "predicate": {},
        "subject": [{"name": "file", "digest": {"sha256": digest.hex()}}],
    });
    setting.sandbox.write("statement.json", statement.to_string());
    let in_toto = [&sign[..2], &["--in-toto"], &sign[2..], &services, &["statement.json"]].concat();
    run(&setting.sandbox, &in_toto).exits(0);
    let Content::Dsse(envelope) = bundle().content else { panic!("no envelope") };
    assert_eq!(envelope.payload, statement.to_string().as_bytes());
    verify("file").exits(0);
    setting.sandbox.write("file", "other");
    verify("file").exits(1);
}

/// What an earlier run logged before it was interrupted is found again, with a proof of now.
#[test]
fn a_duplicate_is_found_in_our_own_log() {
    let setting = Setting::new();
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("the provider makes keys");
    let digest = Digest::sha256(b"content");
    let submission = Submission {
        digest,
        signature: key.sign(Scheme::EcdsaP256Sha256, Payload::Digest(&digest)).expect("the key signs"),
        verifier: Verifier::PublicKey(key.public_key().spki_der().to_vec()),
        key_details: PublicKeyDetails::PkixEcdsaP256Sha256,
        envelope: None,
    };
    let root = std::fs::read(setting.stack.trusted_root()).expect("the root was written");
    let log = TrustedRoot::parse(&root).expect("it is one").tlogs.remove(0);
    let origin = log.base_url.trim_start_matches("https://").to_owned();
    let known = [KnownLog { origin, id: log.log_id.try_into().expect("an id has 32 bytes") }];
    let web = Web::new(TlsOptions::default(), Limits::default());
    let add = || {
        let log = Log { url: setting.stack.url(), api_version: 2 };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(rekor::log(&web, log, &submission, &known)).expect("the log answers")
    };
    let first = add();
    // The tree grows in between.
    setting.sign(&["--bundle", "b.json", "file"]).exits(0);
    let again = add();
    assert_eq!((again.log_index, again.log_id, &again.body), (first.log_index, first.log_id, &first.body));
    let proof = again.proof.expect("it has one");
    assert!(proof.tree_size > first.proof.expect("it has one").tree_size);
    let hash = |digest: &Digest| digest.as_bytes().try_into().expect("SHA-256 has 32 bytes");
    let hashes: Vec<[u8; 32]> = proof.hashes.iter().map(hash).collect();
    let leaf = merkle::leaf_hash(&again.body);
    let included =
        merkle::verify_inclusion(again.log_index, proof.tree_size, &leaf, &hashes, &hash(&proof.root_hash));
    assert_eq!(included, Ok(()));
}
