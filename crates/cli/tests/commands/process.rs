//! The process: exit status, streams, usage.

use std::io::Read;
use std::process::Stdio;

use insta::assert_snapshot;

use crate::text::shown;
use crate::{run, signet, with_keys};

#[test]
fn usage_errors_have_a_code_and_status_2() {
    let sandbox = with_keys();
    let cases: [(&str, &[&str]); 5] = [
        ("usage-no-trust", &["verify", "127.0.0.1:1/app"]),
        ("usage-half-identity", &["verify", "--certificate-identity", "me", "127.0.0.1:1/app"]),
        (
            "usage-no-trust-root",
            &[
                "verify",
                "--certificate-identity",
                "me",
                "--certificate-oidc-issuer",
                "them",
                "127.0.0.1:1/app",
            ],
        ),
        ("usage-unknown-option", &["verify", "--kye", "my.pub", "127.0.0.1:1/app"]),
        ("usage-bad-reference", &["verify", "--key", "my.pub", "127.0.0.1:1/App"]),
    ];
    for (name, args) in cases {
        assert_snapshot!(name, shown(&run(&sandbox, args).exits(2)));
    }
}

/// What cannot be text was a defect (status 4) where another argument was wrong, too.
#[cfg(unix)]
#[test]
fn arguments_that_are_no_text_are_usage_errors() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = with_keys();
    let mut command = sandbox.command(signet());
    command.args(["verify", "--timeout", "soon"]).arg(std::ffi::OsStr::from_bytes(b"app\xff"));
    let refused = command.output().expect("signet runs");
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && told.contains("see `signet verify --help`"), "{told}");
}

#[test]
fn an_error_is_a_document_too_where_json_is_asked_for() {
    let sandbox = with_keys();
    assert_snapshot!("error-json", shown(&run(&sandbox, &["verify", "--output", "json", "x"]).exits(2)));
    assert_snapshot!("usage-json", shown(&run(&sandbox, &["verify", "--output=json"]).exits(2)));
}

#[test]
fn codes_are_explained() {
    let sandbox = with_keys();
    for name in ["SGN-1001", "sgn-1001", "1001"] {
        assert_snapshot!("explain", shown(&run(&sandbox, &["explain", name]).exits(0)));
    }
    assert_snapshot!("explain-unknown", shown(&run(&sandbox, &["explain", "SGN-0000"]).exits(2)));
}

/// `signet explain | head -1` says nothing but the line, as with any program that SIGPIPE ends.
#[test]
fn a_broken_pipe_is_quiet() {
    let sandbox = with_keys();
    let mut command = sandbox.command(signet());
    command.args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("signet runs");
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("stderr can be read");
    let status = child.wait().expect("signet ends");
    assert_eq!((status.code(), said.as_str()), (Some(141), ""));
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let sandbox = with_keys();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(run(&sandbox, &["completions", shell]).exits(0).stdout.contains("verify-blob"), "{shell}");
    }
    assert!(run(&sandbox, &["man"]).exits(0).stdout.contains(".TH signet 1"));
    assert!(run(&sandbox, &["man", "keys", "generate"]).exits(0).says("key pair"));
    sandbox.write("pages/.keep", "");
    run(&sandbox, &["man", "--out", "pages"]).exits(0);
    for page in ["signet.1", "signet-keys-generate.1", "signet-serve-registry.1"] {
        assert!(sandbox.path(&format!("pages/{page}")).exists(), "{page}");
    }
    assert!(!sandbox.path("pages/signet-conformance.1").exists(), "hidden commands have no page");
}

#[test]
fn the_demonstration_goes_as_said() {
    let sandbox = with_keys();
    let outcome = run(&sandbox, &["demo", "--output", "json"]).exits(0);
    let document: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("one document");
    let steps = document["steps"].as_array().expect("steps");
    let codes: Vec<_> = steps.iter().filter_map(|step| step["code"].as_str()).collect();
    assert_eq!(codes, ["SGN-2007", "SGN-1002", "SGN-1001", "SGN-1204", "SGN-1701"]);
}
