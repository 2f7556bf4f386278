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

/// The path that was typed was compared with the name in the statement as if both were repositories.
#[test]
fn a_file_is_verified_by_any_path_to_it_whatever_a_policy_says_of_repositories() {
    let sandbox = with_keys();
    run(&sandbox, &["keys", "generate", "--no-password", "--algorithm", "ed25519", "--out", "ed"]).exits(0);
    std::fs::create_dir(sandbox.path("sub")).expect("the sandbox is ours");
    sandbox.write("sub/f", "content");
    run(&sandbox, &["sign-blob", "--key", "ed.key", "--bundle", "f.json", "sub/f"]).exits(0);
    let pem = String::from_utf8(sandbox.read("ed.pub")).expect("PEM is text").replace('\n', "\\n");
    let absolute = sandbox.path("sub/f").display().to_string();
    for path in ["sub/f", "./sub/f", &absolute] {
        let plain = run(&sandbox, &["verify-blob", "--key", "ed.pub", "--bundle", "f.json", path]).exits(0);
        assert!(!plain.says("note"), "{plain}");
        for rule in ["note", "deny", "require"] {
            sandbox.write(
                "policy.yaml",
                format!(
                    "apiVersion: signet.dev/v1alpha1\nkind: ImagePolicy\nmetadata:\n  name: p\nspec:\n  repository: {rule}\n  \
                     principals:\n    me:\n      key: \"{pem}\"\n  rules:\n    - name: signed\n      principals: [me]\n"
                ),
            );
            let policy = ["verify-blob", "--policy", "policy.yaml", "--bundle", "f.json", path];
            assert!(!run(&sandbox, &policy).exits(0).says("note"), "{rule}");
        }
    }
}

/// Signed as a file, the bytes that an attestation's signature is over would be that attestation.
#[test]
fn what_an_attestation_signs_is_not_signed_as_a_file() {
    let sandbox = with_keys();
    sandbox.write("file", "DSSEv1 28 application/vnd.in-toto+json 2 {}");
    let sign = |file: &str| run(&sandbox, &["sign-blob", "--key", "my.key", "--bundle", "b.json", file]);
    assert!(sign("file").exits(2).says("a signed attestation of what it says"));
    assert!(!sandbox.path("b.json").exists());
    sandbox.write("file", "DSSEv1");
    sign("file").exits(0);
}

/// The password came from a pipe, which was empty when it was read again: the key was written under no password.
#[cfg(unix)]
#[test]
fn a_key_is_imported_under_the_password_that_opened_it() {
    let sandbox = with_keys();
    run(&sandbox, &["keys", "generate", "--out", "locked"]).exits(0);
    sandbox.write("file", "content");
    let by = |password: &str, args: &str| {
        let script = format!("printf '{password}' | \"$0\" {args} 3<&0 </dev/null");
        let mut command = sandbox.command("sh");
        command.args(["-c", &script]).arg(crate::signet());
        command.env_remove("SIGNET_PASSWORD").env_remove("COSIGN_PASSWORD");
        command.output().expect("sh runs").status.code()
    };
    let password = signet_testkit::PASSWORD;
    assert_eq!(by(password, "keys import --key locked.key --out new --password-fd 3"), Some(0));
    let sign = "sign-blob --key new.key --bundle b.json file --password-fd 3";
    assert_eq!(by("\\n", sign), Some(2));
    assert_eq!(by(password, sign), Some(0));
    for nothing in ["", "\\n"] {
        assert_eq!(by(nothing, "keys generate --out none --password-fd 3"), Some(2), "{nothing}");
    }
    assert!(!sandbox.path("none.key").exists());
}

/// What was meant is said, where it is plain.
#[test]
fn what_was_given_in_the_wrong_place_is_told() {
    let sandbox = with_keys();
    sandbox.write("file", "content");
    sandbox.write("app.tar", "content");
    run(&sandbox, &["sign-blob", "--key", "my.key", "--bundle", "b.json", "file"]).exits(0);
    run(&sandbox, &["keys", "generate", "--out", "locked"]).exits(0);
    let verify = ["verify-blob", "--key", "my.pub", "--bundle", "b.json", "-"];
    let cases: [(&[&str], &str); 9] = [
        (&["trust", "create", "--data", "repo", "--root-key", "awskms:///key"], "export-public"),
        (&["verify-blob", "--key", "b.json", "--bundle", "b.json", "file"], "this is a Sigstore bundle"),
        (&["verify-blob", "--key", "my.pub", "--bundle", "my.pub", "file"], "no bundle"),
        (&["sign-blob", "--key", "my.key", "--bundle", "-", "file"], "`--bundle OUT`"),
        (&verify, "`/dev/stdin`"),
        (&["verify", "--key", "my.pub", "app.tar"], "`oci-archive:app.tar`"),
        (&["sign", "--key", "my.key", "app.tar"], "`sign-blob`"),
        (&["sign", "--key", "my.key", "./registry"], "SGN-3008"),
        (&["sign", "--key", "my.key", "a..b/registry"], "SGN-3008"),
    ];
    for (args, said) in cases {
        let told = run(&sandbox, args).exits(2);
        assert!(told.says(said), "{told}");
    }
    assert!(!sandbox.path("-").exists());
    let outside = ["verify-blob", "--key", "awskms:///key", "--bundle", "b.json", "file"];
    let told = run(&sandbox, &outside).exits(3);
    assert!(told.says("`sigstore-kms-awskms`"), "{told}");
    let variable = ["sign-blob", "--key", "env://COSIGN_PRIVATE_KEY", "--bundle", "c.json", "file"];
    let told = run(&sandbox, &variable).exits(3);
    assert!(told.says("printenv NAME"), "{told}");
    let nowhere = run(&sandbox, &["keys", "generate", "--no-password", "--out", "absent/new"]).exits(2);
    assert!(nowhere.says("No such file") && !nowhere.says("at path"), "{nowhere}");
    let mut command = sandbox.command(crate::signet());
    command.args(["sign-blob", "--key", "locked.key", "--bundle", "c.json", "file"]);
    let refused = command.env("SIGNET_PASSWORD", "").output().expect("signet runs");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && told.contains("that of `SIGNET_PASSWORD`"), "{told}");
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
