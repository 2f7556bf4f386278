use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A v0.3 bundle over a message, with one log entry.
fn message_bundle() -> Value {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {"rawBytes": "AQID"},
            "tlogEntries": [entry(7)],
            "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": "MAA="}]},
        },
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": zeros()},
            "signature": "c2ln",
        },
    })
}

fn entry(log_index: i64) -> Value {
    json!({
        "logIndex": log_index.to_string(),
        "logId": {"keyId": zeros()},
        "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
        "integratedTime": "1700000000",
        "inclusionPromise": {"signedEntryTimestamp": "c2V0"},
        "inclusionProof": {
            "logIndex": "1",
            "rootHash": zeros(),
            "treeSize": "2",
            "hashes": [zeros()],
            "checkpoint": {"envelope": "origin\n2\n"},
        },
        "canonicalizedBody": "e30=",
    })
}

/// 32 bytes in base64.
fn zeros() -> String {
    crate::base64::encode([0; 32])
}

fn read(value: &Value) -> Result<Bundle, BundleError> {
    Bundle::parse(value.to_string().as_bytes())
}

/// What becomes of the bundle when the value at `pointer` is another.
fn with(pointer: &str, value: Value) -> Result<Bundle, BundleError> {
    let mut bundle = message_bundle();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = bundle.pointer_mut(parent).unwrap();
    match name.parse::<usize>() {
        Ok(at) => parent[at] = value,
        Err(_) => parent[name] = value,
    }
    read(&bundle)
}

fn field<T>(error: FieldError) -> Result<T, BundleError> {
    Err(BundleError::Field(error))
}

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

#[test]
fn a_good_bundle_round_trips() {
    let bundle = read(&message_bundle()).unwrap();
    assert_eq!(bundle.material.leaf(), Some(&[1, 2, 3][..]));
    assert_eq!(bundle.signature(), b"sig");
    assert_eq!(serde_json::from_str::<Value>(&bundle.to_json().unwrap()).unwrap(), message_bundle());
}

#[test]
fn both_spellings_and_integer_forms_are_read() {
    let renamed = message_bundle()
        .to_string()
        .replace("mediaType", "media_type")
        .replace("tlogEntries", "tlog_entries")
        .replace("treeSize\":\"2\"", "tree_size\":2")
        .replace("\"SHA2_256\"", "1");
    assert_eq!(Bundle::parse(renamed.as_bytes()), read(&message_bundle()));
}

#[test]
fn one_field_in_two_spellings_is_refused() {
    let mut twice = message_bundle();
    twice["media_type"] = twice["mediaType"].clone();
    assert!(matches!(read(&twice), Err(BundleError::Json(JsonError::Malformed(_)))));
}

#[test]
fn two_contents_or_none_are_refused() {
    let envelope = json!({"payload": "AA==", "payloadType": "t", "signatures": [{"sig": "AA=="}]});
    assert_eq!(with("/dsseEnvelope", envelope), Err(BundleError::OneOf { field: "content", values: 2 }));
    assert_eq!(
        with("/messageSignature", Value::Null),
        Err(BundleError::OneOf { field: "content", values: 0 })
    );
    let both = with("/verificationMaterial/publicKey", json!({"hint": "x"}));
    assert_eq!(both, Err(BundleError::OneOf { field: "verificationMaterial", values: 2 }));
    let none = with("/verificationMaterial/certificate", Value::Null);
    assert_eq!(none, Err(BundleError::OneOf { field: "verificationMaterial", values: 0 }));
}

