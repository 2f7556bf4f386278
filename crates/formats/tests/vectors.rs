//! What other projects wrote is read, or refused for its reason: every bundle and trusted root of the
//! sigstore-conformance corpus, and the cosign signatures of containers/image.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test reads files, says that it was skipped, and may panic"
)]

use std::path::{Path, PathBuf};

use signet_crypto::Digest;
use signet_formats::base64;
use signet_formats::bundle::{Bundle, BundleError, Content, Material};
use signet_formats::cosign::LegacySignature;
use signet_formats::json::JsonError;
use signet_formats::merkle::Hash;
use signet_formats::note::VerifierKey;
use signet_formats::proto_json::FieldError;
use signet_formats::rekor::{Body, LoggedEntry, TlogEntry, Verifier};
use signet_formats::simple_signing::SimpleSigning;
use signet_formats::trusted_root::{TrustedRoot, TrustedRootError};
use signet_formats::{dsse, in_toto};

#[test]
fn every_bundle_is_read_or_refused_for_its_reason() {
    let Some(vectors) = vectors() else { return };
    let directories = directories(&vectors.join("sigstore/bundle-verify"));
    assert_eq!(directories.len(), 70);
    for directory in directories {
        let name = directory.file_name().unwrap().to_str().unwrap();
        let bytes = std::fs::read(directory.join("bundle.sigstore.json")).unwrap();
        let result = Bundle::parse(&bytes);
        match expected(name) {
            Expected::Read => {
                let bundle = result.unwrap_or_else(|error| panic!("{name}: {error}"));
                reads_all_the_way(name, &bundle);
                round_trips(name, bundle);
            }
            Expected::Refused(why) => assert_eq!(result, Err(why), "{name}"),
            Expected::Malformed => {
                assert!(
                    matches!(result, Err(BundleError::Json(JsonError::Malformed(_)))),
                    "{name}: {result:?}"
                );
            }
        }
    }
}

#[test]
fn every_trusted_root_is_read_or_refused_for_its_reason() {
    let Some(vectors) = vectors() else { return };
    let mut read = 0;
    for directory in directories(&vectors.join("sigstore/bundle-verify")) {
        let Ok(bytes) = std::fs::read(directory.join("trusted_root.json")) else { continue };
        let result = TrustedRoot::parse(&bytes);
        if directory.ends_with("trust-root-tlog-missing-validity-start_fail") {
            assert_eq!(result, Err(TrustedRootError::MissingValidityStart));
        } else {
            assert!(result.is_ok(), "{directory:?}: {result:?}");
            read += 1;
        }
    }
    assert_eq!(read, 37);
}

#[test]
fn the_public_good_root_says_what_is_known_of_it() {
    let Some(vectors) = vectors() else { return };
    let bytes = std::fs::read(vectors.join("sigstore/public-good-trusted_root.json")).unwrap();
    let root = TrustedRoot::parse(&bytes).unwrap();
    let [rekor, log2025] = root.tlogs.as_slice() else { panic!("{:?}", root.tlogs) };
    assert_eq!(rekor.base_url, "https://rekor.sigstore.dev");
    assert_eq!(rekor.validity.start, 1_610_452_407);
    assert!(rekor.validity.contains(1_610_452_407) && !rekor.validity.contains(1_610_452_406));
    assert_eq!(rekor.log_id, signet_crypto::Digest::sha256(&rekor.public_key).as_bytes());
    assert_eq!(log2025.key_details.name(), "PKIX_ED25519");
    let key = signet_crypto::PublicKey::from_spki_der(&log2025.public_key).unwrap();
    let key = VerifierKey::log("log2025-1.rekor.sigstore.dev", key).unwrap();
    assert_eq!(log2025.log_id, key.full_id().as_bytes(), "a log of Rekor v2 is named by origin and key");
    assert_eq!((root.ctlogs.len(), root.certificate_authorities.len()), (2, 2));
    assert_eq!(root.timestamp_authorities.len(), 1);
}

