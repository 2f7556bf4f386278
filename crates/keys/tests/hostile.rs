//! Key files that lie, break off or ask for too much: each refused for its own reason.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::cell::Cell;
use std::fs;

use signet_crypto::KeyAlgorithm;
use signet_keys::{
    Error, MAX_KEY_FILE, Password, PasswordError, PasswordSource, PrivateFormat, PrivateKey, PublicFormat,
    describe, encode_public, read_private, read_private_bytes, read_public_bytes,
};

/// A Sigstore key file's JSON with one member replaced, in its PEM armour.
struct SigstoreFile {
    n: &'static str,
    r: &'static str,
    kdf: &'static str,
    cipher: &'static str,
    salt: String,
    nonce: String,
    more: &'static str,
}

impl SigstoreFile {
    fn new() -> Self {
        let (salt, nonce) = (base64_zeros(32), base64_zeros(24));
        Self { n: "65536", r: "8", kdf: "scrypt", cipher: "nacl/secretbox", salt, nonce, more: "" }
    }

    fn pem(&self) -> Vec<u8> {
        let Self { n, r, kdf, cipher, salt, nonce, more } = self;
        let ciphertext = base64_zeros(150);
        let json = format!(
            r#"{{"kdf":{{"name":"{kdf}","params":{{"N":{n},"r":{r},"p":1}},"salt":"{salt}"}},"cipher":{{"name":"{cipher}","nonce":"{nonce}"}},"ciphertext":"{ciphertext}"{more}}}"#
        );
        pem("ENCRYPTED SIGSTORE PRIVATE KEY", json.as_bytes())
    }

    /// The refusal, which must come before the password is asked for, and thus before any derivation.
    fn refusal(&self) -> Error {
        let asked = Cell::new(false);
        let ask = || {
            asked.set(true);
            Ok(Password::default())
        };
        let error = read_private_bytes(&self.pem(), &ask).unwrap_err();
        assert!(!asked.get(), "the password was asked for a file that is refused");
        assert_eq!(describe(&self.pem()).unwrap_err().to_string(), error.to_string());
        error
    }
}

#[test]
fn scrypt_parameters_outside_cosigns_are_refused_before_any_work() {
    for n in ["16384", "65537", "1073741824", "9223372036854775808", "0"] {
        let error = SigstoreFile { n, ..SigstoreFile::new() }.refusal();
        assert!(matches!(error, Error::KdfOutOfBounds { name: "N", .. }), "{n}: {error}");
    }
    for r in ["0", "9", "4294967296"] {
        let error = SigstoreFile { r, ..SigstoreFile::new() }.refusal();
        assert!(matches!(error, Error::KdfOutOfBounds { name: "r", .. }), "{r}: {error}");
    }
    for n in ["-1", "65536.0", "\"65536\"", "99999999999999999999"] {
        let error = SigstoreFile { n, ..SigstoreFile::new() }.refusal();
        assert!(matches!(error, Error::Malformed { .. }), "{n}: {error}");
    }
}

#[test]
fn accepted_costs_reach_the_password() {
    for n in ["32768", "65536", "131072"] {
        let file = SigstoreFile { n, ..SigstoreFile::new() }.pem();
        let error = read_private_bytes(&file, &|| Err(PasswordError::NotSet)).unwrap_err();
        assert!(matches!(error, Error::NoPassword(PasswordError::NotSet)));
    }
    let error = read_private_bytes(&SigstoreFile::new().pem(), &|| Ok(Password::default())).unwrap_err();
    assert!(matches!(error, Error::WrongPassword));
}

