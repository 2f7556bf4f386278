//! pycryptodome and python-cryptography on what cosign does not verify: RSA-PSS, Ed25519ph, ML-DSA; files and images.
//! `python-peer` is a Python that has both (`.ci/peers` makes it).

use signet_crypto::Digest;
use signet_testkit::{Outcome, Peer, RegistryServer, Repository, Sandbox, peers};

use crate::attack::Stored;
use crate::{denied, signet, verify};

/// What `--algorithm` takes, what `--signing-algorithm` must be told beside, and what the judge calls it.
const SCHEMES: [(&str, &[&str], &str); 5] = [
    ("rsa2048", &["--signing-algorithm", "rsa-sign-pss-2048-sha256"], "rsa-pss-sha256"),
    ("ed25519", &["--signing-algorithm", "ed25519-ph"], "ed25519ph"),
    ("ml-dsa-44", &[], "ml-dsa-44"),
    ("ml-dsa-65", &[], "ml-dsa-65"),
    ("ml-dsa-87", &[], "ml-dsa-87"),
];

const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

#[test]
fn a_file_signed_by_signet_is_accepted_by_python() {
    let Some([python]) = peers(["python-peer"]) else { return };
    let sandbox = files();
    for (algorithm, flags, scheme) in SCHEMES {
        let key = ["keys", "generate", "--no-password", "--algorithm", algorithm, "--out", scheme];
        sandbox.run(signet(), &key).succeeds();
        let (key, public, bundle) = names(scheme);
        let sign = ["sign-blob", "--key", &key, "--bundle", &bundle];
        sandbox.run(signet(), &[&sign[..], flags, &["file"]].concat()).succeeds();
        verifies(&sandbox, &public, &bundle, "file").succeeds();
        judge(&sandbox, &python, &["verify", scheme, &public, &bundle, "file"]).succeeds();
        let changed = judge(&sandbox, &python, &["verify", scheme, &public, &bundle, "changed"]);
        changed.refuses_saying(&["refused: "]);
    }
}

#[test]
fn a_file_signed_by_python_is_accepted_by_signet() {
    let Some([python]) = peers(["python-peer"]) else { return };
    let sandbox = files();
    for (_, _, scheme) in SCHEMES {
        for form in ["message", "dsse"] {
            let (_, public, bundle) = names(&format!("{scheme}-{form}"));
            judge(&sandbox, &python, &["sign", scheme, form, &public, &bundle, "file"]).succeeds();
            judge(&sandbox, &python, &["verify", scheme, &public, &bundle, "file"]).succeeds();
            verifies(&sandbox, &public, &bundle, "file").succeeds();
            denied(&verifies(&sandbox, &public, &bundle, "changed"));
        }
    }
}

#[test]
fn a_file_signed_by_another_python_key_is_refused() {
    let Some([python]) = peers(["python-peer"]) else { return };
    let sandbox = files();
    for (_, _, scheme) in SCHEMES {
        for name in ["first", "second"] {
            let (_, public, bundle) = names(name);
            judge(&sandbox, &python, &["sign", scheme, "message", &public, &bundle, "file"]).succeeds();
        }
        denied(&verifies(&sandbox, "first.pub", "second.json", "file"));
    }
}

/// The bundle is taken out of the registry as any client would; what it is about is the image's manifest.
#[test]
fn an_image_signed_by_signet_is_accepted_by_python() {
    let Some([python]) = peers(["python-peer"]) else { return };
    let (sandbox, server) = (files(), RegistryServer::signet(signet()));
    for (algorithm, flags, scheme) in SCHEMES {
        let generate = ["keys", "generate", "--no-password", "--algorithm", algorithm, "--out", scheme];
        sandbox.run(signet(), &generate).succeeds();
        let (key, public, bundle) = names(scheme);
        let (repository, digest) = image(&sandbox, &server, scheme);
        let image = repository.at(&digest);
        let sign = [&["sign", "--key", &key], flags, &[&image]].concat();
        sandbox.run(signet(), &sign).succeeds();
        verify(&sandbox, &public, &image).succeeds();
        sandbox.write(&bundle, Stored::Bundle.blob(&repository, &digest));
        judge(&sandbox, &python, &["verify", scheme, &public, &bundle, "manifest"]).succeeds();
        let changed = judge(&sandbox, &python, &["verify", scheme, &public, &bundle, "changed"]);
        changed.refuses_saying(&["refused: "]);
        Stored::Bundle.tamper(&repository, &digest);
        sandbox.write(&bundle, Stored::Bundle.blob(&repository, &digest));
        let tampered = judge(&sandbox, &python, &["verify", scheme, &public, &bundle, "manifest"]);
        tampered.refuses_saying(&["refused: the signature"]);
        denied(&verify(&sandbox, &public, &image));
    }
}

#[test]
fn an_image_signed_by_python_is_accepted_by_signet() {
    let Some([python]) = peers(["python-peer"]) else { return };
    let (sandbox, server) = (files(), RegistryServer::signet(signet()));
    for (_, _, scheme) in SCHEMES {
        for form in ["message", "dsse"] {
            let (_, public, bundle) = names(&format!("{scheme}-{form}"));
            let (repository, digest) = image(&sandbox, &server, &format!("{scheme}-{form}"));
            judge(&sandbox, &python, &["sign", scheme, form, &public, &bundle, "manifest"]).succeeds();
            denied(&verify(&sandbox, &public, &repository.at(&digest)));
            repository.push_referrer(&digest, BUNDLE, &sandbox.read(&bundle));
            verify(&sandbox, &public, &repository.at(&digest)).succeeds();
            let other = repository.push_image("other", "other content");
            repository.push_referrer(&other, BUNDLE, &sandbox.read(&bundle));
            denied(&verify(&sandbox, &public, &repository.at(&other)));
        }
    }
}

/// An image of its own, whose manifest is the file `manifest`.
fn image(sandbox: &Sandbox, server: &RegistryServer, name: &str) -> (Repository, Digest) {
    let repository = server.repository(name);
    let digest = repository.push_image("1", name);
    let manifest = repository.manifest("1").expect("it was pushed").to_string();
    assert_eq!(Digest::sha256(manifest.as_bytes()), digest, "the manifest is read as it was pushed");
    sandbox.write("manifest", manifest);
    (repository, digest)
}

fn files() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("file", "what is signed\n");
    sandbox.write("changed", "what is  signed\n");
    sandbox.write("judge.py", include_str!("judge.py"));
    sandbox
}

fn names(prefix: &str) -> (String, String, String) {
    (format!("{prefix}.key"), format!("{prefix}.pub"), format!("{prefix}.json"))
}

fn judge(sandbox: &Sandbox, python: &Peer, args: &[&str]) -> Outcome {
    sandbox.run(python, &[&["judge.py"], args].concat())
}

fn verifies(sandbox: &Sandbox, public: &str, bundle: &str, file: &str) -> Outcome {
    sandbox.run(signet(), &["verify-blob", "--key", public, "--bundle", bundle, file])
}
