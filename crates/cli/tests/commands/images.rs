//! Images in a registry of Signet's own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use insta::assert_snapshot;
use signet_testkit::{RegistryServer, Repository, Sandbox};

use crate::text::shown;
use crate::{run, signet, with_keys};

/// A registry with an index of two platforms, and a sandbox with keys.
struct Setting {
    sandbox: Sandbox,
    server: RegistryServer,
    repository: Repository,
    image: String,
}

impl Setting {
    fn new() -> Self {
        let server = RegistryServer::signet(signet());
        let repository = server.repository("app");
        repository.push_index("1", "content");
        let image = repository.tagged("1");
        Self { sandbox: with_keys(), server, repository, image }
    }

    fn shows(&self, snapshot: &str, status: i32, args: &[&str]) {
        let outcome = run(&self.sandbox, args).exits(status);
        assert_snapshot!(snapshot, shown(&outcome).replace(self.server.address(), "registry"));
    }
}

#[test]
fn an_image_is_signed_once_and_verified() {
    let setting = Setting::new();
    let image = setting.image.as_str();
    setting.shows("verify-unsigned", 1, &["verify", "--key", "my.pub", image]);
    setting.shows("sign", 0, &["sign", "--key", "my.key", image]);
    setting.shows("sign-again", 0, &["sign", "--key", "my.key", image]);
    setting.shows("verify", 0, &["verify", "--key", "my.pub", image]);
    setting.shows("verify-any-of-two", 0, &["verify", "--key", "other.pub", "--key", "my.pub", image]);
    setting.shows("verify-wrong-key", 1, &["verify", "--key", "other.pub", image]);
    setting.shows("tree", 0, &["tree", image]);
    setting.shows("inspect", 0, &["inspect", image]);
    setting.shows("inspect-verified", 0, &["inspect", "--key", "my.pub", image]);
}

/// What is not verified is never shown as if it were: not a stranger's signature, not junk, not another artifact.
#[test]
fn inspect_tells_what_is_verified_from_what_is_claimed() {
    let setting = Setting::new();
    let image = setting.image.as_str();
    setting.shows("inspect-nothing", 0, &["inspect", "--key", "my.pub", image]);
    run(&setting.sandbox, &["sign", "--key", "other.key", image]).exits(0);
    run(&setting.sandbox, &["sign", "--key", "other.key", "--format", "cosign-legacy", image]).exits(0);
    setting.shows("inspect-refused", 0, &["inspect", "--key", "my.pub", image]);
    let other = setting.server.repository("other");
    let subject = other.push_image("1", "content");
    other.push_referrer(&subject, "application/vnd.dev.sigstore.bundle.v0.3+json", b"junk");
    other.push_referrer(&subject, "text/plain", b"a letter");
    setting.shows("inspect-junk", 0, &["inspect", &other.tagged("1")]);
    setting.shows("tree-junk", 0, &["tree", &other.tagged("1")]);
}

/// It was "no signature was found", and one who reads that thinks that it was lost.
#[test]
fn a_signature_of_the_notary_project_is_told_of() {
    let setting = Setting::new();
    let other = setting.server.repository("other");
    let subject = other.push_image("1", "content");
    let verify = ["verify", "--key", "my.pub", &other.tagged("1")];
    let note = "of the Notary Project, which this release does not verify";
    assert!(!run(&setting.sandbox, &verify).exits(1).says(note));
    other.push_referrer(&subject, "application/vnd.cncf.notary.signature", b"an envelope");
    assert!(run(&setting.sandbox, &verify).exits(1).says(&format!("has a signature {note}")));
    for command in ["tree", "inspect"] {
        assert!(run(&setting.sandbox, &[command, &other.tagged("1")]).exits(0).says(note), "{command}");
    }
}

#[test]
fn a_legacy_signature_is_made_once_and_verified() {
    let setting = Setting::new();
    let sign = ["sign", "--key", "my.key", "--format", "cosign-legacy", "--index-only", &setting.image];
    setting.shows("sign-legacy", 0, &sign);
    setting.shows("sign-legacy-again", 0, &sign);
    setting.shows("verify-legacy", 0, &["verify", "--key", "my.pub", &setting.image]);
}

#[test]
fn a_platform_is_signed_alone_and_must_be_there() {
    let setting = Setting::new();
    let sign = ["sign", "--key", "my.key", "--platform", "linux/arm64", &setting.image];
    setting.shows("sign-platform", 0, &sign);
    run(&setting.sandbox, &["verify", "--key", "my.pub", &setting.image]).exits(1);
    let sign = ["sign", "--key", "my.key", "--platform", "linux/s390x", &setting.image];
    setting.shows("sign-platform-missing", 2, &sign);
}

