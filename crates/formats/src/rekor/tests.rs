use proptest::prelude::*;
use serde_json::{Value, json};
use signet_crypto::Digest;

use super::entry::WireEntry;
use super::*;
use crate::base64;
use crate::json::JsonError;
use crate::pem;
use crate::proto_json::{self, FieldError};

fn kind(kind: &str, version: &str) -> EntryKind {
    EntryKind { kind: kind.to_owned(), version: version.to_owned() }
}

fn hashed_rekord(verifier: &str) -> Value {
    json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": Digest::sha256(b"").hex()}},
            "signature": {"content": "c2ln", "publicKey": {"content": base64::encode(verifier)}},
        },
    })
}

fn read_v001(body: &Value) -> Result<Body, RekorError> {
    Body::parse(body.to_string().as_bytes(), &kind("hashedrekord", "0.0.1"))
}

fn entry_v002() -> HashedRekordV002 {
    let signature = EntrySignatureV002 {
        signature: b"sig".to_vec(),
        verifier: Verifier::PublicKey(b"spki".to_vec()),
        key_details: PublicKeyDetails::PkixEcdsaP256Sha256,
    };
    HashedRekordV002 { digest: Digest::sha256(b""), signature }
}

#[test]
fn a_hashed_rekord_names_a_certificate_or_a_key() {
    for (label, verifier) in [
        (pem::CERTIFICATE, Verifier::Certificate(b"der".to_vec())),
        (pem::PUBLIC_KEY, Verifier::PublicKey(b"der".to_vec())),
    ] {
        let body = read_v001(&hashed_rekord(&pem::encode(label, b"der"))).unwrap();
        let signature = EntrySignature { signature: b"sig".to_vec(), verifier };
        assert_eq!(body, Body::HashedRekordV001(HashedRekordV001 { digest: Digest::sha256(b""), signature }));
    }
    let other = read_v001(&hashed_rekord(&pem::encode("RSA PRIVATE KEY", b"der")));
    assert_eq!(other, Err(RekorError::Pem(pem::PemError::Label("RSA PRIVATE KEY".into()))));
}

/// Whatever a log is called: the checkpoint begins with its name.
#[test]
fn what_a_log_answers_is_spelled_as_a_serializer_spells_it() {
    for (proof, origin) in
        [(vec![], "log"), (vec![[3; 32], [4; 32]], "\"log\\\u{1}\u{e4}\u{2028}\u{1f511}\"")]
    {
        let checkpoint = format!("{origin}\n2\nAgI=\n\n\u{2014} {origin} AgI=\n");
        let logged = LoggedEntry {
            log_index: 0,
            log_id: &[1; 32],
            tree_size: 9_007_199_254_740_993,
            root: &[2; 32],
            proof: &proof,
            checkpoint: &checkpoint,
            body: &[0xfb; 700],
        };
        let mut json = Vec::new();
        logged.write_json(&mut json).unwrap();
        let entry = TlogEntry::parse(&json, 1 << 20).unwrap();
        assert_eq!(json, proto_json::to_string(&WireEntry::of(&entry)).unwrap().into_bytes());
        let read = entry.proof.unwrap();
        let hashes: Vec<&[u8]> = read.hashes.iter().map(Digest::as_bytes).collect();
        assert_eq!(hashes, proof.iter().map(|hash| &hash[..]).collect::<Vec<_>>());
        assert_eq!((read.checkpoint.unwrap(), read.tree_size), (checkpoint.clone(), logged.tree_size));
        assert_eq!(entry.body, logged.body);
    }
}

#[test]
fn the_stated_kind_must_be_the_bodys() {
    let body = hashed_rekord(&pem::encode(pem::CERTIFICATE, b"der"));
    let stated = kind("dsse", "0.0.1");
    let mismatch = RekorError::KindMismatch { stated: stated.clone(), found: kind("hashedrekord", "0.0.1") };
    assert_eq!(Body::parse(body.to_string().as_bytes(), &stated), Err(mismatch));
}

