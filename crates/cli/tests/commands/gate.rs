//! `signet serve registry` with users, TLS and a policy, as those users meet it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use signet_testkit::{Outcome, RegistryServer, Sandbox};

use crate::text::shown;
use crate::{run, signet, with_keys};

/// `ci:correct horse` and `alice:battery staple`, as `htpasswd -B` hashes them.
const USERS: &str = "\
ci:$2b$05$hWTLxSy.tcT2Yh77PGzEteSV9GFJIqkSpGbnsP5abPJmhT4H.nEO2
alice:$2b$05$7q4VlzA7t4bheeXPDcNthe6KGjM.yN.uZ2t2dwdrIasVbk8By76N.
";
const ACCESS: &str = r#"{"rules": [
  {"users": ["ci"], "repositories": ["team"], "rights": ["pull", "push"]},
  {"users": ["*"], "repositories": ["*"], "rights": ["pull"]}
]}"#;

/// A gated registry, an unsigned index in a layout, and keys of which the policy wants `my`.
struct Setting {
    sandbox: Sandbox,
    server: RegistryServer,
}

impl Setting {
    fn new() -> Self {
        Self::with("", &[])
    }

    /// With more in the policy's `spec`, and more options.
    fn with(spec: &str, more: &[&str]) -> Self {
        let sandbox = with_keys();
        let policy = policy(spec, &indented_key(&sandbox, "my.pub"));
        let options = [("--htpasswd", USERS), ("--access", ACCESS), ("--require-signed", &policy)];
        let options = options.map(|(option, content)| {
            [option.to_owned(), sandbox.write(option, content).display().to_string()]
        });
        let mut options: Vec<&str> = options.iter().flatten().map(String::as_str).collect();
        options.extend(more);
        let server = RegistryServer::signet_with(signet(), &options);
        let open = RegistryServer::signet(signet());
        open.repository("app").push_index("1", "content");
        run(&sandbox, &["copy", &open.repository("app").tagged("1"), "oci:layout:1"]).exits(0);
        Self { sandbox, server }
    }

    fn image(&self) -> String {
        self.server.repository("team/app").tagged("1")
    }

    fn ci(&self, args: &[&str]) -> Outcome {
        self.sandbox.log_in(self.server.address(), "ci", "correct horse");
        run(&self.sandbox, args)
    }

    fn alice(&self, args: &[&str]) -> Outcome {
        self.sandbox.log_in(self.server.address(), "alice", "battery staple");
        run(&self.sandbox, args)
    }

    fn shown(&self, outcome: &Outcome) -> String {
        shown(outcome).replace(self.server.address(), "registry")
    }
}

/// The key as it stands in a policy.
fn indented_key(sandbox: &Sandbox, file: &str) -> String {
    let key = String::from_utf8(sandbox.read(file)).expect("a PEM file is text");
    key.lines().map(|line| format!("        {line}\n")).collect()
}

/// A policy that wants one key, with more in its `spec`.
fn policy(spec: &str, key: &str) -> String {
    format!(
        "apiVersion: signet.dev/v1alpha1\nkind: ImagePolicy\nmetadata:\n  name: release\nspec:\n{spec}  principals:\n    \
         me:\n      key: |\n{key}  rules:\n    - name: signed\n      principals: [me]\n"
    )
}

#[test]
fn what_the_policy_denies_is_not_served_and_the_pusher_may_read_what_it_signs() {
    let setting = Setting::new();
    let image = setting.image();
    setting.ci(&["copy", "oci:layout:1", &image]).exits(0);
    let refused = setting.alice(&["copy", &image, "oci:refused:1"]).exits(3);
    assert_snapshot!("gate-copy-refused", setting.shown(&refused));
    let refused = setting.alice(&["verify", "--key", "my.pub", &image]).exits(3);
    assert_snapshot!("gate-verify-refused", setting.shown(&refused));
    setting.ci(&["sign", "--key", "other.key", &image]).exits(0);
    setting.alice(&["copy", &image, "oci:refused:1"]).exits(3).refuses_saying(&["SGN-4006"]);
    setting.ci(&["sign", "--key", "my.key", &image]).exits(0);
    setting.alice(&["verify", "--key", "my.pub", &image]).exits(0);
    setting.alice(&["copy", &image, "oci:pulled:1"]).exits(0);
    run(&setting.sandbox, &["verify", "--key", "my.pub", "oci:pulled:1"]).exits(0);
}