#[test]
fn the_worst_of_several_images_decides() {
    let setting = Setting::new();
    let (image, missing) = (setting.image.as_str(), setting.repository.tagged("missing"));
    let unsigned = setting.server.repository("unsigned");
    unsigned.push_image("1", "content");
    run(&setting.sandbox, &["sign", "--key", "my.key", image]).exits(0);
    let verify = ["verify", "--key", "my.pub", image];
    setting.shows("verify-one-of-two", 1, &[&verify[..], &[&unsigned.tagged("1")]].concat());
    setting.shows("verify-undecided", 3, &[&verify[..], &[&unsigned.tagged("1"), &missing]].concat());
}

#[test]
fn what_cannot_be_reached_is_undecided_and_never_unsigned() {
    let setting = Setting::new();
    let gone = "127.0.0.1:1/app:1";
    setting.shows("verify-unreachable", 3, &["verify", "--key", "my.pub", gone]);
    setting.shows("sign-unreachable", 3, &["sign", "--key", "my.key", gone]);
}

#[test]
fn a_copy_carries_signatures_and_notes_the_other_name() {
    let setting = Setting::new();
    run(&setting.sandbox, &["sign", "--key", "my.key", &setting.image]).exits(0);
    let mirror = setting.server.repository("mirror").tagged("1");
    setting.shows("copy", 0, &["copy", &setting.image, &mirror]);
    setting.shows("copy-again", 0, &["copy", &setting.image, &mirror]);
    setting.shows("verify-copied", 0, &["verify", "--key", "my.pub", &mirror]);
    run(&setting.sandbox, &["copy", &mirror, "oci:layout:1"]).exits(0);
    setting.shows("verify-layout", 0, &["verify", "--key", "my.pub", "oci:layout:1"]);
}

/// It looked like a copy that hangs.
#[test]
fn a_copy_that_waits_for_another_writer_says_so() {
    let setting = Setting::new();
    let writer = File::create(setting.sandbox.path(".out.tar.lock")).expect("a file");
    writer.lock().expect("a lock");
    let mut copy = setting.sandbox.command(signet());
    copy.args(["copy", &setting.image, "oci-archive:out.tar"]).stderr(Stdio::piped()).stdout(Stdio::null());
    let mut copy = copy.spawn().expect("signet runs");
    let mut said = String::new();
    BufReader::new(copy.stderr.take().expect("piped")).read_line(&mut said).expect("a line");
    assert_eq!(said, "`out.tar` is being written by another process: waiting for it\n");
    drop(writer);
    assert!(copy.wait().expect("it ends").success() && setting.sandbox.path("out.tar").is_file());
}

#[test]
fn a_policy_file_decides_and_may_insist_on_the_name() {
    let setting = Setting::new();
    run(&setting.sandbox, &["sign", "--key", "my.key", &setting.image]).exits(0);
    let key = String::from_utf8(setting.sandbox.read("my.pub")).expect("a PEM file is text");
    let key: String = key.lines().map(|line| format!("        {line}\n")).collect();
    let policy = format!(
        "apiVersion: signet.dev/v1alpha1\nkind: ImagePolicy\nmetadata:\n  name: release\nspec:\n  \
         repository: deny\n  principals:\n    me:\n      key: |\n{key}  rules:\n    - name: signed\n      principals: [me]\n"
    );
    setting.sandbox.write("policy.yaml", policy);
    setting.shows("verify-policy", 0, &["verify", "--policy", "policy.yaml", &setting.image]);
    let mirror = setting.server.repository("mirror").tagged("1");
    run(&setting.sandbox, &["copy", &setting.image, &mirror]).exits(0);
    setting.shows("verify-policy-other-name", 1, &["verify", "--policy", "policy.yaml", &mirror]);
    setting.sandbox.write("policy.yaml", "kind: Nothing");
    setting.shows("verify-policy-invalid", 2, &["verify", "--policy", "policy.yaml", &setting.image]);
}

#[test]
fn the_doctor_tells_what_it_found() {
    let setting = Setting::new();
    let outcome = run(&setting.sandbox, &["doctor", "--image", &setting.image]).exits(0);
    let text: String =
        outcome.stdout.lines().filter(|line| !line.contains("clock")).collect::<Vec<_>>().join("\n");
    assert_snapshot!(
        "doctor",
        text.replace(setting.server.address(), "registry").replace(&digest(&text), "<digest>")
    );
}

fn digest(text: &str) -> String {
    let start = text.find("sha256:").expect("the doctor names the digest");
    text[start..].chars().take("sha256:".len() + 64).collect()
}
