//! Whom to trust: policies with keys and witnesses, annotations, predicate types, cosign's options.

use insta::assert_snapshot;
use serde_json::json;
use signet_formats::base64;
use signet_formats::pem;
use signet_testkit::forge::{ARTIFACT, Key, Logging, Signing, World};
use signet_testkit::{RegistryServer, Sandbox};

use crate::text::shown;
use crate::{run, signet, with_keys};

/// A policy of one principal, given by the id of `key`.
fn policy(sandbox: &Sandbox, key: &str, more: &str) {
    let described = run(sandbox, &["keys", "inspect", "--output", "json", key]).exits(0);
    let described: serde_json::Value = serde_json::from_str(&described.stdout).expect("one document");
    let id = described.get("id").and_then(serde_json::Value::as_str).expect("a public key has an id");
    let policy = format!(
        "apiVersion: signet.dev/v1alpha1\nkind: ImagePolicy\nmetadata:\n  name: release\nspec:\n  principals:\n    \
         me:\n      key: {id}\n  rules:\n    - name: signed\n      principals: [me]\n{more}"
    );
    sandbox.write("policy.yaml", policy);
}

#[test]
fn a_policy_that_names_a_key_by_id_gets_it_from_the_command_line() {
    let sandbox = with_keys();
    sandbox.write("file", "content");
    run(&sandbox, &["sign-blob", "--key", "my.key", "--bundle", "b.json", "file"]).exits(0);
    policy(&sandbox, "my.pub", "");
    let verify = ["verify-blob", "--bundle", "b.json", "--policy", "policy.yaml", "file"];
    let with = |more: &[&str]| run(&sandbox, &[&verify[..], more].concat());
    assert_snapshot!("policy-key", shown(&with(&["--key", "my.pub"]).exits(0)));
    assert_snapshot!("policy-key-missing", shown(&with(&[]).exits(2)));
    assert_snapshot!("policy-key-unnamed", shown(&with(&["--key", "my.pub", "--key", "other.pub"]).exits(2)));
}

/// A file, its bundle by a bare key in a log whose checkpoint two witnesses cosigned, and who they are.
fn witnessed() -> (Sandbox, World) {
    let (sandbox, world, key) = (with_keys(), World::new(), Key::p256());
    let logging = Logging::V2 { index: 5 };
    let signing = Signing { logging, witnessed: true, ..Signing::by_key(&world, &key) };
    sandbox.write("bundle", signing.bundle().to_json().expect("the bundle keeps the rules"));
    sandbox.write("file", ARTIFACT);
    sandbox.write("signer.pub", pem::encode(pem::PUBLIC_KEY, key.public().spki_der()));
    let log = &world.rekor_v2;
    let root = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [{
            "baseUrl": format!("https://{}", log.host),
            "hashAlgorithm": "SHA2_256",
            "logId": { "keyId": base64::encode(log.id()) },
            "publicKey": {
                "rawBytes": base64::encode(log.key.public().spki_der()),
                "keyDetails": "PKIX_ED25519",
                "validFor": { "start": "2020-01-01T00:00:00Z" },
            },
        }],
    });
    sandbox.write("root.json", root.to_string());
    (sandbox, world)
}

#[test]
fn witnesses_count_if_they_are_given() {
    let (sandbox, world) = witnessed();
    let [first, second] = world.witnesses.each_ref().map(|witness| witness.verifier().to_string());
    let verify =
        ["verify-blob", "--bundle", "bundle", "--trusted-root", "root.json", "--key", "signer.pub", "file"];
    let with = |more: &[&str]| run(&sandbox, &[&verify[..], more].concat());
    with(&[]).exits(0);
    with(&["--witness", &first, "--witness", &second]).exits(0);
    sandbox.write("witnesses", format!("# of our log\n\n{second}\n"));
    let file = ["--witness", first.as_str(), "--witness", "witnesses"];
    with(&file).exits(0);
    policy(&sandbox, "signer.pub", "      witnesses: 2\n");
    let both = ["--policy", "policy.yaml"];
    with(&[&both[..], &file].concat()).exits(0);
    with(&[&both[..], &["--witness", &first]].concat()).exits(1).refuses_saying(&["SGN-1411"]);
    with(&both).exits(1).refuses_saying(&["SGN-1411"]);
}