/// One bill of materials that nobody had signed kept the image, which podman pulls, from every copy.
#[test]
fn an_image_that_is_permitted_is_copied_without_what_is_not() {
    let setting = Setting::new();
    let server = RegistryServer::signet(signet());
    let outside = server.repository("team/app");
    let (index, _) = outside.push_index("1", "content");
    let sbom = outside.push_referrer(&index, "application/spdx+json", b"{}");
    let image = setting.image();
    setting.ci(&["copy", &outside.tagged("1"), &image]).exits(0);
    setting.ci(&["sign", "--key", "my.key", &image]).exits(0);
    let copied = setting.alice(&["copy", &image, "oci:pulled:1"]).exits(0);
    assert!(copied.stderr.contains(&format!("{sbom} is attached and ")), "{}", copied.stderr);
    run(&setting.sandbox, &["verify", "--key", "my.pub", "oci:pulled:1"]).exits(0);
    let alone = setting.alice(&["copy", "--no-referrers", &image, "oci:alone:1"]).exits(0);
    assert_eq!(alone.stderr, "");
    run(&setting.sandbox, &["verify", "--key", "my.pub", "oci:alone:1"]).exits(1);
}

/// Whom nobody trusted any more had been trusted until the registry was started again.
#[test]
fn a_changed_policy_is_taken_over_while_it_serves() {
    let setting = Setting::new();
    let image = setting.image();
    setting.ci(&["copy", "oci:layout:1", &image]).exits(0);
    setting.ci(&["sign", "--key", "my.key", &image]).exits(0);
    setting.alice(&["copy", &image, "oci:pulled:1"]).exits(0);
    let other = policy("", &indented_key(&setting.sandbox, "other.pub"));
    setting.sandbox.write("--require-signed", other);
    let began = Instant::now();
    let refused = loop {
        let pulled = setting.alice(&["copy", &image, "oci:again:1"]);
        if pulled.code != Some(0) || began.elapsed() > Duration::from_secs(120) {
            break pulled;
        }
        sleep(Duration::from_millis(500));
    };
    refused.exits(3).refuses_saying(&["SGN-4006"]);
}

/// `spec.repository: deny` is no less in the registry than it is in `signet verify`.
#[test]
fn an_image_signed_for_another_repository_is_not_served_where_the_policy_says_so() {
    let setting = Setting::with("  repository: deny\n", &["--public-url", "http://registry.example"]);
    run(&setting.sandbox, &["sign", "--key", "my.key", "oci:layout:1"]).exits(0);
    let image = setting.image();
    setting.ci(&["copy", "oci:layout:1", &image]).exits(0);
    setting.alice(&["copy", &image, "oci:pulled:1"]).exits(0);
    let elsewhere = RegistryServer::signet(signet());
    let other = elsewhere.repository("team/moved");
    other.push_index("1", "other content");
    run(&setting.sandbox, &["sign", "--key", "my.key", &other.tagged("1")]).exits(0);
    let moved = setting.server.repository("team/moved").tagged("1");
    setting.ci(&["copy", &other.tagged("1"), &moved]).exits(0);
    setting.alice(&["copy", &moved, "oci:moved:1"]).exits(3).refuses_saying(&["SGN-4006"]);
}

#[test]
fn a_policy_that_compares_repositories_needs_the_registrys_name() {
    let sandbox = with_keys();
    sandbox.write("policy", policy("  repository: deny\n", &indented_key(&sandbox, "my.pub")));
    sandbox.write("users", USERS);
    sandbox.write("access", ACCESS);
    let serve = ["serve", "registry", "--data", "data", "--listen", "127.0.0.1:0", "--htpasswd", "users"];
    let gated = [&serve[..], &["--access", "access", "--require-signed", "policy"]].concat();
    let refused =
        run(&sandbox, &gated).exits(2).refuses_saying(&["SGN-3001", "UsageInvalid", "--public-url"]);
    assert!(refused.says("--public-url"), "{refused}");
    for url in ["registry.example", "https://", "https://registry.example/team", "https://a b"] {
        let refused = run(&sandbox, &[&gated[..], &["--public-url", url]].concat()).exits(2);
        assert!(refused.says("is no URL of a registry"), "{refused}");
    }
    let open = [&serve[..], &["--require-signed", "policy"]].concat();
    assert!(run(&sandbox, &open).exits(2).says("--access"));
}

/// One signature on the outermost index is enough for all that it holds.
#[test]
fn what_a_signed_index_of_indexes_holds_is_served() {
    let setting = Setting::new();
    let server = RegistryServer::signet(signet());
    let open = server.repository("app");
    let (platforms, images) = open.push_index("platforms", "content");
    open.push_index_of("1", &[platforms]);
    run(&setting.sandbox, &["copy", &open.tagged("1"), "oci:nested:1"]).exits(0);
    let image = setting.image();
    setting.ci(&["copy", "oci:nested:1", &image]).exits(0);
    let inner = setting.server.repository("team/app").at(&images[0]);
    setting.alice(&["copy", &inner, "oci:inner:1"]).exits(3).refuses_saying(&["SGN-4006"]);
    setting.ci(&["sign", "--key", "my.key", "--index-only", &image]).exits(0);
    setting.alice(&["copy", &inner, "oci:inner:1"]).exits(0);
    setting.alice(&["copy", &image, "oci:pulled:1"]).exits(0);
}

