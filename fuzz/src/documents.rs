use std::collections::BTreeMap;

use serde_json::Value;
use signet_formats::bundle::{Bundle, Version};
use signet_formats::canonical_json::CanonicalError;
use signet_formats::cosign::{LegacyAttestation, LegacySignature, LocalBundle};
use signet_formats::dsse::{Envelope, MAX_ENVELOPE_BYTES};
use signet_formats::in_toto::{MAX_STATEMENT_BYTES, Statement};
use signet_formats::oci::{EvidenceKind, Manifest};
use signet_formats::rekor::{
    Body, EntryKind, HashedRekordRequest, MAX_PROOF_HASHES, MAX_TREES_V1, TlogEntry, read_answer_v1,
    read_answers_v1, read_consistency_v1, read_log_v1,
};
use signet_formats::signing_config::{Selector, SigningConfig, select};
use signet_formats::simple_signing::SimpleSigning;
use signet_formats::trust_bundle::TrustBundle;
use signet_formats::trusted_root::TrustedRoot;
use signet_formats::tuf;
use signet_verify::{Policy, PreparedTrust, TrustSnapshot, check_submission};

/// A v0.3 bundle that was read and written again is the same bundle.
pub fn bundle(data: &[u8]) {
    let Ok(bundle) = Bundle::parse(data) else { return };
    if bundle.version == Version::V03 {
        let json = bundle.to_json().expect("a v0.3 bundle can be written");
        assert_eq!(Bundle::parse(json.as_bytes()).as_ref(), Ok(&bundle));
    }
    for entry in &bundle.tlog_entries {
        let _ = (entry.decode_body(), entry.set_payload());
    }
}

/// An entry as Rekor v2 answers with it, or Rekor v1.
pub fn rekor_entry(data: &[u8]) {
    let _ = read_answer_v1(data).map(|entry| (entry.decode_body(), entry.set_payload()));
    let _ = TlogEntry::parse(data, 1 << 20).map(|entry| (entry.decode_body(), entry.set_payload()));
}

/// What Rekor v1 says of its trees, and its proof that one of them only appends: within their bounds, each tree
/// after the one before.
pub fn rekor_v1(data: &[u8]) {
    if let Ok(trees) = read_log_v1(data) {
        assert!((1..=MAX_TREES_V1 + 1).contains(&trees.len()));
        assert!(trees.is_sorted_by_key(|tree| tree.first_index));
    }
    let _ = read_answers_v1(data);
    if let Ok(hashes) = read_consistency_v1(data) {
        assert!(hashes.len() <= 2 * MAX_PROOF_HASHES);
    }
}

/// A request to Rekor v2 that was read and written again is the same; what it asks to log can be judged.
pub fn rekor_request(data: &[u8]) {
    let Ok(request) = HashedRekordRequest::parse(data) else { return };
    let json = request.to_json().expect("what was read can be written");
    assert_eq!(HashedRekordRequest::parse(&json).as_ref(), Ok(&request));
    if let Ok(entry) = check_submission(request) {
        let body = entry.to_body().expect("what is logged can be written");
        let kind = EntryKind { kind: "hashedrekord".to_owned(), version: "0.0.2".to_owned() };
        assert_eq!(Body::parse(&body, &kind), Ok(Body::HashedRekordV002(entry)));
    }
}

/// A body read under every kind is of the one that it states.
pub fn rekor_body(data: &[u8]) {
    let kinds = ["hashedrekord", "dsse", "intoto"].into_iter();
    for (kind, version) in kinds.flat_map(|kind| ["0.0.1", "0.0.2"].map(|version| (kind, version))) {
        let kind = EntryKind { kind: kind.to_owned(), version: version.to_owned() };
        if Body::parse(data, &kind).is_ok() {
            assert_eq!(Body::stated_kind(data).as_ref(), Ok(&kind));
        }
    }
}

/// Metadata of a repository of trust: what was read and written again is the same, with the same signed bytes.
pub fn tuf(data: &[u8]) {
    fn written_again<B: tuf::Body + PartialEq + std::fmt::Debug>(data: &[u8]) {
        let Ok(metadata) = tuf::Metadata::<B>::parse(data) else { return };
        let json = metadata.to_json();
        if json.len() <= B::MAX_BYTES {
            assert_eq!(tuf::Metadata::<B>::parse(json.as_bytes()).as_ref(), Ok(&metadata));
        }
    }
    written_again::<tuf::Root>(data);
    written_again::<tuf::Timestamp>(data);
    written_again::<tuf::Snapshot>(data);
    written_again::<tuf::Targets>(data);
    if let Ok(root) = tuf::Metadata::<tuf::Root>::parse(data) {
        let _ = root.body.keys.values().map(|key| (key.usable(), key.id())).count();
    }
    if let Ok(targets) = tuf::Metadata::<tuf::Targets>::parse(data) {
        let _ = targets.body.delegations.map(|delegations| delegations.covering("a/b").len());
    }
}

/// A bundle of trust that was read and written again is the same.
pub fn trust_bundle(data: &[u8]) {
    let Ok(bundle) = TrustBundle::parse(data) else { return };
    let json = bundle.to_json().expect("what was read can be written");
    assert_eq!(TrustBundle::parse(json.as_bytes()).as_ref(), Ok(&bundle));
}