#[test]
fn a_witness_that_did_not_cosign_is_missed_and_what_is_none_is_refused() {
    let (sandbox, world) = witnessed();
    let [first, _] = world.witnesses.each_ref().map(|witness| witness.verifier().to_string());
    let [other, _] = World::new().witnesses.map(|witness| witness.verifier().to_string());
    let verify =
        ["verify-blob", "--bundle", "bundle", "--trusted-root", "root.json", "--key", "signer.pub", "file"];
    let with = |witness: &str| run(&sandbox, &[&verify[..], &["--witness", witness]].concat());
    with(&other).exits(1).refuses_saying(&["SGN-1411"]);
    sandbox.write("no-witnesses", "# nobody\n");
    let log = signet_formats::note::VerifierKey::log("log", world.rekor_v2.key.public().clone());
    let log = log.expect("the key signs notes").to_string();
    for nonsense in [log.as_str(), "nonsense", "no-witnesses", "file", &first.replace("ed25519", "other")] {
        with(nonsense).exits(2).refuses_saying(&["SGN-3003"]);
    }
}

#[test]
fn annotations_are_signed_and_asked_for() {
    let sandbox = with_keys();
    let server = RegistryServer::signet(signet());
    for format in ["bundle", "cosign-legacy"] {
        let repository = server.repository(format);
        repository.push_image("1", "content");
        let image = repository.tagged("1");
        let sign =
            ["sign", "--key", "my.key", "--format", format, "-a", "commit=abc", "--annotations", "env=prod"];
        run(&sandbox, &[&sign[..], &[&image]].concat()).exits(0);
        assert!(run(&sandbox, &[&sign[..], &[&image]].concat()).exits(0).says("nothing to do"), "{format}");
        let verify =
            |more: &[&str]| run(&sandbox, &[&["verify", "--key", "my.pub", &image][..], more].concat());
        verify(&[]).exits(0);
        verify(&["-a", "env=prod", "-a", "commit=abc"]).exits(0);
        verify(&["-a", "env=test"]).exits(1).refuses_saying(&["SGN-1605"]);
        verify(&["-a", "env=prod", "-a", "team=a"]).exits(1).refuses_saying(&["SGN-1605"]);
        let other = ["sign", "--key", "my.key", "--format", format, "-a", "env=test", &image];
        assert!(!run(&sandbox, &other).exits(0).says("nothing to do"), "{format}");
        verify(&["-a", "env=test"]).exits(0);
        verify(&["-a", "env=test", "-a", "commit=abc"]).exits(1).refuses_saying(&["SGN-1605"]);
    }
}

/// `--use-signed-timestamps` was taken and demanded nothing, where cosign demands a timestamp.
#[test]
fn a_timestamp_that_is_asked_for_must_be_there() {
    let (sandbox, _) = witnessed();
    let verify = ["verify-blob", "--bundle", "bundle", "--key", "signer.pub", "file"];
    let with = |more: &[&str]| run(&sandbox, &[&verify[..], more].concat());
    with(&[]).exits(0);
    with(&["--use-signed-timestamps"]).exits(2).refuses_saying(&["SGN-3001"]);
    let root = ["--trusted-root", "root.json"];
    with(&root).exits(0);
    with(&[&root[..], &["--use-signed-timestamps"]].concat()).exits(1).refuses_saying(&["SGN-1506"]);
    with(&[&root[..], &["--use-signed-timestamps=false"]].concat()).exits(0);
    policy(&sandbox, "signer.pub", "");
    let policy = ["--policy", "policy.yaml", "--use-signed-timestamps"];
    assert!(with(&policy).exits(2).says("`timestamps: 1`"));
}

