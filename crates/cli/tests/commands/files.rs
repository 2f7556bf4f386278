//! Keys and files.

use insta::assert_snapshot;

use crate::text::shown;
use crate::{run, with_keys};

#[test]
fn a_key_pair_is_generated_described_and_not_overwritten() {
    let sandbox = with_keys();
    assert_snapshot!("keys-inspect", shown(&run(&sandbox, &["keys", "inspect", "my.key"]).exits(0)));
    let again = run(&sandbox, &["keys", "generate", "--no-password", "--out", "my"]);
    assert_snapshot!("keys-generate-again", shown(&again.exits(2)));
    let exported = run(&sandbox, &["keys", "export-public", "--key", "my.key"]).exits(0);
    assert_eq!(exported.stdout.as_bytes(), sandbox.read("my.pub"));
    let document = run(&sandbox, &["keys", "export-public", "--key", "my.key", "--output", "json"]).exits(0);
    let document: serde_json::Value = serde_json::from_str(&document.stdout).expect("one document");
    assert_eq!(document["schema"], "signet.dev/public-key/v1");
    assert_eq!(document["key"].as_str().map(str::as_bytes), Some(&sandbox.read("my.pub")[..]));
    let nameless = run(&sandbox, &["keys", "generate", "--no-password", "--out", "keys/"]).exits(2);
    assert!(nameless.says("`--out DIR/NAME`"), "{nameless}");
}

/// A variable of a CI job that is not set must not be an identity.
#[test]
fn an_empty_identity_and_an_open_pattern_are_wrong_usage() {
    let sandbox = with_keys();
    let verify = |identity: &str, pattern: &str| {
        let mut args = vec!["verify", "--certificate-oidc-issuer", "https://issuer.example", "oci:absent"];
        args.extend(["--trusted-root", "absent.json"]);
        match pattern {
            "" => args.extend(["--certificate-identity", identity]),
            _ => args.extend(["--certificate-identity-regexp", pattern]),
        }
        run(&sandbox, &args).exits(2)
    };
    assert!(verify("", "").says("--certificate-identity"));
    sandbox.write(
        "absent.json",
        r#"{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#,
    );
    assert!(verify("", ".*").says("anchor the pattern at both ends"));
}

#[test]
fn an_encrypted_key_wants_its_password() {
    let sandbox = with_keys();
    run(&sandbox, &["keys", "generate", "--out", "locked"]).exits(0);
    sandbox.write("file", "content");
    sandbox.write("wrong", "not the password\n");
    let sign = ["sign-blob", "--key", "locked.key", "--bundle", "b.json", "file"];
    let wrong = run(&sandbox, &[&sign[..], &["--password-file", "wrong"]].concat());
    assert_snapshot!("sign-blob-wrong-password", shown(&wrong.exits(2)));
    run(&sandbox, &sign).exits(0);
}

#[test]
fn a_file_is_signed_verified_and_refused_when_changed() {
    let sandbox = with_keys();
    sandbox.write("file", "content");
    let sign = ["sign-blob", "--key", "my.key", "--bundle", "file.sigstore.json", "file"];
    assert_snapshot!("sign-blob", shown(&run(&sandbox, &sign).exits(0)));
    assert_snapshot!("sign-blob-again", shown(&run(&sandbox, &sign).exits(2)));
    let verify = ["verify-blob", "--bundle", "file.sigstore.json", "file", "--key"];
    let with = |key: &str| run(&sandbox, &[&verify[..], &[key]].concat());
    assert_snapshot!("verify-blob", shown(&with("my.pub").exits(0)));
    assert_snapshot!("verify-blob-wrong-key", shown(&with("other.pub").exits(1)));
    sandbox.write("file", "changed");
    assert_snapshot!("verify-blob-changed", shown(&with("my.pub").exits(1)));
}

#[test]
fn verify_takes_files_with_a_bundle_as_verify_blob_does() {
    let sandbox = with_keys();
    sandbox.write("file", "content");
    run(&sandbox, &["sign", "--key", "my.key", "--bundle", "b.json", "file"]).exits(0);
    run(&sandbox, &["verify", "--key", "my.pub", "--bundle", "b.json", "file"]).exits(0);
    run(&sandbox, &["verify", "--key", "other.pub", "--bundle", "b.json", "file"]).exits(1);
}

#[test]
fn a_file_or_key_that_is_not_there_is_a_usage_error() {
    let sandbox = with_keys();
    let missing = run(&sandbox, &["sign-blob", "--key", "my.key", "--bundle", "b.json", "missing"]);
    assert_snapshot!("sign-blob-missing-file", shown(&missing.exits(2)));
    sandbox.write("file", "content");
    let no_key = run(&sandbox, &["sign-blob", "--key", "file", "--bundle", "b.json", "file"]);
    assert_snapshot!("sign-blob-not-a-key", shown(&no_key.exits(2)));
}
