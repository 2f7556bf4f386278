//! Several signers at once on a registry that knows neither referrers nor conditions.

use std::thread;

use signet_testkit::{RegistryServer, Sandbox, peers};

use crate::signet;

/// The list under a tag is read, changed and written back there, and the later of two writers wins: what was
/// lost is written again, and whoever cannot be sure is told.
#[test]
fn eight_signers_at_once_on_docker_registry_lose_nothing_unsaid() {
    let Some([registry]) = peers(["docker-registry"]) else { return };
    let sandbox = Sandbox::new();
    let server = RegistryServer::docker(&registry);
    let keys: Vec<String> = (0..8).map(|number| format!("signer{number}")).collect();
    for key in &keys {
        sandbox.run(signet(), &["keys", "generate", "--no-password", "--out", key]).succeeds();
    }
    for format in ["bundle", "cosign-legacy"] {
        let repository = server.repository(format);
        repository.push_image("1", "content");
        let image = repository.tagged("1");
        let signed = thread::scope(|scope| {
            let signers: Vec<_> =
                keys.iter().map(|key| scope.spawn(|| sign(&sandbox, key, format, &image))).collect();
            signers.into_iter().map(|signer| signer.join().expect("the signer ends")).collect::<Vec<_>>()
        });
        for (key, warned) in keys.iter().zip(signed) {
            let verified = sandbox.run(signet(), &["verify", "--key", &format!("{key}.pub"), &image]);
            assert!(verified.code == Some(0) || warned, "lost and not said: {format}, {verified}");
            // What the warning says to do repairs the loss.
            sign(&sandbox, key, format, &image);
            sandbox.run(signet(), &["verify", "--key", &format!("{key}.pub"), &image]).succeeds();
        }
    }
}

/// Signs, and answers whether the signer was told that the signature could be lost.
fn sign(sandbox: &Sandbox, key: &str, format: &str, image: &str) -> bool {
    let key = format!("{key}.key");
    let signed = sandbox.run(signet(), &["sign", "--key", &key, "--format", format, image]).succeeds();
    signed.says("cannot tell concurrent writers apart")
}
