//! What the doctor finds, and what it says to do.

use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use signet_testkit::{Outcome, RegistryServer, Sandbox, vectors};

use crate::double::{Double, reply};
use crate::{run, signet};

const IMAGE: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

/// The finding of one check: its health, and all that is said.
fn finding(outcome: &Outcome, check: &str) -> (String, String) {
    let document: Value = serde_json::from_str(&outcome.stdout).expect("one document");
    let findings = document.pointer("/findings").and_then(Value::as_array).expect("findings");
    let found = findings.iter().find(|finding| finding.get("check").is_some_and(|name| name == check));
    let found = found.unwrap_or_else(|| panic!("{check} is not in {document:#}"));
    let text = |field: &str| found.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("health"), format!("{} fix: {}", text("detail"), text("fix")))
}

fn doctor(sandbox: &Sandbox, args: &[&str], status: i32) -> Outcome {
    run(sandbox, &[&["doctor", "--output", "json"], args].concat()).exits(status)
}

#[test]
fn it_names_the_credentials_and_where_they_were_found() {
    let (sandbox, server) = (Sandbox::new(), RegistryServer::signet(signet()));
    let repository = server.repository("app");
    repository.push_image("1", "content");
    let image = repository.tagged("1");
    let found = finding(&doctor(&sandbox, &["--image", &image], 0), "credentials");
    assert!(
        found.0 == "pass" && found.1.contains("anonymously") && found.1.contains("docker login"),
        "{found:?}"
    );

    // `me:secret`
    let auths = format!(r#"{{"auths":{{"https://{}/":{{"auth":"bWU6c2VjcmV0"}}}}}}"#, server.address());
    sandbox.write(".docker/config.json", auths);
    let outcome = doctor(&sandbox, &["--image", &image], 0);
    let found = finding(&outcome, "credentials");
    let entry = format!("from the entry `https://{}/` of", server.address());
    assert!(found.1.contains("`me` for ") && found.1.contains(&entry), "{found:?}");
    assert!(found.1.contains(".docker/config.json`") && !outcome.says("secret"), "{found:?}");

    sandbox.write(".docker/config.json", r#"{"credsStore":"absent"}"#);
    let found = finding(&doctor(&sandbox, &["--image", &image], 3), "credentials");
    assert!(found.0 == "fail" && found.1.contains("SGN-2012"), "{found:?}");
}

#[test]
fn it_finds_what_the_registry_can_do() {
    let (sandbox, server) = (Sandbox::new(), RegistryServer::signet(signet()));
    let repository = server.repository("app");
    repository.push_image("1", "content");
    let outcome = doctor(&sandbox, &["--image", &repository.tagged("1")], 0);
    for check in ["clock", "registry", "registry clock", "referrers", "guarded writes"] {
        assert_eq!(finding(&outcome, check).0, "pass", "{check}: {outcome}");
    }
}

#[test]
fn it_finds_a_registry_of_another_time_and_without_etags() {
    let server = Double::http(|_| reply(200, &["Date: Sun, 06 Nov 1994 12:00:00 GMT"], IMAGE));
    let outcome = doctor(&Sandbox::new(), &["--image", &server.image()], 0);
    let found = finding(&outcome, "registry clock");
    assert!(found.0 == "warn" && found.1.contains("ahead of") && found.1.contains("1994-11-06"), "{found:?}");
    assert!(found.1.contains("fix: set the clock"), "{found:?}");
    assert_eq!(finding(&outcome, "guarded writes").0, "warn", "{outcome}");
}

#[test]
fn a_registry_that_is_not_there_is_a_finding_with_its_code() {
    let found = finding(&doctor(&Sandbox::new(), &["--image", "127.0.0.1:1/app:1"], 3), "registry");
    assert!(found.0 == "fail" && found.1.contains("SGN-2001") && found.1.contains("fix: "), "{found:?}");
}

#[test]
fn it_tells_how_old_the_trust_root_is() {
    let Some(folder) = vectors("sigstore") else { return };
    let sandbox = Sandbox::new();
    let root = folder.join("public-good-trusted_root.json");
    let root = std::fs::read(&root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
    let path = sandbox.write("trusted_root.json", root);
    let outcome = doctor(&sandbox, &["--trusted-root", "trusted_root.json"], 0);
    assert_eq!(finding(&outcome, "trust root age").0, "pass", "{outcome}");
    let then = SystemTime::now() - Duration::from_secs(100 * 24 * 3600);
    File::options().append(true).open(path).and_then(|file| file.set_modified(then)).expect("a file of ours");
    let found = finding(&doctor(&sandbox, &["--trusted-root", "trusted_root.json"], 0), "trust root age");
    assert!(found.0 == "warn" && found.1.contains("(100 days ago) fix: fetch it again"), "{found:?}");
    sandbox.write("trusted_root.json", "{}");
    let found = finding(&doctor(&sandbox, &["--trusted-root", "trusted_root.json"], 1), "trust root");
    assert!(found.0 == "fail" && found.1.contains("SGN-3"), "{found:?}");
}