/// `--insecure-ignore-tlog=false` was taken as if nothing had been said, where cosign demands an entry in a log.
#[test]
fn a_log_entry_that_is_asked_for_must_be_there() {
    let (sandbox, _) = witnessed();
    let root = ["--key", "signer.pub", "--trusted-root", "root.json", "--insecure-ignore-tlog=false"];
    let verify = |bundle: &str, more: &[&str]| {
        run(&sandbox, &[&["verify-blob", "--bundle", bundle, "file"], more].concat())
    };
    verify("bundle", &root).exits(0);
    let without = ["--key", "signer.pub", "--insecure-ignore-tlog=false"];
    assert!(verify("bundle", &without).exits(2).says("`--insecure-ignore-tlog=false`"));
    run(&sandbox, &["sign-blob", "--key", "my.key", "--bundle", "unlogged", "file"]).exits(0);
    let unlogged = [&["--key", "my.pub"], &root[2..]].concat();
    verify("unlogged", &unlogged).exits(1).refuses_saying(&["SGN-1402"]);
    verify("unlogged", &unlogged[..4]).exits(0);
}

#[test]
fn annotations_are_given_as_cosign_takes_them() {
    let sandbox = with_keys();
    let server = RegistryServer::signet(signet());
    server.repository("app").push_image("1", "content");
    let image = server.repository("app").tagged("1");
    run(&sandbox, &["sign", "--key", "my.key", "-r", "--yes=true", "-a", "a=1,b=2", &image]).exits(0);
    let verify = |wanted: &str| run(&sandbox, &["verify", "--key", "my.pub", "-a", wanted, &image]);
    for wanted in ["a=1", "b=2", "b=2,a=1"] {
        verify(wanted).exits(0);
    }
    let lacking = verify("a=1,b=3").exits(1);
    assert!(lacking.stdout.contains("\n  SGN-1605"), "{lacking}");
    let twice = ["verify", "--key", "my.pub", "-a", "a=1", "-a", "a=2", &image];
    run(&sandbox, &twice).exits(2).refuses_saying(&["SGN-3010"]);
    let recursive = ["sign", "--key", "my.key", "--recursive=false", &image];
    assert!(run(&sandbox, &recursive).exits(2).says("--index-only"));
}

#[test]
fn cosigns_options_are_taken_or_refused_with_what_to_do() {
    let sandbox = with_keys();
    sandbox.write("file", "content");
    let sign = ["sign-blob", "--key", "my.key", "--bundle", "b.json", "file"];
    for unconfigured in ["--tlog-upload", "--use-signing-config"] {
        let told = run(&sandbox, &[&sign[..], &[unconfigured]].concat()).exits(2);
        assert!(told.says("SGN-5001") && told.says("is left out") && !told.says("`--key"), "{told}");
    }
    let named =
        ["--output-signature=s", "--output-certificate=c", "--certificate=c", "--certificate-chain=c"];
    for refused in named {
        let outcome = run(&sandbox, &[&sign[..], &[refused]].concat()).exits(2);
        assert!(outcome.says("is an option of cosign's"), "{outcome}");
    }
    for refused in ["--rekor-url=https://rekor.example.com", "--upload=false"] {
        let outcome = run(&sandbox, &[&sign[..], &[refused]].concat()).exits(2);
        assert!(outcome.says("hint: leave it out"), "{outcome}");
    }
    let taken = ["--yes", "--tlog-upload=false", "--use-signing-config=false"];
    run(&sandbox, &[&sign[..], &taken].concat()).exits(0);
    let verify = ["verify-blob", "--key", "my.pub", "--bundle", "b.json", "file"];
    let with = |more: &[&str]| run(&sandbox, &[&verify[..], more].concat());
    let taken = ["--insecure-ignore-tlog", "--insecure-ignore-sct", "--offline", "--new-bundle-format=true"];
    with(&taken).exits(0);
    let spelt_out = ["--insecure-ignore-tlog=true", "--insecure-ignore-sct=true", "--max-workers=4"];
    with(&spelt_out).exits(0);
    with(&["--private-infrastructure=true", "--experimental-oci11", "--use-signed-timestamps=false"])
        .exits(0);
    for refused in ["--check-claims=false", "--signature=s", "--certificate=c"] {
        assert!(with(&[refused]).exits(2).says("is an option of cosign's"), "{refused}");
    }
    with(&["--type", "slsaprovenance"]).exits(1).refuses_saying(&["SGN-1603"]);
    assert_snapshot!("predicate-type-misspelt", shown(&with(&["--type", "slsaprovenence"]).exits(2)));
}