#[test]
fn a_malformed_sigstore_envelope_is_refused() {
    let new = SigstoreFile::new;
    for (file, what) in [
        (SigstoreFile { nonce: base64_zeros(23), ..new() }, "the nonce is not 24 bytes long"),
        (SigstoreFile { nonce: String::new(), ..new() }, "the nonce is not 24 bytes long"),
        (SigstoreFile { salt: base64_zeros(31), ..new() }, "the salt is not 32 bytes long"),
        (SigstoreFile { salt: "?".to_owned(), ..new() }, "not base64"),
        (SigstoreFile { more: r#","mode":"x""#, ..new() }, "not the expected JSON"),
        (SigstoreFile { more: r#","ciphertext":"""#, ..new() }, "not the expected JSON"),
        (SigstoreFile { more: "}{", ..new() }, "not the expected JSON"),
    ] {
        match file.refusal() {
            Error::Malformed { what: found, .. } => assert_eq!(found, what),
            other => panic!("{what}: {other}"),
        }
    }
    for file in [SigstoreFile { kdf: "pbkdf2", ..new() }, SigstoreFile { cipher: "aes", ..new() }] {
        assert!(matches!(file.refusal(), Error::UnsupportedEncryption { .. }));
    }
}

#[test]
fn every_truncation_of_every_form_is_an_error() {
    let password = Password::new(b"pw".to_vec());
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    for format in [PrivateFormat::Pkcs8, PrivateFormat::Traditional, PrivateFormat::Jwk] {
        let file = key.encode(format).unwrap();
        let whole = file.trim_ascii_end().len();
        for length in 0..whole {
            let read = read_private_bytes(&file[..length], &|| Ok(password.clone()));
            assert!(read.is_err(), "{format:?} cut to {length} of {whole}");
        }
    }
    for format in [PrivateFormat::Sigstore(&password), PrivateFormat::EncryptedPkcs8(&password)] {
        let file = key.encode(format).unwrap();
        for length in 0..file.trim_ascii_end().len() {
            assert!(describe(&file[..length]).is_err(), "{format:?} cut to {length}");
        }
    }
}

#[test]
fn a_wrong_password_is_said_to_be_wrong() {
    let (right, wrong) = (Password::new(b"right".to_vec()), Password::new(b"wrong".to_vec()));
    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    for format in [PrivateFormat::Sigstore(&right), PrivateFormat::EncryptedPkcs8(&right)] {
        let file = key.encode(format).unwrap();
        for password in [&wrong, &Password::default()] {
            let error = read_private_bytes(&file, &|| Ok(password.clone())).unwrap_err();
            assert!(matches!(error, Error::WrongPassword), "{format:?}: {error}");
        }
    }
}

#[test]
fn the_empty_password_is_a_password() {
    let empty = Password::default();
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    for format in [PrivateFormat::Sigstore(&empty), PrivateFormat::EncryptedPkcs8(&empty)] {
        let file = key.encode(format).unwrap();
        let again = read_private_bytes(&file, &|| Ok(empty.clone())).unwrap();
        assert_eq!(again.public_key(), key.public_key());
    }
}

#[test]
fn halves_are_not_confused() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    for (private, public) in
        [(PrivateFormat::Pkcs8, PublicFormat::Pem), (PrivateFormat::Jwk, PublicFormat::Jwk)]
    {
        let public = encode_public(key.public_key(), public).unwrap();
        let error = read_private_bytes(&public, &|| Ok(Password::default())).unwrap_err();
        assert!(matches!(error, Error::PublicKeyGiven));
        let error = read_public_bytes(&key.encode(private).unwrap()).unwrap_err();
        assert!(matches!(error, Error::PrivateKeyGiven));
    }
}

/// Only the first of several keys was read, and who gave a file of two trusted one without knowing.
#[test]
fn a_file_of_several_keys_is_refused() {
    let [one, other] = [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519].map(|algorithm| {
        let key = PrivateKey::generate(algorithm).unwrap();
        let public = encode_public(key.public_key(), PublicFormat::Pem).unwrap();
        (key.encode(PrivateFormat::Pkcs8).unwrap().to_vec(), public)
    });
    let private = |bytes: &[u8]| read_private_bytes(bytes, &|| Ok(Password::default()));
    let two = [&*one.1, b"another key:\n", &other.1].concat();
    assert!(matches!(read_public_bytes(&two), Err(Error::SeveralKeys)));
    assert!(matches!(describe(&two), Err(Error::SeveralKeys)));
    assert!(matches!(private(&[&*one.0, &other.0].concat()), Err(Error::SeveralKeys)));
    // Both halves of a pair, and what is no key beside one.
    private(&[&*one.0, &one.1].concat()).unwrap();
    read_public_bytes(&[&*one.1, &pem("CERTIFICATE", b"x")].concat()).unwrap();
}

#[test]
fn halves_that_do_not_belong_together_are_refused() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa { bits: 2048 }] {
        let jwk = || {
            let key = PrivateKey::generate(algorithm).unwrap();
            let json = key.encode(PrivateFormat::Jwk).unwrap();
            serde_json::from_slice::<serde_json::Value>(&json).unwrap()
        };
        let (mut mixed, other) = (jwk(), jwk());
        mixed["d"] = other["d"].clone();
        let error =
            read_private_bytes(mixed.to_string().as_bytes(), &|| Ok(Password::default())).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{algorithm}: {error}");
    }
}

/// The point ends the PKCS#8 of an EC key as aws-lc writes it.
#[test]
fn an_ec_key_with_the_point_of_another_is_refused() {
    let pkcs8 = || PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap().to_pkcs8_der().unwrap();
    let (mut mixed, other) = (pkcs8(), pkcs8());
    let point = mixed.len() - 65;
    assert_eq!(mixed[point], 4, "an uncompressed point");
    mixed[point..].copy_from_slice(&other[point..]);
    assert!(matches!(PrivateKey::from_pkcs8_der(&mixed), Err(Error::Malformed { .. })));
}

#[test]
fn json_web_keys_are_read_strictly() {
    let x = "Jv3gGrZzBTPIbHGAvmwhsWOZCJ_qD1PgnqYnEPXnVzQ";
    let okp = |more: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"{more}}}"#);
    read_public_bytes(okp(r#","kid":"1","use":"sig","key_ops":["verify"]"#).as_bytes()).unwrap();
    let doubled = okp(&format!(r#","x":"{x}""#));
    let padded = okp("").replace(x, &format!("{x}="));
    let short = okp("").replace(x, "AAAA");
    for text in [doubled.as_str(), &padded, &short, r#"{"kty":"OKP","crv":"Ed25519"}"#, "{}"] {
        let error = read_public_bytes(text.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{text}: {error}");
    }
    let x25519 = okp("").replace("Ed25519", "X25519");
    let k1 = r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#;
    for text in [x25519.as_str(), k1, r#"{"kty":"oct","k":"AA"}"#, &okp(r#","oth":[]"#)] {
        let error = read_public_bytes(text.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::UnsupportedAlgorithm), "{text}: {error}");
    }
    let stripped = r#"{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}"#;
    let error = read_public_bytes(stripped.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("not as long as the curve's"), "{error}");
}

#[test]
fn what_is_no_key_is_called_so() {
    let certificate = pem("CERTIFICATE", b"x");
    let parameters = pem("EC PARAMETERS", b"x");
    for text in [&b""[..], b"junk", b"\xff\xfe", b"{", b"-----BEGIN ", b"{]", &certificate, &parameters] {
        let error = read_private_bytes(text, &|| Ok(Password::default())).unwrap_err();
        assert!(matches!(error, Error::NotAKey), "{}: {error}", String::from_utf8_lossy(text));
    }
    for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"] {
        let error = read_private_bytes(&pem(label, b"junk"), &|| Ok(Password::default())).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{label}: {error}");
    }
}

#[test]
fn key_files_are_read_up_to_a_limit() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large");
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let mut content = key.encode(PrivateFormat::Pkcs8).unwrap().to_vec();
    content.resize(usize::try_from(MAX_KEY_FILE).unwrap(), b'\n');
    fs::write(&path, &content).unwrap();
    read_private(&path, &PasswordSource::Environment).unwrap();
    content.push(b'\n');
    fs::write(&path, &content).unwrap();
    let refused = read_private(&path, &PasswordSource::Environment).unwrap_err();
    assert!(matches!(refused.error, Error::TooLarge { limit: MAX_KEY_FILE }));
    let absent = read_private(&directory.path().join("absent"), &PasswordSource::Environment).unwrap_err();
    assert!(matches!(absent.error, Error::Unreadable(_)));
}

fn pem(label: &str, content: &[u8]) -> Vec<u8> {
    let text = base64(content);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

fn base64_zeros(length: usize) -> String {
    base64(&vec![0; length])
}

fn base64(bytes: &[u8]) -> String {
    use base64ct::Encoding;
    base64ct::Base64::encode_string(bytes)
}