/// A trust root that is read can be prepared, or says why not.
pub fn trusted_root(data: &[u8]) {
    if let Ok(root) = TrustedRoot::parse(data) {
        // A time that was read may have no spelling of four digits.
        if let Ok(json) = root.to_json() {
            assert_eq!(TrustedRoot::parse(&json).as_ref(), Ok(&root));
        }
    }
    let _ = TrustSnapshot::from_trusted_root(data).map(|trust| PreparedTrust::new(&trust).is_ok());
}

/// A signing config that was read and written again is the same, and what is chosen of it was valid.
pub fn signing_config(data: &[u8]) {
    let Ok(config) = SigningConfig::parse(data) else { return };
    if let Ok(json) = config.to_json() {
        assert_eq!(SigningConfig::parse(json.as_bytes()).as_ref(), Ok(&config));
    }
    let selector = config.log_selector.unwrap_or(Selector::Any);
    let at = config.logs.first().map_or(0, |log| log.validity.start);
    for chosen in select(&config.logs, selector, &[1, 2], at).into_iter().flatten() {
        assert!(chosen.validity.contains(at));
    }
}

/// An envelope that was read and written again is the same, with the same signed bytes.
pub fn dsse(data: &[u8]) {
    let Ok(envelope) = Envelope::parse(data, MAX_ENVELOPE_BYTES) else { return };
    let json = envelope.to_json().expect("an envelope can be written");
    let again = Envelope::parse(json.as_bytes(), MAX_ENVELOPE_BYTES).expect("what we write we read");
    assert_eq!((again.pae(), &again), (envelope.pae(), &envelope));
}

/// A statement that was read and written again is the same.
pub fn in_toto(data: &[u8]) {
    let Ok(statement) = Statement::parse(data, MAX_STATEMENT_BYTES) else { return };
    let Ok(json) = statement.to_json() else { return };
    assert_eq!(Statement::parse(json.as_bytes(), MAX_STATEMENT_BYTES).as_ref(), Ok(&statement));
}

/// What the strict reader takes, the lenient one takes as the same.
pub fn simple_signing(data: &[u8]) {
    let lenient = SimpleSigning::parse_lenient(data);
    let Ok(claim) = SimpleSigning::parse(data) else { return };
    assert_eq!(lenient.as_ref(), Ok(&claim));
    let json = claim.to_json().expect("a claim can be written");
    assert_eq!(SimpleSigning::parse(json.as_bytes()).as_ref(), Ok(&claim));
}

/// The annotations of a layer: a JSON object of strings, and the layer's bytes after a zero byte.
pub fn cosign(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (annotations, layer) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(annotations) = serde_json::from_slice::<BTreeMap<String, String>>(annotations) else { return };
    let _ = LegacyAttestation::read(layer, &annotations);
    let Ok(signature) = LegacySignature::read(layer.to_vec(), &annotations) else { return };
    let written = signature.annotations().expect("what was read can be written");
    assert_eq!(LegacySignature::read(layer.to_vec(), &written).as_ref(), Ok(&signature));
}

/// cosign's own bundle files.
pub fn local_bundle(data: &[u8]) {
    let _ = LocalBundle::parse(data);
}

/// What the guarded reader takes, `serde_json` takes as the same, and no key stands twice in it.
pub fn json(data: &[u8]) {
    let Ok(value) = signet_formats::json::parse::<Value>(data, 1 << 20) else { return };
    assert_eq!(serde_json::from_slice::<Value>(data).expect("it is JSON"), value);
}

/// Canonical text is the canonical text of itself; where a double was written as an integer that is refused
/// as one, of nothing.
pub fn canonical_json(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let Ok(text) = signet_formats::canonical_json::to_string(&value) else { return };
    let again: Value = serde_json::from_str(&text).expect("canonical JSON is JSON");
    match signet_formats::canonical_json::to_string(&again) {
        Ok(same) => assert_eq!(same, text),
        Err(refusal) => assert_eq!(refusal, CanonicalError::InexactNumber),
    }
}

/// A manifest is an index or an image, never both.
pub fn oci_manifest(data: &[u8]) {
    let Ok(manifest) = Manifest::parse(data) else { return };
    assert!(manifest.layers().is_empty() || manifest.manifests().is_empty());
    let json = serde_json::to_vec(&manifest).expect("a manifest can be written");
    assert_eq!(Manifest::parse(&json).as_ref(), Ok(&manifest));
}

/// What is wholly a signature or attestation is nothing that an image could be made of: it ends where it ends.
pub fn evidence(data: &[u8]) {
    for kind in [EvidenceKind::Json, EvidenceKind::Cose].into_iter().filter(|kind| kind.is(data)) {
        let longer = [data, b"\0"].concat();
        assert!(!kind.is(&longer), "something follows");
        assert!(kind != EvidenceKind::Json || data.trim_ascii().ends_with(b"}"));
    }
}

/// A policy that is read can be written as JSON and is the same.
pub fn policy(data: &[u8]) {
    let Ok(policy) = Policy::parse(data) else { return };
    let json = serde_json::to_vec(&policy).expect("a policy can be written");
    assert_eq!(Policy::parse(&json).as_ref(), Ok(&policy));
}