#[test]
fn unknown_kinds_and_versions_fail_cleanly() {
    for stated in [kind("hashedrekord", "0.0.3"), kind("rpm", "0.0.1")] {
        let body = json!({"apiVersion": stated.version, "kind": stated.kind, "spec": {"new": 1}});
        let result = Body::parse(body.to_string().as_bytes(), &stated);
        assert_eq!(result, Err(RekorError::UnknownKind(stated)));
    }
}

#[test]
fn unknown_fields_and_bad_digests_are_refused() {
    let good = hashed_rekord(&pem::encode(pem::CERTIFICATE, b"der"));
    let mut extra = good.clone();
    extra["spec"]["signature"]["extra"] = json!(1);
    assert!(matches!(read_v001(&extra), Err(RekorError::Json(JsonError::Malformed(_)))));
    let mut digest = good;
    digest["spec"]["data"]["hash"]["algorithm"] = json!("sha512");
    assert_eq!(read_v001(&digest), Err(RekorError::Digest { field: "data.hash" }));
}

#[test]
fn a_v2_leaf_is_rebuilt_as_rekor_tiles_spells_it() {
    let body = entry_v002().to_body().unwrap();
    let digest = base64::encode(Digest::sha256(b"").as_bytes());
    let text = format!(
        r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"data":{{"algorithm":"SHA2_256","digest":"{digest}"}},"signature":{{"content":"c2ln","verifier":{{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{{"rawBytes":"c3BraQ=="}}}}}}}}}}}}"#
    );
    assert_eq!(String::from_utf8(body).unwrap(), text);
    let read = Body::parse(text.as_bytes(), &kind("hashedrekord", "0.0.2"));
    assert_eq!(read, Ok(Body::HashedRekordV002(entry_v002())));
}

#[test]
fn a_v2_verifier_is_a_key_or_a_certificate_not_both() {
    let body: Value = serde_json::from_slice(&entry_v002().to_body().unwrap()).unwrap();
    let verifier = "/spec/hashedRekordV002/signature/verifier";
    let read = |body: &Value| Body::parse(body.to_string().as_bytes(), &kind("hashedrekord", "0.0.2"));
    let mut both = body.clone();
    both.pointer_mut(verifier).unwrap()["x509Certificate"] = json!({"rawBytes": "AA=="});
    assert_eq!(read(&both), Err(RekorError::Verifier));
    let mut none = body.clone();
    none.pointer_mut(verifier).unwrap().as_object_mut().unwrap().remove("publicKey");
    assert_eq!(read(&none), Err(RekorError::Verifier));
    let mut unknown = body;
    unknown.pointer_mut(verifier).unwrap()["keyDetails"] = json!("X");
    let error = FieldError::Enumeration { field: "keyDetails", value: "X".to_owned() };
    assert_eq!(read(&unknown), Err(RekorError::Field(error)));
}

#[test]
fn a_v2_dsse_entry_is_read() {
    let signature = serde_json::from_slice::<Value>(&entry_v002().to_body().unwrap()).unwrap();
    let signature = signature.pointer("/spec/hashedRekordV002/signature").unwrap();
    let hash = json!({"algorithm": "SHA2_256", "digest": base64::encode(Digest::sha256(b"").as_bytes())});
    let spec = json!({"dsseV002": {"payloadHash": hash, "signatures": [signature]}});
    let body = json!({"apiVersion": "0.0.2", "kind": "dsse", "spec": spec}).to_string();
    let expected = DsseV002 { payload_hash: Digest::sha256(b""), signatures: vec![entry_v002().signature] };
    assert_eq!(Body::parse(body.as_bytes(), &kind("dsse", "0.0.2")), Ok(Body::DsseV002(expected)));
}

#[test]
fn the_first_intoto_entries_are_read() {
    let hash = json!({"algorithm": "sha256", "value": Digest::sha256(b"").hex()});
    let key = base64::encode(pem::encode(pem::PUBLIC_KEY, b"spki"));
    let spec = json!({"content": {"hash": hash}, "publicKey": key});
    let body = json!({"apiVersion": "0.0.1", "kind": "intoto", "spec": spec}).to_string();
    let expected = IntotoV001 {
        envelope_hash: Digest::sha256(b""),
        payload_hash: None,
        verifier: Verifier::PublicKey(b"spki".to_vec()),
    };
    assert_eq!(Body::parse(body.as_bytes(), &kind("intoto", "0.0.1")), Ok(Body::IntotoV001(expected)));
}

