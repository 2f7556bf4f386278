//! `signet trust` and `signet serve trust`: roots made by several people, served, pinned and followed.

use insta::assert_snapshot;
use signet_testkit::{Sandbox, Service, StackServer, vectors};

use crate::service;
use crate::text::shown;
use crate::{run, signet};

#[test]
fn a_trusted_root_is_not_taken_for_the_root_of_a_repository() {
    let sandbox = Sandbox::new();
    sandbox.write("trusted_root.json", TRUSTED_ROOT);
    let refused = run(&sandbox, &["trust", "init", "--root", "trusted_root.json", "http://127.0.0.1:1/tuf"]);
    assert!(refused.says("SGN-1801") && refused.says("`trusted_root.json`: "), "{refused}");
    assert!(refused.says("hint: give the root of a TUF repository"), "{refused}");
}

#[test]
fn a_root_is_made_by_several_and_followed_by_everybody() {
    let sandbox = people(3);
    let create = [
        "trust",
        "create",
        "--data",
        "repo",
        "--root-key",
        "1.pub",
        "--root-key",
        "2.pub",
        "--root-key",
        "3.pub",
    ];
    let rehearsed = run(&sandbox, &[&create[..], &["--rehearse"]].concat()).exits(0);
    assert!(rehearsed.says("nothing was written") && !sandbox.path("repo").exists());
    run(&sandbox, &create).exits(0);
    let publish = ["trust", "publish", "--data", "repo"];
    let unsigned = run(&sandbox, &[&publish[..], &["--rehearse"]].concat()).exits(3);
    assert!(unsigned.says("SGN-1802") && unsigned.says("hint: have enough of those sign it"), "{unsigned}");
    // On the signers' own machines.
    std::fs::rename(sandbox.path("repo/staged/root.json"), sandbox.path("root.json")).expect("it is staged");
    for (key, complete) in [("1.key", false), ("1.key", false), ("3.key", true)] {
        let signed =
            run(&sandbox, &["trust", "sign", "--key", key, "root.json", "--output", "json"]).exits(0);
        assert!(signed.says(&format!("\"complete\": {complete}")), "{signed}");
    }
    sandbox.run(signet(), &["keys", "generate", "--no-password", "--out", "stranger"]).succeeds();
    run(&sandbox, &["trust", "sign", "--key", "stranger.key", "root.json"])
        .exits(2)
        .refuses_saying(&["SGN-3003"]);
    let root = ["--root", "root.json"];
    run(&sandbox, &[&publish[..], &root, &["--rehearse"]].concat()).exits(0);
    sandbox.write("trusted_root.json", TRUSTED_ROOT);
    run(&sandbox, &[&publish[..], &root, &["--trusted-root", "trusted_root.json"]].concat()).exits(0);

    let service = service::serve(&sandbox, &["trust", "--data", "repo"]);
    let url = format!("http://{}/tuf", service.address());
    run(&sandbox, &["trust", "status"]).exits(2).refuses_saying(&["SGN-1808"]);
    run(&sandbox, &["trust", "init", "--root", "root.json", &url]).exits(0);

    // The next root: another person, signed by the old ones and the new ones, published while it is served.
    let rotate = ["trust", "rotate", "--data", "repo", "--remove-root-key", "1.pub", "--new-online-key"];
    run(&sandbox, &rotate).exits(0);
    for key in ["2.key", "3.key"] {
        run(&sandbox, &["trust", "sign", "--key", key, "repo/staged/root.json"]).exits(0);
    }
    run(&sandbox, &publish).exits(0);
    let updated = run(&sandbox, &["trust", "update"]).exits(0);
    assert!(updated.says("root        version 2") && updated.says("trusted_root.json"), "{updated}");
}

/// A script reads the one document that every command prints.
#[test]
fn a_rehearsal_and_a_root_without_a_repository_print_their_document() {
    let sandbox = people(1);
    drop(published(&sandbox, TRUSTED_ROOT));
    let document = |args: &[&str]| -> serde_json::Value {
        let printed = run(&sandbox, &[args, &["--output", "json"]].concat()).exits(0).stdout;
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    };
    let publish = ["trust", "publish", "--data", "repo", "--trusted-root", "trusted_root.json"];
    let rehearsed = document(&[&publish[..], &["--rehearse"]].concat());
    assert_eq!(
        (&rehearsed["rehearsed"], &rehearsed["targets"][0]),
        (&true.into(), &"trusted_root.json".into())
    );
    let pinned = document(&["trust", "init", "--root", "root.json"]);
    assert_eq!((&pinned["roles"][0]["role"], &pinned["roles"][0]["version"]), (&"root".into(), &1.into()));
    assert_eq!(pinned["targets"], serde_json::json!([]));
}

