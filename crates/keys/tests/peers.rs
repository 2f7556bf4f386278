//! cosign, OpenSSL and python-cryptography read what we write, and we read what they write.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail by panicking and say what is skipped"
)]

use std::fs;
use std::process::{Command, Output, Stdio};

use signet_crypto::{KeyAlgorithm, Scheme};
use signet_keys::{
    Existing, Pair, Password, PasswordSource, Payload, PrivateFormat, PrivateKey, PublicFormat,
    describe_file, encode_public, read_private, read_private_bytes, read_public, read_public_bytes,
    write_pair,
};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse";

const CLASSICAL: [KeyAlgorithm; 5] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::EcdsaP521,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::Rsa { bits: 2048 },
];

#[test]
fn cosign_generates_what_we_read() {
    let Some(cosign) = Peer::find("cosign", &["version"]) else { return };
    for password in [PASSWORD, ""] {
        let bench = Bench::new();
        cosign.run(&bench, &["generate-key-pair", "--output-key-prefix", "k"], password);
        let key = bench.private("k.key", password);
        assert_eq!(read_public(&bench.path("k.pub")).unwrap(), *key.public_key());
        let info = describe_file(&bench.path("k.key")).unwrap();
        assert_eq!(info.format, "sigstore-encrypted");
        assert_eq!(info.encryption.as_deref(), Some("nacl/secretbox, scrypt N=65536 r=8 p=1"));
    }
}

#[test]
fn cosign_imports_what_we_write_and_we_read_its_import() {
    let Some(cosign) = Peer::find("cosign", &["version"]) else { return };
    for algorithm in CLASSICAL {
        for format in [PrivateFormat::Pkcs8, PrivateFormat::Traditional] {
            let key = PrivateKey::generate(algorithm).unwrap();
            let Ok(file) = key.encode(format) else { continue };
            let bench = Bench::new();
            fs::write(bench.path("plain"), &file).unwrap();
            cosign.run(
                &bench,
                &["import-key-pair", "--key", "plain", "--output-key-prefix", "k", "--yes"],
                PASSWORD,
            );
            assert_eq!(bench.private("k.key", PASSWORD).public_key(), key.public_key(), "{algorithm}");
        }
    }
}

#[test]
fn cosign_reads_what_we_write() {
    for name in ["cosign", "cosign2"] {
        let Some(cosign) = Peer::find(name, &["version"]) else { continue };
        for password in [PASSWORD, ""] {
            for algorithm in CLASSICAL {
                let (bench, key, pair) = written(algorithm, password);
                let pem = cosign.run(&bench, &["public-key", "--key", "k.key"], password);
                assert_eq!(read_public_bytes(&pem.stdout).unwrap(), *key.public_key(), "{algorithm}");
                assert_eq!(read_public(&pair.public).unwrap(), *key.public_key());
            }
        }
        let (bench, ..) = written(KeyAlgorithm::EcdsaP256, PASSWORD);
        let refused = cosign.output(&bench, &["public-key", "--key", "k.key"], "wrong");
        assert!(!refused.status.success(), "{name} opened our file with a wrong password");
    }
}

#[test]
fn cosign_verifies_what_we_sign() {
    let Some(cosign) = Peer::find("cosign", &["version"]) else { return };
    // cosign 3.1 takes SHA-256 by default, and pure Ed25519; a signature of ours over a blob is enough here.
    for (algorithm, scheme, more) in [
        (KeyAlgorithm::EcdsaP256, Scheme::EcdsaP256Sha256, None),
        (KeyAlgorithm::EcdsaP521, Scheme::EcdsaP521Sha256, None),
        (KeyAlgorithm::EcdsaP384, Scheme::EcdsaP384Sha384, Some("sha384")),
        (KeyAlgorithm::EcdsaP521, Scheme::EcdsaP521Sha512, Some("sha512")),
        (KeyAlgorithm::Rsa { bits: 2048 }, Scheme::RsaPkcs1Sha256, None),
        (KeyAlgorithm::Ed25519, Scheme::Ed25519, None),
    ] {
        let (bench, key, _) = written(algorithm, "");
        fs::write(bench.path("blob"), b"what is signed").unwrap();
        let signature = key.sign(scheme, Payload::Message(b"what is signed")).unwrap();
        let base64 = <base64ct::Base64 as base64ct::Encoding>::encode_string(&signature);
        fs::write(bench.path("sig"), base64).unwrap();
        let mut arguments = vec!["verify-blob", "--key", "k.pub", "--signature", "sig"];
        arguments.extend(["--insecure-ignore-tlog", "--new-bundle-format=false"]);
        arguments.extend(more.iter().flat_map(|hash| ["--signature-digest-algorithm", hash]));
        arguments.push("blob");
        cosign.run(&bench, &arguments, "");
        fs::write(bench.path("blob"), b"another").unwrap();
        assert!(!cosign.output(&bench, &arguments, "").status.success(), "{scheme}");
    }
}

