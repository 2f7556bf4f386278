//! Every algorithm in every form, written and read again; every scheme signed and verified.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;

use signet_crypto::{Digest, KeyAlgorithm, Scheme};
use signet_keys::{
    Error, Existing, KeyInfo, KeyKind, Pair, Password, PasswordError, PasswordSource, Payload, PrivateFormat,
    PrivateKey, Prompt, PublicFormat, Purpose, SignError, Signer, describe, describe_file, encode_public,
    read_private, read_private_bytes, read_public, read_public_bytes, write_pair, write_private,
};

const ALGORITHMS: [KeyAlgorithm; 8] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::EcdsaP521,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::MlDsa44,
    KeyAlgorithm::MlDsa65,
    KeyAlgorithm::MlDsa87,
    KeyAlgorithm::Rsa { bits: 2048 },
];

fn is_ml_dsa(algorithm: KeyAlgorithm) -> bool {
    matches!(algorithm, KeyAlgorithm::MlDsa44 | KeyAlgorithm::MlDsa65 | KeyAlgorithm::MlDsa87)
}

#[test]
fn every_algorithm_survives_every_form_that_can_hold_it() {
    let password = Password::new(b"correct horse".to_vec());
    for algorithm in ALGORITHMS {
        let key = PrivateKey::generate(algorithm).unwrap();
        assert_eq!(key.public_key().algorithm(), algorithm);
        let traditional = !is_ml_dsa(algorithm) && algorithm != KeyAlgorithm::Ed25519;
        for (format, name, possible) in [
            (PrivateFormat::Sigstore(&password), "sigstore-encrypted", true),
            (PrivateFormat::Pkcs8, "pkcs8", true),
            (PrivateFormat::EncryptedPkcs8(&password), "pkcs8-encrypted", true),
            (
                PrivateFormat::Traditional,
                if algorithm == ALGORITHMS[7] { "pkcs1" } else { "sec1" },
                traditional,
            ),
            (PrivateFormat::Jwk, "jwk", !is_ml_dsa(algorithm)),
        ] {
            let file = match key.encode(format) {
                Ok(file) => file,
                Err(Error::UnsupportedFormat { algorithm: named, .. }) if !possible => {
                    assert_eq!(named, algorithm);
                    continue;
                }
                Err(error) => panic!("{algorithm} as {name}: {error}"),
            };
            assert!(possible, "{algorithm} as {name}");
            let again = read_private_bytes(&file, &|| Ok(password.clone())).unwrap();
            assert_eq!(*again.to_pkcs8_der().unwrap(), *key.to_pkcs8_der().unwrap(), "{algorithm} as {name}");
            let encrypted = name.ends_with("-encrypted");
            let info = describe(&file).unwrap();
            assert_eq!((info.kind, info.format.as_str()), (KeyKind::Private, name));
            assert_eq!(info.encryption.is_some(), encrypted);
            assert_eq!(info.id, (!encrypted).then(|| key.public_key().id()));
        }
    }
}

#[test]
fn the_older_cosign_header_is_read() {
    let password = Password::new(b"pw".to_vec());
    let key = generate_p256();
    let file = key.encode(PrivateFormat::Sigstore(&password)).unwrap();
    let older = String::from_utf8(file.to_vec()).unwrap().replace("SIGSTORE", "COSIGN");
    let again = read_private_bytes(older.as_bytes(), &|| Ok(password.clone())).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    assert_eq!(describe(older.as_bytes()).unwrap().format, "cosign-encrypted");
}

/// RFC 9881 §6: `seed [0]`, `expandedKey`, or `both`, which OpenSSL 3.5 writes.
#[test]
fn ml_dsa_keys_are_read_in_all_three_forms() {
    let key = PrivateKey::generate(KeyAlgorithm::MlDsa44).unwrap();
    let seed_form = key.to_pkcs8_der().unwrap();
    let (head, seed) = seed_form.split_at(seed_form.len() - 32);
    assert_eq!(head[head.len() - 4..], [0x04, 0x22, 0x80, 0x20], "we write the seed");
    let expanded = expanded_ml_dsa_44(seed);
    let expanded_form = pkcs8_ml_dsa_44(&tlv(0x04, &expanded));
    let both_form = pkcs8_ml_dsa_44(&tlv(0x30, &[tlv(0x04, seed), tlv(0x04, &expanded)].concat()));
    for form in [&expanded_form, &both_form] {
        let again = PrivateKey::from_pkcs8_der(form).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        again.sign(Scheme::MlDsa44, Payload::Message(b"m")).unwrap();
    }
    let another = expanded_ml_dsa_44(&[7; 32]);
    let at_odds = pkcs8_ml_dsa_44(&tlv(0x30, &[tlv(0x04, seed), tlv(0x04, &another)].concat()));
    assert!(PrivateKey::from_pkcs8_der(&at_odds).is_err(), "seed and expanded key must agree");
}

