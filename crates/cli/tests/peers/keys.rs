//! Key pairs for the suites, made by `signet keys generate` once a process: scrypt takes its time.

use std::path::PathBuf;
use std::sync::LazyLock;

use signet_testkit::Sandbox;

use crate::signet;

/// An algorithm that cosign and Signet both write.
pub(crate) struct Algorithm {
    /// As `--algorithm` takes it; also the prefix of the key's files.
    pub(crate) name: &'static str,
    /// What cosign 3.1 must be told to verify it.
    pub(crate) cosign_flags: &'static [&'static str],
    /// Whether Signet writes the legacy format with it.
    pub(crate) legacy: bool,
}

/// Each algorithm both support.
pub(crate) const ALGORITHMS: [Algorithm; 6] = [
    Algorithm { name: "p256", cosign_flags: &[], legacy: true },
    Algorithm { name: "p384", cosign_flags: &["--signature-digest-algorithm=sha384"], legacy: false },
    Algorithm { name: "p521", cosign_flags: &["--signature-digest-algorithm=sha512"], legacy: false },
    Algorithm { name: "rsa2048", cosign_flags: &[], legacy: true },
    Algorithm { name: "rsa4096", cosign_flags: &[], legacy: true },
    Algorithm { name: "ed25519", cosign_flags: &[], legacy: false },
];

/// The algorithm of a name in [`ALGORITHMS`], and a second key that signed nothing.
pub(crate) const MAIN: &str = "p256";
pub(crate) const OTHER: &str = "rsa2048";

/// The encrypted private key of an algorithm.
pub(crate) fn private(algorithm: &str) -> String {
    file(algorithm, "key")
}

/// The public key of an algorithm.
pub(crate) fn public(algorithm: &str) -> String {
    file(algorithm, "pub")
}

fn file(algorithm: &str, extension: &str) -> String {
    KEYS.join(format!("{algorithm}.{extension}")).display().to_string()
}

/// The folder of the keys: under cargo's directory for test files, so that it is not left in `/tmp`.
static KEYS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("cargo's folder for test files can be written");
    let sandbox = Sandbox::new();
    for algorithm in ALGORITHMS {
        let prefix = folder.join(algorithm.name).display().to_string();
        sandbox
            .run(signet(), &["keys", "generate", "--algorithm", algorithm.name, "--out", &prefix])
            .succeeds();
    }
    folder
});