#[test]
fn a_machine_without_a_network_is_brought_trust_in_a_file() {
    let sandbox = people(1);
    let service = published(&sandbox, TRUSTED_ROOT);
    let url = format!("http://{}/tuf", service.address());
    run(&sandbox, &["trust", "init", "--root", "root.json", &url]).exits(0);
    run(&sandbox, &["trust", "export", "--out", "bundle.json", "--max-age-days", "30"]).exits(0);
    drop(service);
    let there = ["--trust-dir", "there"];
    run(&sandbox, &[&["trust", "import", "bundle.json"][..], &there].concat())
        .exits(2)
        .refuses_saying(&["SGN-1808"]);
    run(&sandbox, &[&["trust", "init", "--root", "root.json"][..], &there].concat()).exits(0);
    run(&sandbox, &[&["trust", "update"][..], &there].concat()).exits(2).refuses_saying(&["trust import"]);
    let imported = run(&sandbox, &[&["trust", "import", "bundle.json"][..], &there].concat()).exits(0);
    assert!(imported.says("max age     2592000 s"), "{imported}");
    sandbox
        .write("bundle.json", String::from_utf8_lossy(&sandbox.read("bundle.json")).replace("ewog", "ewoh"));
    run(&sandbox, &[&["trust", "import", "bundle.json"][..], &there].concat())
        .exits(3)
        .refuses_saying(&["SGN-1801"]);
    run(&sandbox, &[&["trust", "status"][..], &there].concat()).exits(0);
    // And the repository is gone for the first one, which goes on with what it has.
    run(&sandbox, &["trust", "update"]).exits(3).refuses_saying(&["SGN-1807"]);
    run(&sandbox, &["trust", "status"]).exits(0);
}

#[test]
fn a_root_that_leads_nowhere_is_not_left_pinned() {
    let sandbox = people(2);
    let service = published(&sandbox, TRUSTED_ROOT);
    let url = format!("http://{}/tuf", service.address());
    run(&sandbox, &["trust", "create", "--data", "other", "--root-key", "2.pub"]).exits(0);
    run(&sandbox, &["trust", "sign", "--key", "2.key", "other/staged/root.json"]).exits(0);
    let init = |root: &str, url: &str| run(&sandbox, &["trust", "init", "--root", root, url]);
    init("other/staged/root.json", &url).exits(3).refuses_saying(&["SGN-1802"]);
    init("root.json", "http://127.0.0.1:1/tuf").exits(3).refuses_saying(&["SGN-1807"]);
    init("root.json", "http://trust.example.com/tuf")
        .exits(3)
        .refuses_saying(&["plain HTTP is spoken with this machine only"]);
    init("root.json", &url).exits(0);
    init("root.json", &url).exits(0);
    init("other/staged/root.json", &url).exits(2).refuses_saying(&["SGN-3005"]);
}

#[test]
fn verify_uses_the_pinned_root_where_none_is_given() {
    let Some(sigstore) = vectors("sigstore") else { return };
    let sandbox = people(1);
    let case = sigstore.join("bundle-verify/happy-path-v0.3/bundle.sigstore.json").display().to_string();
    let file = sigstore.join("bundle-verify/a.txt").display().to_string();
    let signer = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER];
    let verify = || run(&sandbox, &[&["verify-blob", "--bundle", &case][..], &signer, &[&file]].concat());
    let unpinned = verify().exits(2);
    assert!(unpinned.says("SGN-3001") && unpinned.says("signet trust init"), "{unpinned}");

    let root = std::fs::read_to_string(sigstore.join("public-good-trusted_root.json")).expect("it is there");
    let service = published(&sandbox, &root);
    let url = format!("http://{}/tuf", service.address());
    run(&sandbox, &["trust", "init", "--root", "root.json", &url]).exits(0);
    verify().exits(0);
    drop(service);
    verify().exits(0);
    sandbox.write(".local/share/signet/trust/current.json", "{}");
    verify().exits(3).refuses_saying(&["SGN-1807"]);
}