#[test]
fn every_public_key_survives_every_form_that_can_hold_it() {
    for algorithm in ALGORITHMS {
        let key = PrivateKey::generate(algorithm).unwrap();
        for format in [PublicFormat::Pem, PublicFormat::Jwk] {
            match encode_public(key.public_key(), format) {
                Ok(file) => {
                    assert_eq!(read_public_bytes(&file).unwrap(), *key.public_key());
                    let info = describe(&file).unwrap();
                    assert_eq!((info.kind, info.algorithm), (KeyKind::Public, Some(algorithm)));
                    assert_eq!(info.id, Some(key.public_key().id()));
                }
                Err(Error::UnsupportedFormat { .. }) => assert!(is_ml_dsa(algorithm)),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn every_scheme_signs_messages_and_their_digests() {
    let message = b"what is signed";
    for algorithm in ALGORITHMS {
        let key = PrivateKey::generate(algorithm).unwrap();
        for scheme in key.schemes() {
            let signature = key.sign(*scheme, Payload::Message(message)).unwrap();
            key.public_key().verify(*scheme, message, &signature).unwrap();
            assert!(key.public_key().verify(*scheme, b"another", &signature).is_err());
            match scheme.digest() {
                Some(hash) => {
                    let digest = Digest::of(hash, message);
                    let signature = key.sign(*scheme, Payload::Digest(&digest)).unwrap();
                    key.public_key().verify(*scheme, message, &signature).unwrap();
                }
                None => {
                    let digest = Digest::sha256(message);
                    let refused = key.sign(*scheme, Payload::Digest(&digest));
                    assert!(matches!(refused, Err(SignError::NeedsMessage { .. })));
                }
            }
        }
    }
}

#[test]
fn the_schemes_are_those_the_field_reads() {
    let schemes = |algorithm| PrivateKey::generate(algorithm).unwrap().schemes().to_vec();
    assert_eq!(schemes(KeyAlgorithm::EcdsaP384), [Scheme::EcdsaP384Sha384]);
    assert_eq!(schemes(KeyAlgorithm::EcdsaP521), [Scheme::EcdsaP521Sha512, Scheme::EcdsaP521Sha256]);
    assert_eq!(schemes(KeyAlgorithm::Ed25519), [Scheme::Ed25519, Scheme::Ed25519ph]);
    assert_eq!(schemes(ALGORITHMS[7]), [Scheme::RsaPkcs1Sha256, Scheme::RsaPssSha256]);
}

#[test]
fn what_a_key_cannot_sign_is_refused_for_its_reason() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let foreign = key.sign(Scheme::RsaPkcs1Sha256, Payload::Message(b""));
    assert!(matches!(foreign, Err(SignError::UnsupportedScheme { key: KeyAlgorithm::EcdsaP256, .. })));
    let digest = Digest::of(signet_crypto::DigestAlgorithm::Sha512, b"");
    let other_hash = key.sign(Scheme::EcdsaP256Sha256, Payload::Digest(&digest));
    assert!(matches!(other_hash, Err(SignError::WrongDigest { .. })));
}

#[test]
fn a_signature_that_does_not_verify_is_not_released() {
    let (key, other) = (generate_p256(), generate_p256());
    let payload = Payload::Message(b"m");
    let signature = other.sign(Scheme::EcdsaP256Sha256, payload).unwrap();
    let released = payload.released(key.public_key(), Scheme::EcdsaP256Sha256, signature);
    assert!(matches!(released, Err(SignError::Faulty { .. })));
}

#[tokio::test]
async fn a_signer_is_used_without_knowing_where_its_key_lives() {
    let signer: Box<dyn Signer> = Box::new(generate_p256());
    let scheme = signer.schemes()[0];
    let signature = signer.sign(scheme, Payload::Message(b"m")).await.unwrap();
    signer.public_key().verify(scheme, b"m", &signature).unwrap();
}

#[test]
fn rsa_keys_have_three_sizes() {
    for bits in [3072, 4096] {
        let key = PrivateKey::generate(KeyAlgorithm::Rsa { bits }).unwrap();
        assert_eq!(key.public_key().algorithm(), KeyAlgorithm::Rsa { bits });
    }
    for bits in [0, 1024, 2047, 8192] {
        let refused = PrivateKey::generate(KeyAlgorithm::Rsa { bits });
        assert!(matches!(refused, Err(Error::UnsupportedAlgorithm)), "{bits}");
    }
}

#[test]
fn a_pair_is_written_with_its_permissions_and_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("release.v1");
    let key = generate_p256();
    let pair = write_pair(&prefix, &key, PrivateFormat::Pkcs8, Existing::Refuse).unwrap();
    assert_eq!(pair.private, directory.path().join("release.v1.key"));
    assert_eq!(read_public(&pair.public).unwrap(), *key.public_key());
    let again = read_private(&pair.private, &PasswordSource::Environment).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    let KeyInfo { id, readable_by_others, .. } = describe_file(&pair.private).unwrap();
    assert_eq!(id, Some(key.public_key().id()));
    if cfg!(unix) {
        assert_eq!(readable_by_others, Some(false));
        assert_eq!(describe_file(&pair.public).unwrap().readable_by_others, Some(true));
    }
    assert_eq!(names(directory.path()), ["release.v1.key", "release.v1.pub"]);
}

#[test]
fn nothing_is_overwritten_unless_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("k");
    let Pair { private, public } = Pair::of_prefix(&prefix);
    fs::write(&public, "mine").unwrap();
    let refused = write_pair(&prefix, &generate_p256(), PrivateFormat::Pkcs8, Existing::Refuse).unwrap_err();
    assert_eq!(refused.path, public);
    assert!(matches!(refused.error, Error::WouldOverwrite));
    assert_eq!(names(directory.path()), ["k.pub"], "neither half and no temporary file is left");
    assert_eq!(fs::read_to_string(&public).unwrap(), "mine");

    let key = generate_p256();
    write_pair(&prefix, &key, PrivateFormat::Pkcs8, Existing::Replace).unwrap();
    assert_eq!(read_public(&public).unwrap(), *key.public_key());
    assert!(private.exists());
    assert_eq!(names(directory.path()), ["k.key", "k.pub"]);
}

#[cfg(unix)]
#[test]
fn a_private_key_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let prefix = directory.path().join("k");
    let pair = write_pair(&prefix, &generate_p256(), PrivateFormat::Pkcs8, Existing::Refuse).unwrap();
    assert_eq!(fs::metadata(&pair.private).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&pair.private, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(describe_file(&pair.private).unwrap().readable_by_others, Some(true));
    write_pair(&prefix, &generate_p256(), PrivateFormat::Pkcs8, Existing::Replace).unwrap();
    assert_eq!(fs::metadata(&pair.private).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn of_many_writers_of_one_name_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("k.key");
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let writer = || {
            let key = generate_p256();
            let written = write_private(&path, &key, PrivateFormat::Pkcs8, Existing::Refuse);
            (written, key.public_key().clone())
        };
        let writers: Vec<_> = (0..8).map(|_| scope.spawn(writer)).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|(written, _)| written.is_ok());
    assert_eq!((won.len(), lost.len()), (1, 7));
    assert!(lost.iter().all(|(lost, _)| matches!(lost, Err(e) if matches!(e.error, Error::WouldOverwrite))));
    let key = read_private(&path, &PasswordSource::Environment).unwrap();
    assert_eq!(*key.public_key(), won[0].1);
    assert_eq!(names(directory.path()), ["k.key"]);
}

#[test]
fn a_prompt_is_told_which_file_it_is_for() {
    struct Fixed;
    impl Prompt for Fixed {
        fn ask(&self, purpose: Purpose<'_>) -> std::io::Result<Password> {
            match purpose {
                Purpose::Unlock(file) if file.ends_with("k.key") => Ok(Password::new(b"asked".to_vec())),
                other => Err(std::io::Error::other(format!("{other:?}"))),
            }
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let password = Password::new(b"asked".to_vec());
    let key = generate_p256();
    let format = PrivateFormat::Sigstore(&password);
    let pair = write_pair(&directory.path().join("k"), &key, format, Existing::Refuse).unwrap();
    let again = read_private(&pair.private, &PasswordSource::Prompt(std::sync::Arc::new(Fixed))).unwrap();
    assert_eq!(again.public_key(), key.public_key());
}

/// RFC 8037 §A.1 and RFC 7517 §A.2.
#[test]
fn the_rfcs_json_web_keys_are_read() {
    let ed25519 = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let p256 = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","use":"enc","kid":"1"}"#;
    for (json, algorithm) in [(ed25519, KeyAlgorithm::Ed25519), (p256, KeyAlgorithm::EcdsaP256)] {
        let key = read_private_bytes(json.as_bytes(), &|| Ok(Password::default())).unwrap();
        assert_eq!(key.public_key().algorithm(), algorithm);
        let public = json.replace("\"d\"", "\"ignored\"");
        assert_eq!(read_public_bytes(public.as_bytes()).unwrap(), *key.public_key());
    }
}

#[test]
fn a_password_comes_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let (prefix, secret) = (directory.path().join("k"), directory.path().join("secret"));
    fs::write(&secret, "s3cret\n").unwrap();
    let password = Password::new(b"s3cret".to_vec());
    let key = generate_p256();
    let pair = write_pair(&prefix, &key, PrivateFormat::Sigstore(&password), Existing::Refuse).unwrap();
    let again = read_private(&pair.private, &PasswordSource::file(secret.clone())).unwrap();
    assert_eq!(again.public_key(), key.public_key());

    fs::write(&secret, "S3cret\n").unwrap();
    let refused = read_private(&pair.private, &PasswordSource::file(secret)).unwrap_err();
    assert!(matches!(refused.error, Error::WrongPassword));
    assert_eq!(refused.path, pair.private);
    let absent = PasswordSource::file(directory.path().join("absent"));
    let refused = read_private(&pair.private, &absent).unwrap_err();
    assert!(matches!(refused.error, Error::NoPassword(_)));
}

#[cfg(unix)]
#[test]
fn a_password_comes_from_a_descriptor() {
    use std::os::fd::AsRawFd;
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    fs::write(&secret, "from a descriptor\n").unwrap();
    let open = fs::File::open(&secret).unwrap();
    let source = PasswordSource::descriptor(u32::try_from(open.as_raw_fd()).unwrap());
    let password = source.password(Purpose::Unlock("k.key")).unwrap();
    assert_eq!(password.as_bytes(), b"from a descriptor");
}

/// A pipe is empty when it is read again, and the empty password was taken for the one that was meant.
#[cfg(unix)]
#[test]
fn a_password_from_a_pipe_is_read_once_and_nothing_is_no_password() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"from a pipe\n").unwrap();
    drop(writer);
    let source = PasswordSource::descriptor(u32::try_from(reader.as_raw_fd()).unwrap());
    for purpose in [Purpose::Unlock("k.key"), Purpose::Protect("new.key")] {
        assert_eq!(source.password(purpose).unwrap().as_bytes(), b"from a pipe");
    }
    let again = PasswordSource::descriptor(u32::try_from(reader.as_raw_fd()).unwrap());
    let refused = again.password(Purpose::Unlock("k.key")).unwrap_err();
    assert!(matches!(refused, PasswordError::Nothing(_)), "{refused}");

    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    fs::write(&secret, "\n").unwrap();
    let source = PasswordSource::file(secret);
    assert!(source.password(Purpose::Unlock("k.key")).unwrap().as_bytes().is_empty());
    assert!(matches!(source.password(Purpose::Protect("k.key")), Err(PasswordError::Empty)));
}

fn expanded_ml_dsa_44(seed: &[u8]) -> Vec<u8> {
    use aws_lc_rs::encoding::AsRawBytes;
    use aws_lc_rs::signature::{ML_DSA_44_SIGNING, PqdsaKeyPair};
    let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, seed).unwrap();
    pair.private_key().as_raw_bytes().unwrap().as_ref().to_vec()
}

fn pkcs8_ml_dsa_44(key: &[u8]) -> Vec<u8> {
    let id = [0x30, 11, 0x06, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11];
    tlv(0x30, &[&[0x02, 1, 0][..], &id, &tlv(0x04, key)].concat())
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let header = match length {
        ..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&header, value].concat()
}

fn generate_p256() -> PrivateKey {
    PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()
}

fn names(directory: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