/// Rekor v2's leaf is made again from what it says, to the byte.
#[test]
fn the_leaf_of_a_public_entry_is_written_as_rekor_writes_it() {
    let Some(vectors) = vectors() else { return };
    for name in ["rekor2-happy-path", "rekor2-timestamp-with-embedded-cert"] {
        let path = vectors.join("sigstore/bundle-verify").join(name).join("bundle.sigstore.json");
        let bundle = Bundle::parse(&std::fs::read(path).unwrap()).unwrap();
        let entry = &bundle.tlog_entries[0];
        let Body::HashedRekordV002(body) = entry.decode_body().unwrap() else { panic!("{name}") };
        assert_eq!(body.to_body().unwrap(), entry.body, "{name}");
        assert_eq!(&TlogEntry::parse(&answered(entry), 1 << 20).unwrap(), entry, "{name}");
    }
}

/// What the log answered when it took this entry.
fn answered(entry: &TlogEntry) -> Vec<u8> {
    let proof = entry.proof.as_ref().unwrap();
    let hash = |digest: &Digest| digest.as_bytes().try_into().unwrap();
    let hashes: Vec<Hash> = proof.hashes.iter().map(hash).collect();
    let logged = LoggedEntry {
        log_index: entry.log_index,
        log_id: &entry.log_id,
        tree_size: proof.tree_size,
        root: &hash(&proof.root_hash),
        proof: &hashes,
        checkpoint: proof.checkpoint.as_deref().unwrap(),
        body: &entry.body,
    };
    let mut answer = Vec::new();
    logged.write_json(&mut answer).unwrap();
    answer
}

/// The promise of a public entry is a signature by the public log's key over what we rebuild.
#[test]
fn the_promise_of_a_public_entry_verifies() {
    let Some(vectors) = vectors() else { return };
    let sigstore = vectors.join("sigstore");
    let root = TrustedRoot::parse(&std::fs::read(sigstore.join("public-good-trusted_root.json")).unwrap());
    let key = signet_crypto::PublicKey::from_spki_der(&root.unwrap().tlogs[0].public_key).unwrap();
    let path = sigstore.join("bundle-verify/happy-path-v0.3/bundle.sigstore.json");
    let bundle = Bundle::parse(&std::fs::read(path).unwrap()).unwrap();
    let entry = &bundle.tlog_entries[0];
    let (payload, promise) = (entry.set_payload().unwrap(), entry.promise.as_ref().unwrap());
    key.verify(signet_crypto::Scheme::EcdsaP256Sha256, &payload, promise).unwrap();
}

/// containers/image keeps cosign's layers in files: a line, then JSON of payload and annotations.
#[test]
fn the_cosign_signatures_of_containers_image_are_read() {
    let Some(vectors) = vectors() else { return };
    let fixtures = vectors.join("containers-image/signature/fixtures");
    let mut read = [0, 0, 0];
    for directory in directories(&fixtures) {
        let Ok(file) = std::fs::read(directory.join("signature-1")) else { continue };
        let Some(text) = file.strip_prefix(b"\0sigstore-json\n") else { continue };
        let value: serde_json::Value = serde_json::from_slice(text).unwrap();
        if value["mimeType"] != signet_formats::oci::media_type::SIMPLE_SIGNING {
            continue;
        }
        let payload = base64::decode(value["payload"].as_str().unwrap()).unwrap();
        let annotations = serde_json::from_value(value["annotations"].clone()).unwrap();
        let signature = LegacySignature::read(payload, &annotations).unwrap();
        let claim = SimpleSigning::parse(&signature.payload).unwrap();
        assert_eq!(claim.to_json().unwrap().as_bytes(), signature.payload);
        read[0] += 1;
        read[1] += usize::from(signature.material.certificate.is_some());
        let Some(entry) = &signature.material.entry else { continue };
        let body = entry.decode_body().unwrap();
        assert_eq!(first_signature(&body).0, signature.signature);
        read[2] += 1;
    }
    assert_eq!(read, [5, 2, 2], "signatures, certificates, log entries");
}

enum Expected {
    Read,
    Refused(BundleError),
    Malformed,
}