/// Nothing but a pinned root, an identity and its token: which services sign, and who vouches for them, follows.
#[test]
fn an_image_is_signed_and_verified_keyless_with_what_the_pinned_root_leads_to() {
    let sandbox = people(1);
    let stack = StackServer::start(signet(), &sandbox, "up");
    let root = std::fs::read_to_string(stack.trusted_root()).expect("it was written");
    let service = published(&sandbox, &root);
    let publish = ["trust", "publish", "--data", "repo", "--trusted-root", "trusted_root.json"];
    let config = ["--signing-config", stack.signing_config()];
    run(&sandbox, &[&publish[..], &config].concat()).exits(0);
    let url = format!("http://{}/tuf", service.address());
    run(&sandbox, &["trust", "init", "--root", "root.json", &url]).exits(0);

    sandbox.write("token", stack.token(&sandbox, &["--email", "a@b.c"]));
    let repository = stack.repository("app");
    repository.push_index("1", "content");
    let image = repository.tagged("1");
    let issuer = stack.issuer("email");
    let signer = ["--certificate-identity", "a@b.c", "--certificate-oidc-issuer", &issuer];
    run(&sandbox, &[&["verify", &image][..], &signer].concat()).exits(1).refuses_saying(&["SGN-1001"]);
    run(&sandbox, &["sign", "--identity-token", "token", &image]).exits(0);
    run(&sandbox, &[&["verify", &image][..], &signer].concat()).exits(0);
    let other = ["--certificate-identity", "x@b.c", "--certificate-oidc-issuer", &issuer];
    run(&sandbox, &[&["verify", &image][..], &other].concat()).exits(1).refuses_saying(&["SGN-1601"]);

    // The same for a policy that demands the log of a key, and with the repository gone.
    drop(service);
    let policy = "{apiVersion: signet.dev/v1alpha1, kind: ImagePolicy, metadata: {name: p}, spec: {principals: \
                  {a: {certificate: {identity: a@b.c, issuer: 'ISSUER'}}}, rules: [{name: r, principals: [a], logEntries: 1}]}}";
    sandbox.write("policy.yaml", policy.replace("ISSUER", &issuer));
    run(&sandbox, &["verify", "--policy", "policy.yaml", &image]).exits(0);
    run(&sandbox, &["keys", "generate", "--no-password", "--out", "key"]).exits(0);
    run(&sandbox, &["sign", "--key", "key.key", "--use-signing-config", &image]).exits(0);
    let public = String::from_utf8(sandbox.read("key.pub")).expect("PEM is text");
    let indented: String = public.lines().map(|line| format!("        {line}\n")).collect();
    let keyed = format!(
        "apiVersion: signet.dev/v1alpha1\nkind: ImagePolicy\nmetadata: {{name: p}}\nspec:\n  principals:\n    a:\n      \
         key: |\n{indented}  rules: [{{name: r, principals: [a], logEntries: 1, timestamps: 1}}]\n"
    );
    sandbox.write("policy.yaml", keyed);
    run(&sandbox, &["verify", "--policy", "policy.yaml", &image]).exits(0);
}

#[test]
fn what_is_published_and_pinned_is_shown() {
    let sandbox = people(1);
    let create = ["trust", "create", "--data", "repo", "--root-key", "1.pub", "--expires-days", "30"];
    run(&sandbox, &create).exits(0);
    let unsigned = run(&sandbox, &["trust", "publish", "--data", "repo"]).exits(3);
    assert_snapshot!("trust-unsigned", shown(&unsigned));
    let signed = run(&sandbox, &["trust", "sign", "--key", "1.key", "repo/staged/root.json"]).exits(0);
    assert_snapshot!("trust-signed", undated(&shown(&signed)));
    let published = run(&sandbox, &["trust", "publish", "--data", "repo"]).exits(0);
    assert_snapshot!("trust-published", undated(&shown(&published)));
    run(&sandbox, &["serve", "trust", "--data", "nothing"]).exits(3).refuses_saying(&["SGN-1806"]);
}

/// The text without its times of this year and later, and without how many days are left until one.
fn undated(text: &str) -> String {
    let is_time = |word: &str| word.len() == 20 && word.starts_with("20") && word.ends_with('Z');
    let undated = |word: &str| match word.trim_end_matches([':', ',']) {
        time if is_time(time) => word.replace(time, "<time>"),
        "29" => "30".to_owned(),
        _ => word.to_owned(),
    };
    text.split_inclusive([' ', '\n'])
        .map(|word| word.replace(word.trim_end(), &undated(word.trim_end())))
        .collect()
}

/// A sandbox with the key pairs `1`, `2`, and so on.
fn people(count: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    for number in 1..=count {
        person(&sandbox, &number.to_string());
    }
    sandbox
}

/// The key pair of somebody who signs roots.
pub(crate) fn person(sandbox: &Sandbox, name: &str) {
    run(sandbox, &["keys", "generate", "--no-password", "--out", name]).exits(0);
}

/// A repository that the first person has signed, served, with its root in `root.json`.
pub(crate) fn published(sandbox: &Sandbox, trusted_root: &str) -> Service {
    sandbox.write("trusted_root.json", trusted_root);
    run(sandbox, &["trust", "create", "--data", "repo", "--root-key", "1.pub"]).exits(0);
    run(sandbox, &["trust", "sign", "--key", "1.key", "repo/staged/root.json"]).exits(0);
    sandbox.write("root.json", sandbox.read("repo/staged/root.json"));
    run(sandbox, &["trust", "publish", "--data", "repo", "--trusted-root", "trusted_root.json"]).exits(0);
    service::serve(sandbox, &["trust", "--data", "repo"])
}

pub(crate) const TRUSTED_ROOT: &str =
    r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;
const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/\
                        .github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