#[test]
fn openssl_writes_what_we_read() {
    let Some(openssl) = Peer::find("openssl", &["version"]) else { return };
    let bench = Bench::new();
    for (options, algorithm) in GENPKEY {
        let options: Vec<_> = options.split(' ').collect();
        openssl.run(&bench, &[&["genpkey", "-out", "k"], &options[..]].concat(), "");
        let key = bench.private("k", PASSWORD);
        assert_eq!(key.public_key().algorithm(), algorithm);
        openssl.run(&bench, &["pkey", "-in", "k", "-pubout", "-out", "pub"], "");
        assert_eq!(read_public(&bench.path("pub")).unwrap(), *key.public_key());
        let pkcs8 = ["pkcs8", "-topk8", "-in", "k", "-out", "sealed", "-passout", "env:COSIGN_PASSWORD"];
        for encryption in PBES2 {
            let encryption: Vec<_> = encryption.split(' ').collect();
            openssl.run(&bench, &[&pkcs8[..], &encryption].concat(), PASSWORD);
            let again = bench.private("sealed", PASSWORD);
            assert_eq!(again.public_key(), key.public_key(), "{encryption:?}");
        }
        if algorithm != KeyAlgorithm::Ed25519 {
            openssl.run(&bench, &["pkey", "-in", "k", "-traditional", "-out", "old"], "");
            assert_eq!(bench.private("old", PASSWORD).public_key(), key.public_key());
        }
    }
}

#[test]
fn openssl_forms_we_do_not_take_are_named() {
    let Some(openssl) = Peer::find("openssl", &["version"]) else { return };
    let bench = Bench::new();
    for (arguments, what) in [
        ("ecparam -name secp256k1 -genkey -out k", "unsupported key algorithm"),
        ("ecparam -name prime256v1 -param_enc explicit -genkey -out k", "named curve"),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out k", "unsupported key algorithm"),
        ("genpkey -algorithm X25519 -out k", "unsupported key algorithm"),
        ("genrsa -aes128 -traditional -passout env:COSIGN_PASSWORD -out k 2048", "old PEM encryption"),
        ("genpkey -algorithm ED25519 -des3 -pass env:COSIGN_PASSWORD -out k", "not PBES2 with"),
    ] {
        let arguments: Vec<_> = arguments.split(' ').collect();
        openssl.run(&bench, &arguments, PASSWORD);
        let ask = || Ok(Password::new(PASSWORD.into()));
        let error = read_private_bytes(&fs::read(bench.path("k")).unwrap(), &ask).unwrap_err();
        assert!(error.to_string().contains(what), "{arguments:?}: {error}");
    }
    openssl.run(&bench, &["ecparam", "-name", "secp384r1", "-genkey", "-out", "k"], "");
    let with_parameters = fs::read_to_string(bench.path("k")).unwrap();
    assert!(with_parameters.contains("BEGIN EC PARAMETERS"));
    assert_eq!(bench.private("k", "").public_key().algorithm(), KeyAlgorithm::EcdsaP384);
}