#[test]
fn a_promise_is_over_canonical_json() {
    let mut entry = TlogEntry {
        log_index: 42,
        log_id: [0xab; 32],
        kind: kind("hashedrekord", "0.0.1"),
        integrated_time: Some(1_700_000_000),
        promise: None,
        proof: None,
        body: b"{}".to_vec(),
    };
    let value = json!({
        "logIndex": 42, "logID": "ab".repeat(32), "integratedTime": 1_700_000_000, "body": "e30=",
    });
    let canonical = crate::canonical_json::to_string(&value).unwrap();
    assert_eq!(entry.set_payload(), Some(canonical.into_bytes()));
    entry.integrated_time = None;
    assert_eq!(entry.set_payload(), None);
}

#[test]
fn leaves_are_canonical_json_whoever_verifies() {
    let mut entry = entry_v002();
    for verifier in [Verifier::PublicKey(vec![0xfb, 0xff]), Verifier::Certificate(vec![0xfb; 900])] {
        entry.signature.verifier = verifier;
        let body = entry.to_body().unwrap();
        let value: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(crate::canonical_json::to_string(&value).unwrap().into_bytes(), body);
    }
}

#[test]
fn a_request_that_is_written_is_read_as_the_same() {
    for verifier in [Verifier::Certificate(vec![1]), Verifier::PublicKey(vec![2])] {
        let key_details = PublicKeyDetails::PkixEcdsaP256Sha256;
        let signature = EntrySignatureV002 { signature: vec![3], verifier, key_details };
        let request = HashedRekordRequest { digest: vec![4], signature };
        assert_eq!(HashedRekordRequest::parse(&request.to_json().unwrap()), Ok(request));
    }
}

#[test]
fn a_request_is_read_by_either_name_of_its_fields_and_no_other() {
    let request = json!({"hashedRekordRequestV002": {
        "digest": "AAEC",
        "signature": {"content": "c2ln", "verifier": {
            "publicKey": {"rawBytes": "c3BraQ=="}, "keyDetails": "PKIX_ECDSA_P256_SHA_256", "x509Certificate": null,
        }},
    }});
    let expected = HashedRekordRequest { digest: vec![0, 1, 2], signature: entry_v002().signature };
    let read = |text: String| HashedRekordRequest::parse(text.as_bytes());
    assert_eq!(read(request.to_string()), Ok(expected.clone()));
    let other = request.to_string().replace("hashedRekordRequestV002", "hashed_rekord_request_v002");
    let other = other.replace("publicKey", "public_key").replace("rawBytes", "raw_bytes");
    assert_eq!(read(other.replace("\"PKIX_ECDSA_P256_SHA_256\"", "5")), Ok(expected));
    for (from, to) in [
        ("AAEC", ""),
        ("AAEC", "A"),
        ("c2ln", ""),
        ("publicKey", "key"),
        ("publicKey\":{\"rawBytes\":\"c3BraQ==\"}", "publicKey\":null"),
        ("\"x509Certificate\":null", "\"x509Certificate\":{\"rawBytes\":\"AA==\"}"),
        ("PKIX_ECDSA_P256_SHA_256", "PKIX"),
        ("hashedRekordRequestV002", "dsseRequestV002"),
    ] {
        let text = request.to_string();
        assert!(text.contains(from), "{from}");
        assert!(read(text.replace(from, to)).is_err(), "{from} -> {to}");
    }
    assert!(read("{}".to_owned()).is_err());
}

proptest! {
    #[test]
    fn any_damage_is_parsed_or_refused_without_panic(at in 0_usize..400, byte in any::<u8>()) {
        let mut bytes = entry_v002().to_body().unwrap();
        if let Some(slot) = bytes.get_mut(at) {
            *slot = byte;
        }
        let _ = Body::parse(&bytes, &kind("hashedrekord", "0.0.2"));
        let _ = TlogEntry::parse(&bytes, 1 << 20);
        let _ = HashedRekordRequest::parse(&bytes);
    }
}