/// What was decided is remembered by what is attached: the next pull after a signature is gone is refused.
#[test]
fn a_decision_is_not_reused_for_other_evidence() {
    let setting = Setting::new();
    let image = setting.image();
    setting.ci(&["copy", "oci:layout:1", &image]).exits(0);
    let signed =
        setting.ci(&["sign", "--key", "my.key", "--index-only", "--output", "json", &image]).exits(0);
    let signed: serde_json::Value = serde_json::from_str(&signed.stdout).expect("one document");
    let stored = signed["signed"][0]["stored"].as_str().expect("it was stored");
    let referrer = stored.strip_prefix("referrer ").expect("as a referrer");
    for _ in 0..2 {
        setting.alice(&["copy", &image, "oci:pulled:1"]).exits(0);
    }
    let auth = signet_formats::base64::encode(b"ci:correct horse");
    let path = format!("/v2/team/app/manifests/{referrer}");
    let header = format!("Basic {auth}");
    let deleted = signet_testkit::request(
        setting.server.address(),
        "DELETE",
        &path,
        &[("Authorization", &header)],
        &[],
    );
    assert_eq!(deleted.expect("the registry answers").status, 202);
    setting.alice(&["copy", &image, "oci:refused:1"]).exits(3).refuses_saying(&["SGN-4006"]);
}

/// A registry of the host `localhost` whose certificate is `registry.crt` in the sandbox.
fn with_certificate(sandbox: &Sandbox) -> RegistryServer {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
    sandbox.write("registry.crt", cert.pem());
    sandbox.write("registry.key", signing_key.serialize_pem());
    let [cert, key] = ["registry.crt", "registry.key"].map(|name| sandbox.path(name).display().to_string());
    RegistryServer::signet_with(signet(), &["--tls-cert", &cert, "--tls-key", &key])
}

/// Which of the registries on this machine has no certificate is said of each, not of the command.
#[test]
fn an_image_is_copied_between_a_plain_and_a_tls_registry_on_this_machine() {
    let sandbox = with_keys();
    let server = with_certificate(&sandbox);
    let secure = server.repository("app").tagged("1").replace("127.0.0.1", "localhost");
    let open = RegistryServer::signet(signet());
    open.repository("app").push_index("1", "content");
    let plain = open.repository("app").tagged("1");
    let copy = ["copy", &plain, &secure, "--registry-cacert", "registry.crt"];
    let refused = run(&sandbox, &copy).exits(3).refuses_saying(&["SGN-2011"]);
    assert!(refused.says("--allow-http-registry=HOST"), "{refused}");
    let named = format!("--allow-http-registry={}", open.address());
    run(&sandbox, &[&copy[..], &[&named]].concat()).exits(0);
    let back = open.repository("back").tagged("1");
    run(&sandbox, &["copy", &secure, &back, "--registry-cacert", "registry.crt", &named]).exits(0);
    run(&sandbox, &["sign", "--key", "my.key", "--registry-cacert", "registry.crt", &named, &back, &secure])
        .exits(0);
    run(&sandbox, &["verify", "--key", "my.pub", &back]).exits(0);
}

#[test]
fn a_registry_with_a_certificate_is_asked_over_tls() {
    let sandbox = with_keys();
    let server = with_certificate(&sandbox);
    let open = RegistryServer::signet(signet());
    open.repository("app").push_image("1", "content");
    run(&sandbox, &["copy", &open.repository("app").tagged("1"), "oci:layout:1"]).exits(0);
    let image = server.repository("app").tagged("1").replace("127.0.0.1", "localhost");
    let trusted = ["--registry-cacert", "registry.crt"];
    run(&sandbox, &[&["copy", "oci:layout:1", &image][..], &trusted].concat()).exits(0);
    run(&sandbox, &[&["sign", "--key", "my.key", &image][..], &trusted].concat()).exits(0);
    run(&sandbox, &[&["verify", "--key", "my.pub", &image][..], &trusted].concat()).exits(0);
    // Another authority, and no authority at all.
    let other = generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
    sandbox.write("other.crt", other.cert.pem());
    let verify = ["verify", "--key", "my.pub", &image, "--registry-cacert", "other.crt"];
    run(&sandbox, &verify).exits(3).refuses_saying(&["SGN-2013"]);
    run(&sandbox, &["verify", "--key", "my.pub", &image]).exits(3);
}
