//! One trusted root from several: what a stack was before its keys were changed, and what others are.

use serde_json::Value;
use signet_testkit::{Outcome, Sandbox, Service};

use crate::run;
use crate::service;

const EMAIL: &str = "a@b.c";

/// A stack for development with this configuration, and a token of its issuer in `token`.
fn start(sandbox: &Sandbox, more: &str) -> Service {
    sandbox.write("up.yaml", format!("{{apiVersion: signet.dev/v1alpha1, kind: Stack{more}}}"));
    let service = service::up(sandbox, &["--dev", "--config", "up.yaml"]);
    let token = run(sandbox, &["dev-token", "--data", "up", "--email", EMAIL]).exits(0).stdout;
    sandbox.write("token", token);
    service
}

fn sign(sandbox: &Sandbox, service: &Service, bundle: &str) {
    let services =
        ["--signing-config", service.said("signingConfig"), "--trusted-root", service.said("trustedRoot")];
    let sign = ["sign-blob", "--identity-token", "token", "--bundle", bundle, "file"];
    run(sandbox, &[&sign[..], &services].concat()).exits(0);
}

fn verify(sandbox: &Sandbox, root: &str, bundle: &str) -> Outcome {
    let who = ["--certificate-identity", EMAIL, "--certificate-oidc-issuer-regexp", "^http://.*/email$"];
    let verify = ["verify-blob", "--trusted-root", root, "--bundle", bundle, "file"];
    run(sandbox, &[&verify[..], &who].concat())
}

#[test]
fn what_a_retired_key_proved_stays_proven_and_nothing_later_counts() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "content");
    let before = start(&sandbox, "");
    sign(&sandbox, &before, "before.json");
    sandbox.write("old.json", std::fs::read(before.said("trustedRoot")).expect("it was written"));
    drop(before);
    std::fs::create_dir(sandbox.path("aside")).expect("the sandbox is ours");
    for file in ["made.json", "root.key", "root.pem", "tsa.key", "tsa.pem"] {
        let (from, to) = (format!("up/tsa/{file}"), format!("aside/{file}"));
        std::fs::rename(sandbox.path(&from), sandbox.path(&to)).expect("it is there");
    }

    // Without a word about the old key, what it proved is lost.
    let careless = start(&sandbox, "");
    verify(&sandbox, careless.said("trustedRoot"), "before.json").exits(1);
    sign(&sandbox, &careless, "after.json");
    drop(careless);

    let merged =
        run(&sandbox, &["trust", "merge", "--retired", "old.json", "--out", "retired.json"]).exits(0);
    assert_eq!(merged.stdout.matches(" until ").count(), 4, "{merged}");
    let after = start(&sandbox, ", alsoTrust: [retired.json]");
    for bundle in ["before.json", "after.json"] {
        verify(&sandbox, after.said("trustedRoot"), bundle).exits(0);
    }
    let root: Value =
        serde_json::from_slice(&std::fs::read(after.said("trustedRoot")).expect("it was written"))
            .expect("it is JSON");
    let ends = |kind: &str| -> Vec<bool> {
        let all = root[kind].as_array().expect("a list").iter();
        all.map(|one| one.pointer("/validFor/end").or(one.pointer("/publicKey/validFor/end")).is_some())
            .collect()
    };
    // What the stack goes on with is not ended by the file that says so.
    assert_eq!(ends("timestampAuthorities"), [false, true]);
    assert_eq!((ends("tlogs"), ends("ctlogs")), (vec![false], vec![false]));
    assert_eq!(ends("certificateAuthorities"), [false]);

    // Ended before it was used: what it says of the time does not count.
    let early = ["--at", "2026-01-01T00:00:00Z", "--out", "early.json"];
    run(&sandbox, &[&["trust", "merge", "--retired", "old.json"][..], &early].concat()).exits(0);
    verify(&sandbox, "early.json", "before.json").exits(1);
}

#[test]
fn two_instances_are_trusted_by_one_root() {
    let sandbox = Sandbox::new();
    sandbox.write("file", "content");
    let ours = start(&sandbox, "");
    sign(&sandbox, &ours, "ours.json");
    sandbox.write("ours-root.json", std::fs::read(ours.said("trustedRoot")).expect("it was written"));
    drop(ours);
    std::fs::rename(sandbox.path("up"), sandbox.path("first")).expect("it is there");
    let theirs = start(&sandbox, "");
    sign(&sandbox, &theirs, "theirs.json");
    let root = theirs.said("trustedRoot");
    let merge = ["trust", "merge", "ours-root.json", root, "--out", "merged.json"];
    let merged = run(&sandbox, &merge).exits(0);
    assert_eq!(merged.stdout.matches("since").count(), 8, "{merged}");
    for bundle in ["ours.json", "theirs.json"] {
        verify(&sandbox, "merged.json", bundle).exits(0);
    }
    verify(&sandbox, "ours-root.json", "theirs.json").exits(1);
    run(&sandbox, &merge).exits(2).refuses_saying(&["SGN-3005"]);
    run(&sandbox, &["trust", "merge", "--out", "nothing.json"]).exits(2);
    run(&sandbox, &["trust", "merge", "--out", "nothing.json", "file"])
        .exits(2)
        .refuses_saying(&["SGN-3007"]);
}
