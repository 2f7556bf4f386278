//! No document is read of which an object is written as an array, its members by their position.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests read their own files")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use signet_formats::bundle::Bundle;
use signet_formats::cosign::LocalBundle;
use signet_formats::dsse::{Envelope, MAX_ENVELOPE_BYTES};
use signet_formats::in_toto::{MAX_STATEMENT_BYTES, Statement};
use signet_formats::oci::Manifest;
use signet_formats::rekor::{Body, HashedRekordRequest, TlogEntry, read_consistency_v1, read_log_v1};
use signet_formats::signing_config::SigningConfig;
use signet_formats::simple_signing::SimpleSigning;
use signet_formats::trust_bundle::TrustBundle;
use signet_formats::trusted_root::TrustedRoot;
use signet_formats::tuf;

/// Whether a document is read.
type Reads = fn(&[u8]) -> bool;

/// By the seeds of their fuzz targets.
const READERS: [(&str, Reads); 17] = [
    ("bundle", |bytes| Bundle::parse(bytes).is_ok()),
    ("dsse", |bytes| Envelope::parse(bytes, MAX_ENVELOPE_BYTES).is_ok()),
    ("in_toto", |bytes| Statement::parse(bytes, MAX_STATEMENT_BYTES).is_ok()),
    ("local_bundle", |bytes| LocalBundle::parse(bytes).is_ok()),
    ("oci_manifest", |bytes| Manifest::parse(bytes).is_ok()),
    ("rekor_body", |bytes| Body::stated_kind(bytes).is_ok_and(|kind| Body::parse(bytes, &kind).is_ok())),
    ("rekor_entry", |bytes| TlogEntry::parse(bytes, 1 << 20).is_ok()),
    ("rekor_request", |bytes| HashedRekordRequest::parse(bytes).is_ok()),
    ("rekor_v1", |bytes| read_log_v1(bytes).is_ok()),
    ("rekor_v1", |bytes| read_consistency_v1(bytes).is_ok()),
    ("signing_config", |bytes| SigningConfig::parse(bytes).is_ok()),
    ("simple_signing", |bytes| SimpleSigning::parse(bytes).is_ok()),
    ("trust_bundle", |bytes| TrustBundle::parse(bytes).is_ok()),
    ("trusted_root", |bytes| TrustedRoot::parse(bytes).is_ok()),
    ("tuf", |bytes| tuf::Metadata::<tuf::Root>::parse(bytes).is_ok()),
    ("tuf", |bytes| tuf::Metadata::<tuf::Snapshot>::parse(bytes).is_ok()),
    ("tuf", |bytes| tuf::Metadata::<tuf::Targets>::parse(bytes).is_ok()),
];

#[test]
fn an_object_that_is_written_as_an_array_is_refused_in_every_document() {
    for (target, reads) in READERS {
        let good: Vec<Value> =
            seeds(target).iter().filter(|bytes| reads(bytes)).map(|bytes| read(bytes)).collect();
        assert!(!good.is_empty(), "{target}");
        for document in good {
            let reads = |document: &Value| reads(document.to_string().as_bytes());
            for place in objects(&document, String::new()) {
                let with = |value: Value| {
                    let mut changed = document.clone();
                    *changed.pointer_mut(&place).unwrap() = value;
                    changed
                };
                // What may be a number is looked at by nobody.
                if reads(&with(json!(1))) {
                    continue;
                }
                let members = document.pointer(&place).unwrap().as_object().unwrap().values().cloned();
                assert!(!reads(&with(members.collect())), "{target}: `{place}` as an array");
            }
        }
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// Where the objects of a document are.
fn objects(value: &Value, place: String) -> Vec<String> {
    let below = |(name, value): (String, &Value)| {
        objects(value, format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")))
    };
    match value {
        Value::Object(members) => {
            let inner = members.iter().flat_map(|(name, value)| below((name.clone(), value)));
            std::iter::once(place.clone()).chain(inner).collect()
        }
        Value::Array(items) => {
            (0..).zip(items).flat_map(|(at, item): (u32, _)| below((at.to_string(), item))).collect()
        }
        _ => Vec::new(),
    }
}