#[test]
fn openssl_reads_what_we_write() {
    let Some(openssl) = Peer::find("openssl", &["version"]) else { return };
    let bench = Bench::new();
    let password = Password::new(PASSWORD.into());
    for algorithm in CLASSICAL {
        let key = PrivateKey::generate(algorithm).unwrap();
        for format in
            [PrivateFormat::Pkcs8, PrivateFormat::EncryptedPkcs8(&password), PrivateFormat::Traditional]
        {
            let Ok(file) = key.encode(format) else { continue };
            fs::write(bench.path("k"), &file).unwrap();
            let arguments = ["pkey", "-in", "k", "-passin", "env:COSIGN_PASSWORD", "-pubout"];
            let public = openssl.run(&bench, &arguments, PASSWORD).stdout;
            assert_eq!(read_public_bytes(&public).unwrap(), *key.public_key(), "{algorithm} {format:?}");
        }
        let public = encode_public(key.public_key(), PublicFormat::Pem).unwrap();
        fs::write(bench.path("pub"), public).unwrap();
        openssl.run(&bench, &["pkey", "-pubin", "-in", "pub", "-noout"], "");
    }
}

#[test]
fn node_reads_our_json_web_keys_and_we_read_its() {
    let Some(node) = Peer::find("node", &["--version"]) else { return };
    let bench = Bench::new();
    for algorithm in CLASSICAL {
        let key = PrivateKey::generate(algorithm).unwrap();
        fs::write(bench.path("jwk"), key.encode(PrivateFormat::Jwk).unwrap()).unwrap();
        fs::write(bench.path("pub"), encode_public(key.public_key(), PublicFormat::Jwk).unwrap()).unwrap();
        node.run(&bench, &["-e", NODE_JUDGE], "");
        assert_eq!(fs::read(bench.path("spki")).unwrap(), key.public_key().spki_der(), "{algorithm}");
        assert_eq!(bench.private("theirs", "").public_key(), key.public_key());
        assert_eq!(read_public(&bench.path("theirs.pub")).unwrap(), *key.public_key());
    }
}

/// Loads the private `jwk` and the public `pub`; writes the SPKI and both halves again.
const NODE_JUDGE: &str = "
const fs = require('fs'), crypto = require('crypto');
const jwk = name => ({ key: JSON.parse(fs.readFileSync(name)), format: 'jwk' });
const key = crypto.createPrivateKey(jwk('jwk')), pub = crypto.createPublicKey(jwk('pub'));
if (!crypto.createPublicKey(key).equals(pub)) throw new Error('halves differ');
fs.writeFileSync('spki', pub.export({ type: 'spki', format: 'der' }));
fs.writeFileSync('theirs', JSON.stringify(key.export({ format: 'jwk' })));
fs.writeFileSync('theirs.pub', JSON.stringify(pub.export({ format: 'jwk' })));
";

/// cosign cannot judge ML-DSA, PSS and Ed25519ph; python-cryptography can the first two.
#[test]
fn python_cryptography_reads_and_verifies_ml_dsa_and_pss() {
    let Some(python) = Peer::python() else { return };
    let bench = Bench::new();
    for (algorithm, scheme) in [
        (KeyAlgorithm::MlDsa44, Scheme::MlDsa44),
        (KeyAlgorithm::MlDsa65, Scheme::MlDsa65),
        (KeyAlgorithm::MlDsa87, Scheme::MlDsa87),
        (KeyAlgorithm::Rsa { bits: 2048 }, Scheme::RsaPssSha256),
    ] {
        let key = PrivateKey::generate(algorithm).unwrap();
        fs::write(bench.path("k"), key.encode(PrivateFormat::Pkcs8).unwrap()).unwrap();
        fs::write(bench.path("sig"), key.sign(scheme, Payload::Message(b"message")).unwrap()).unwrap();
        fs::write(bench.path("pub"), key.public_key().spki_der()).unwrap();
        python.run(&bench, &["-c", PYTHON_JUDGE], "");
        let theirs = fs::read(bench.path("theirs")).unwrap();
        key.public_key().verify(scheme, b"message", &theirs).unwrap();
        let rewritten = bench.private("rewritten", "");
        assert_eq!(rewritten.public_key(), key.public_key(), "{algorithm}");
    }
}