/// What the form alone decides; all else is the verifier's.
fn expected(name: &str) -> Expected {
    let refused = |field| Expected::Refused(BundleError::Field(field));
    match name {
        "bundle-empty-certificate-chain_fail" => Expected::Refused(BundleError::EmptyChain),
        "bundle-invalid-base64-signature_fail" => {
            refused(FieldError::Base64 { field: "messageSignature.signature" })
        }
        "bundle-malformed-json_fail" => Expected::Malformed,
        "bundle-negative-log-index_fail" => refused(FieldError::Negative { field: "logIndex", value: -1 }),
        "bundle-unknown-version_fail" => Expected::Refused(BundleError::UnknownVersion(
            "application/vnd.dev.sigstore.bundle+json;version=99.9".to_owned(),
        )),
        "intoto-missing-inclusion-proof_fail" => {
            Expected::Refused(BundleError::MissingProof { log_index: 4_288_993 })
        }
        // The proof is of another entry, and its checkpoint was left out.
        "invalid-inclusion-proof_fail" => {
            Expected::Refused(BundleError::MissingCheckpoint { log_index: 27_246_492 })
        }
        "rekor2-no-inclusion-proof_fail" => Expected::Refused(BundleError::MissingProof { log_index: 735 }),
        _ => Expected::Read,
    }
}

/// The entry bodies are decoded, and their signature and certificate are those of the bundle,
/// unless that they are not is the very point.
fn reads_all_the_way(name: &str, bundle: &Bundle) {
    for entry in &bundle.tlog_entries {
        let body = entry.decode_body().unwrap_or_else(|error| panic!("{name}: {error}"));
        let (signature, verifier) = first_signature(&body);
        if name.ends_with("_fail") {
            continue;
        }
        assert_eq!(signature, bundle.signature(), "{name}");
        match (&bundle.material, verifier) {
            (Material::PublicKeyHint(_), Verifier::PublicKey(_)) => {}
            (material, Verifier::Certificate(der)) => {
                assert_eq!(material.leaf(), Some(der.as_slice()), "{name}")
            }
            other => panic!("{name}: {other:?}"),
        }
        if let Body::HashedRekordV002(entry_body) = &body {
            assert_eq!(entry_body.to_body().unwrap(), entry.body, "{name}");
        }
    }
    if let Content::Dsse(envelope) = &bundle.content {
        assert_eq!(envelope.payload_type, dsse::IN_TOTO_PAYLOAD_TYPE);
        let statement = in_toto::Statement::parse(&envelope.payload, in_toto::MAX_STATEMENT_BYTES);
        assert!(!statement.unwrap_or_else(|error| panic!("{name}: {error}")).subjects.is_empty());
    }
}

fn first_signature(body: &Body) -> (&[u8], &Verifier) {
    match body {
        Body::HashedRekordV001(body) => (&body.signature.signature, &body.signature.verifier),
        Body::HashedRekordV002(body) => (&body.signature.signature, &body.signature.verifier),
        Body::DsseV001(body) => (&body.signatures[0].signature, &body.signatures[0].verifier),
        Body::IntotoV002(body) => (&body.signatures[0].signature, &body.signatures[0].verifier),
        other => panic!("not in the corpus: {other:?}"),
    }
}

fn round_trips(name: &str, bundle: Bundle) {
    use signet_formats::bundle::Version;
    match bundle.to_json() {
        Ok(text) => {
            let again = Bundle::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(again, Bundle { version: Version::V03, ..bundle }, "{name}");
        }
        Err(error) => {
            assert!(bundle.version < Version::V03, "{name}: {error}");
            assert_eq!(error, BundleError::ChainInV03, "{name}");
        }
    }
}

fn directories(parent: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_dir());
    paths.sort();
    paths
}

/// Where the vectors of other projects are; see `CONTRIBUTING.md`.
fn vectors() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors");
    let path = std::env::var_os("SIGNET_VECTORS").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    assert!(std::env::var_os("SIGNET_REQUIRE_VECTORS").is_none(), "no vectors at {}", path.display());
    println!("skipped: needs vectors");
    None
}