#[test]
fn unknown_fields_and_duplicate_keys_are_refused() {
    assert!(matches!(with("/extra", json!(1)), Err(BundleError::Json(JsonError::Malformed(_)))));
    let twice = message_bundle().to_string().replacen('{', r#"{"mediaType":"x","#, 1);
    let duplicate = BundleError::Json(JsonError::DuplicateKey("mediaType".to_owned()));
    assert_eq!(Bundle::parse(twice.as_bytes()), Err(duplicate));
}

#[test]
fn numbers_digests_and_base64_are_checked() {
    let negative = FieldError::Negative { field: "inclusionProof.treeSize", value: -1 };
    assert_eq!(with(&format!("{ENTRY}/inclusionProof/treeSize"), json!("-1")), field(negative));
    for junk in [json!("9223372036854775808"), json!("01"), json!("+1"), json!(1.5), json!("1e3"), json!("")]
    {
        let result = with(&format!("{ENTRY}/logIndex"), junk.clone());
        assert!(matches!(result, Err(BundleError::Json(JsonError::Malformed(_)))), "{junk}");
    }
    let short = FieldError::Length { field: "logId", bytes: 3 };
    assert_eq!(with(&format!("{ENTRY}/logId/keyId"), json!("AAAA")), field(short));
    let junk = FieldError::Base64 { field: "messageSignature.signature" };
    for text in ["c2ln\n", "c2l", "c2ln=", "c2l_", "c2lo=="] {
        assert_eq!(with("/messageSignature/signature", json!(text)), field(junk.clone()), "{text:?}");
    }
    assert_eq!(with("/messageSignature/messageDigest/digest", json!("AAAA")), Err(BundleError::Digest));
    assert!(with("/messageSignature/messageDigest", json!({})).is_ok());
    let sha1 = FieldError::Enumeration { field: "messageDigest.algorithm", value: "SHA1".to_owned() };
    assert_eq!(with("/messageSignature/messageDigest/algorithm", json!("SHA1")), field(sha1));
}

#[test]
fn each_version_has_its_rules() {
    let old = |version| json!(format!("application/vnd.dev.sigstore.bundle+json;version={version}"));
    assert_eq!(with("/mediaType", old("0.2")), Err(BundleError::CertificateBeforeV03));
    assert_eq!(
        with("/mediaType", old("0.4")),
        Err(BundleError::UnknownVersion("application/vnd.dev.sigstore.bundle+json;version=0.4".to_owned()))
    );
    let proof = format!("{ENTRY}/inclusionProof");
    assert_eq!(with(&proof, Value::Null), Err(BundleError::MissingProof { log_index: 7 }));
    let checkpoint = with(&format!("{proof}/checkpoint"), Value::Null);
    assert_eq!(checkpoint, Err(BundleError::MissingCheckpoint { log_index: 7 }));

    let mut first = message_bundle();
    first["mediaType"] = old("0.1");
    first["verificationMaterial"]["certificate"] = Value::Null;
    first["verificationMaterial"]["x509CertificateChain"] = json!({"certificates": [{"rawBytes": "AQID"}]});
    assert_eq!(read(&first).unwrap().material, Material::Chain(vec![vec![1, 2, 3]]));
    first.pointer_mut(ENTRY).unwrap()["inclusionPromise"] = Value::Null;
    assert_eq!(read(&first), Err(BundleError::MissingPromise { log_index: 7 }));
}

#[test]
fn a_chain_in_v03_needs_permission() {
    let mut bundle = message_bundle();
    bundle["verificationMaterial"]["certificate"] = Value::Null;
    bundle["verificationMaterial"]["x509CertificateChain"] = json!({"certificates": [{"rawBytes": "AQID"}]});
    assert_eq!(read(&bundle), Err(BundleError::ChainInV03));
    let options = ParseOptions { allow_chain: true, ..ParseOptions::default() };
    assert!(Bundle::parse_with(bundle.to_string().as_bytes(), options).is_ok());
    bundle["verificationMaterial"]["x509CertificateChain"] = json!({});
    assert_eq!(Bundle::parse_with(bundle.to_string().as_bytes(), options), Err(BundleError::EmptyChain));
}

#[test]
fn counts_are_limited_and_entries_differ() {
    let entries = |count: i64| with("/verificationMaterial/tlogEntries", (0..count).map(entry).collect());
    assert_eq!(entries(32).unwrap().tlog_entries.len(), MAX_TLOG_ENTRIES);
    assert_eq!(entries(33), field(FieldError::Count { field: "tlogEntries", count: 33, limit: 32 }));
    let twice = with("/verificationMaterial/tlogEntries", json!([entry(7), entry(8), entry(7)]));
    assert_eq!(twice, Err(BundleError::DuplicateEntry { log_index: 7 }));

    let stamps = |count| {
        let stamps = vec![json!({"signedTimestamp": "MAA="}); count];
        with("/verificationMaterial/timestampVerificationData/rfc3161Timestamps", stamps.into())
    };
    assert_eq!(stamps(32).unwrap().timestamps.len(), MAX_TIMESTAMPS);
    assert_eq!(stamps(33), field(FieldError::Count { field: "rfc3161Timestamps", count: 33, limit: 32 }));

    let hashes = |count| with(&format!("{ENTRY}/inclusionProof/hashes"), vec![json!(zeros()); count].into());
    assert!(hashes(64).is_ok());
    let limit = FieldError::Count { field: "inclusionProof.hashes", count: 65, limit: 64 };
    assert_eq!(hashes(65), field(limit));
}

/// sigstore-rust #170: a bundle's envelope with a second signature.
#[test]
fn an_envelope_has_exactly_one_signature() {
    let bundle = |signatures: usize| {
        let mut bundle = message_bundle();
        bundle["messageSignature"] = Value::Null;
        let signatures = vec![json!({"sig": "AA=="}); signatures];
        bundle["dsseEnvelope"] = json!({"payload": "AA==", "payloadType": "t", "signatures": signatures});
        read(&bundle)
    };
    assert!(bundle(1).is_ok());
    assert_eq!(bundle(2), Err(BundleError::SignatureCount(2)));
    assert_eq!(bundle(0), field(FieldError::Missing { field: "signatures" }));
}

#[test]
fn the_size_is_limited() {
    let text = message_bundle().to_string();
    let options = |max_bytes| ParseOptions { max_bytes, ..ParseOptions::default() };
    assert!(Bundle::parse_with(text.as_bytes(), options(text.len())).is_ok());
    let refused = Bundle::parse_with(text.as_bytes(), options(text.len() - 1));
    let too_large = JsonError::TooLarge { bytes: text.len(), limit: text.len() - 1 };
    assert_eq!(refused, Err(BundleError::Json(too_large)));
}

proptest! {
    #[test]
    fn any_damage_is_parsed_or_refused_without_panic(at in 0_usize..1200, byte in any::<u8>(), cut in 0_usize..1200) {
        let mut bytes = message_bundle().to_string().into_bytes();
        bytes.truncate(cut.max(at + 1));
        if let Some(slot) = bytes.get_mut(at) {
            *slot = byte;
        }
        if let Ok(bundle) = Bundle::parse(&bytes) {
            prop_assert_eq!(Bundle::parse(bundle.to_json().unwrap().as_bytes()).unwrap(), bundle);
        }
    }
}