/// Loads `k`, checks `pub` and `sig`, signs into `theirs`, writes the key again into `rewritten`.
const PYTHON_JUDGE: &str = "
from cryptography.hazmat.primitives import hashes, serialization as s
from cryptography.hazmat.primitives.asymmetric import padding, rsa
key = s.load_pem_private_key(open('k', 'rb').read(), None)
public = s.load_der_public_key(open('pub', 'rb').read())
spki = (s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)
assert key.public_key().public_bytes(*spki) == public.public_bytes(*spki)
pss = (padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
more = pss if isinstance(key, rsa.RSAPrivateKey) else ()
public.verify(open('sig', 'rb').read(), b'message', *more)
open('theirs', 'wb').write(key.sign(b'message', *more))
pem = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
open('rewritten', 'wb').write(pem)
";

const GENPKEY: [(&str, KeyAlgorithm); 6] = [
    ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", KeyAlgorithm::EcdsaP256),
    ("-algorithm EC -pkeyopt ec_paramgen_curve:P-384", KeyAlgorithm::EcdsaP384),
    ("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", KeyAlgorithm::EcdsaP521),
    ("-algorithm ED25519", KeyAlgorithm::Ed25519),
    ("-algorithm RSA -pkeyopt rsa_keygen_bits:2048", KeyAlgorithm::Rsa { bits: 2048 }),
    ("-algorithm RSA -pkeyopt rsa_keygen_bits:3072", KeyAlgorithm::Rsa { bits: 3072 }),
];

const PBES2: [&str; 6] = [
    "-v2 aes-256-cbc",
    "-v2 aes-128-cbc -v2prf hmacWithSHA1",
    "-v2 aes-192-cbc -v2prf hmacWithSHA512",
    "-v2 aes-256-cbc -v2prf hmacWithSHA384 -iter 100000",
    "-scrypt",
    "-scrypt -scrypt_N 8192 -scrypt_r 16 -scrypt_p 2",
];

/// A peer's program.
struct Peer(String);

impl Peer {
    fn find(program: &str, probe: &[&str]) -> Option<Self> {
        let found = Command::new(program).args(probe).output().is_ok_and(|output| output.status.success());
        if found {
            return Some(Self(program.to_owned()));
        }
        let required = std::env::var("SIGNET_REQUIRE_PEERS").is_ok_and(|value| value == "1");
        assert!(!required, "{program} is required and absent");
        println!("skipped: needs {program}");
        None
    }

    /// Python with a `cryptography` that knows ML-DSA; `SIGNET_PYTHON` names another than `python3`.
    fn python() -> Option<Self> {
        let program = std::env::var("SIGNET_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        Self::find(&program, &["-c", "from cryptography.hazmat.primitives.asymmetric import mldsa"])
    }

    fn output(&self, bench: &Bench, arguments: &[&str], password: &str) -> Output {
        let mut command = Command::new(&self.0);
        command.args(arguments).current_dir(bench.0.path()).env("COSIGN_PASSWORD", password);
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn run(&self, bench: &Bench, arguments: &[&str], password: &str) -> Output {
        let output = self.output(bench, arguments, password);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {arguments:?}: {said}", self.0);
        output
    }
}

/// A directory for one test.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn private(&self, name: &str, password: &str) -> PrivateKey {
        let secret = self.path("password");
        fs::write(&secret, format!("{password}\n")).unwrap();
        read_private(&self.path(name), &PasswordSource::file(secret)).unwrap()
    }
}

fn written(algorithm: KeyAlgorithm, password: &str) -> (Bench, PrivateKey, Pair) {
    let bench = Bench::new();
    let key = PrivateKey::generate(algorithm).unwrap();
    let password = Password::new(password.into());
    let format = PrivateFormat::Sigstore(&password);
    let pair = write_pair(&bench.path("k"), &key, format, Existing::Refuse).unwrap();
    (bench, key, pair)
}
