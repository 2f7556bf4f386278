//! Pinned trust when all is not well: its repository is gone, it has expired, it is somebody else's.

use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use signet_formats::trust_bundle::TrustBundle;
use signet_services::trust::{Home, TRUSTED_ROOT};
use signet_testkit::forge::TrustRepository;
use signet_testkit::{Outcome, Sandbox};

use crate::{distribution, run, service, signet};

const HOUR: i64 = 3_600;
/// The home of pinned trust in a sandbox.
const HOME: &str = ".local/share/signet/trust";

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    i64::try_from(since.as_secs()).expect("seconds")
}

/// Trust that was brought up to date so many hours ago, by a repository that is gone since, and serves so many more.
fn pinned(hours_ago: i64, hours_left: i64) -> Sandbox {
    let sandbox = Sandbox::new();
    let mut repository = TrustRepository::new();
    repository.add_target("targets", TRUSTED_ROOT, distribution::TRUSTED_ROOT.as_bytes());
    repository.expires.insert("timestamp".to_owned(), now() + hours_left * HOUR);
    repository.publish(&["targets", "snapshot", "timestamp"]);
    sandbox.write("root.json", repository.files.get("1.root.json").expect("a repository has one"));
    run(&sandbox, &["trust", "init", "--root", "root.json"]).exits(0);

    let then = now() - hours_ago * HOUR;
    let mut bundle = TrustBundle { created: then, ..TrustBundle::default() };
    for (name, bytes) in repository.files {
        match name.strip_prefix("targets/") {
            Some(target) => bundle.targets.insert(target.to_owned(), bytes),
            None => bundle.metadata.insert(name, bytes),
        };
    }
    let home = Home::new(&sandbox.path(HOME)).expect("a path");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(home.import(&bundle, None, then)).expect("it could be used then");

    let source = format!("{HOME}/source.json");
    let mut said: Value = serde_json::from_slice(&sandbox.read(&source)).expect("JSON");
    said.as_object_mut().expect("an object").insert("url".to_owned(), json!("http://127.0.0.1:1/tuf"));
    sandbox.write(&source, said.to_string());
    sandbox
}

/// Verifies something by an identity: whom to trust is asked first.
fn verify(sandbox: &Sandbox, environment: &str) -> Outcome {
    let program = signet().to_str().expect("a path of text");
    let who = ["--certificate-identity", "a@b.c", "--certificate-oidc-issuer", "https://a.example"];
    let verify = [environment, program, "verify-blob", "--bundle", "absent.json", "file"];
    sandbox.run("env", &[&verify[..], &who].concat())
}

#[test]
fn an_outage_of_the_repository_is_told_before_trust_expires() {
    let sandbox = pinned(60, 30);
    let told = verify(&sandbox, "A=").exits(2);
    assert!(told.says("note: nothing was had from the repository of trust since"), "{told}");
    assert!(told.says("what is pinned serves until") && told.says("absent.json"), "it goes on: {told}");
    let status = run(&sandbox, &["trust", "status"]).exits(0);
    assert!(status.says("warning: nothing was had from the repository"), "{status}");
    let doctor = run(&sandbox, &["doctor"]);
    assert!(doctor.says("warn pinned trust: nothing was had from the repository"), "{doctor}");
}

#[test]
fn trust_that_has_expired_is_shown_with_what_it_was() {
    let sandbox = pinned(100, -4);
    let status = run(&sandbox, &["trust", "status"]).exits(3);
    for words in ["repository  http://127.0.0.1:1/tuf", "timestamp   version 2", "warning: SGN-1803"] {
        assert!(status.says(words), "{words}: {status}");
    }
    let json = run(&sandbox, &["trust", "status", "--output", "json"]).exits(3);
    serde_json::from_str::<Value>(&json.stdout).expect("one document");
    let why = verify(&sandbox, "A=").exits(3);
    assert!(why.says("SGN-1807") && why.says("it expired") && why.says("nothing was had"), "{why}");
    let status = run(&sandbox, &["trust", "status"]).exits(3);
    assert!(status.says("warning: nothing was had from the repository of trust since"), "{status}");
}

/// Who names a directory means it: what cannot be read is not "nothing is pinned".
#[test]
fn a_directory_that_was_named_is_not_passed_over() {
    let sandbox = pinned(0, 90);
    sandbox.write("file", "content");
    verify(&sandbox, "SIGNET_TRUST_DIR=absent").exits(2).refuses_saying(&["SGN-1808"]);
    verify(&sandbox, "SIGNET_TRUST_DIR=file/below").refuses_saying(&["SGN-3002"]);
    let found = verify(&sandbox, &format!("SIGNET_TRUST_DIR={HOME}")).exits(2);
    assert!(found.says("absent.json"), "{found}");
}

#[test]
fn a_repository_at_another_url_is_told_by_where_it_was_asked_for() {
    let sandbox = Sandbox::new();
    distribution::person(&sandbox, "1");
    let service = distribution::published(&sandbox, distribution::TRUSTED_ROOT);
    let init = |url: &str| run(&sandbox, &["trust", "init", "--root", "root.json", url]);
    let (address, url) = (service.address(), format!("http://{}", service.address()));
    let refused = init(&url).exits(3);
    assert!(refused.says(&format!("asked for at `{url}`")) && refused.says("/tuf"), "{refused}");
    init(&format!("{address}/tuf")).exits(2).refuses_saying(&["https://"]);
    init(&format!("{url}/tuf")).exits(0);
}

#[test]
fn a_repository_of_a_private_authority_is_followed_by_what_was_pinned_with_it() {
    let sandbox = Sandbox::new();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate can be made");
    sandbox.write("tls.crt", cert.pem());
    sandbox.write("tls.key", signing_key.serialize_pem());
    distribution::person(&sandbox, "1");
    drop(distribution::published(&sandbox, distribution::TRUSTED_ROOT));
    let tls = ["--tls-cert", "tls.crt", "--tls-key", "tls.key"];
    let service = service::serve(&sandbox, &[&["trust", "--data", "repo"][..], &tls].concat());
    let url = format!("{}/tuf", service.said("url"));
    let init = ["trust", "init", "--root", "root.json", &url];
    let refused = run(&sandbox, &init).exits(3);
    assert!(refused.says("SGN-1807") && refused.says("--services-cacert"), "{refused}");
    run(&sandbox, &[&init[..], &["--services-cacert", "tls.crt"]].concat()).exits(0);
    std::fs::remove_file(sandbox.path("tls.crt")).expect("it was there");
    run(&sandbox, &["trust", "update"]).exits(0);
    run(&sandbox, &init).exits(0);
}

#[test]
fn targets_are_published_while_a_root_is_being_signed_and_none_that_no_client_could_use() {
    let sandbox = Sandbox::new();
    distribution::person(&sandbox, "1");
    drop(distribution::published(&sandbox, distribution::TRUSTED_ROOT));
    run(&sandbox, &["trust", "rotate", "--data", "repo"]).exits(0);
    let publish = ["trust", "publish", "--data", "repo"];
    run(&sandbox, &publish).exits(3).refuses_saying(&["SGN-1802"]);
    let published =
        run(&sandbox, &[&publish[..], &["--trusted-root", "trusted_root.json"]].concat()).exits(0);
    assert!(published.says("targets     version 2"), "{published}");
    assert!(published.says("repo/staged/root.json` is still being signed"), "{published}");
    sandbox.write("config.json", r#"{"x":1}"#);
    let refused = run(&sandbox, &[&publish[..], &["--signing-config", "config.json"]].concat()).exits(2);
    assert!(refused.says("SGN-5002") && refused.says("config.json"), "{refused}");
}
