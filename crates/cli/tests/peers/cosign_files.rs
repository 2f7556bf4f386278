//! cosign 3.1 and 2.5 on files: `sign-blob --bundle` and `verify-blob`, both ways.

use signet_testkit::{Outcome, Peer, Sandbox, peers};

use crate::keys::{ALGORITHMS, Algorithm, MAIN, private, public};
use crate::{NO_TRUST, SIGN_PREDICATE, denied, signet};

#[test]
fn a_file_signed_by_signet_is_accepted_by_cosign() {
    let Some([cosign, cosign2]) = peers(["cosign", "cosign2"]) else { return };
    let sandbox = files();
    for algorithm in ALGORITHMS {
        let bundle = format!("{}.json", algorithm.name);
        signet_signs(&sandbox, algorithm.name, &bundle).succeeds();
        signet_verifies(&sandbox, algorithm.name, &bundle, "file").succeeds();
        denied(&signet_verifies(&sandbox, algorithm.name, &bundle, "changed"));
        cosign_verifies(&sandbox, &cosign, &algorithm, &bundle, "file").succeeds();
        cosign_verifies(&sandbox, &cosign, &algorithm, &bundle, "changed").refuses_saying(&COSIGN_NO);
        if algorithm.name == MAIN {
            cosign2_verifies(&sandbox, &cosign2, &bundle).succeeds();
        }
    }
}

/// cosign 3.1 signs with the curve's own hash, cosign 2.5 with SHA-256; both sign pure Ed25519 and say
/// no digest.
#[test]
fn a_file_signed_by_cosign_is_accepted_by_signet() {
    let Some([cosign, cosign2]) = peers(["cosign", "cosign2"]) else { return };
    let sandbox = files();
    for algorithm in ALGORITHMS {
        let key = private(algorithm.name);
        let third = ["--use-signing-config=false", "--tlog-upload=false"];
        let second = ["--new-bundle-format", "--tlog-upload=false"];
        for (version, program, flags) in [("3", &cosign, third), ("2", &cosign2, second)] {
            let bundle = format!("{}-cosign{version}.json", algorithm.name);
            let command = ["sign-blob", "--yes", "--key", &key, "--bundle", &bundle];
            sandbox.run(program, &[&command[..], &flags, &["file"]].concat()).succeeds();
            signet_verifies(&sandbox, algorithm.name, &bundle, "file").succeeds();
            denied(&signet_verifies(&sandbox, algorithm.name, &bundle, "changed"));
        }
    }
}

/// What cosign says when a file or a signature is not the right one.
const COSIGN_NO: [&str; 3] = ["failed to verify signature", "invalid signature", "provided artifact digest"];

fn files() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("file", "what is signed\n");
    sandbox.write("changed", "what is  signed\n");
    sandbox.write("no-trust.json", NO_TRUST);
    sandbox
}

fn signet_signs(sandbox: &Sandbox, algorithm: &str, bundle: &str) -> Outcome {
    sandbox.run(signet(), &["sign-blob", "--key", &private(algorithm), "--bundle", bundle, "file"])
}

fn signet_verifies(sandbox: &Sandbox, algorithm: &str, bundle: &str, file: &str) -> Outcome {
    sandbox.run(signet(), &["verify-blob", "--key", &public(algorithm), "--bundle", bundle, file])
}

fn cosign_verifies(
    sandbox: &Sandbox,
    cosign: &Peer,
    algorithm: &Algorithm,
    bundle: &str,
    file: &str,
) -> Outcome {
    let key = public(algorithm.name);
    let command = ["verify-blob", "--key", &key, "--bundle", bundle, "--insecure-ignore-tlog"];
    // Signet signs a statement over an Ed25519 file, which cosign calls an attestation.
    let attestation = [
        "verify-blob-attestation",
        "--key",
        &key,
        "--bundle",
        bundle,
        "--insecure-ignore-tlog",
        "--type",
        SIGN_PREDICATE,
    ];
    let command: &[&str] = if algorithm.name == "ed25519" { &attestation } else { &command };
    sandbox.run(cosign, &[command, algorithm.cosign_flags, &[file]].concat())
}

fn cosign2_verifies(sandbox: &Sandbox, cosign2: &Peer, bundle: &str) -> Outcome {
    let key = public(MAIN);
    let trust = ["--new-bundle-format", "--trusted-root", "no-trust.json", "--insecure-ignore-tlog"];
    let command = ["verify-blob", "--key", &key, "--bundle", bundle];
    sandbox.run(cosign2, &[&command[..], &trust, &["file"]].concat())
}
