//! Any change of any file is refused, or means nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use signet_formats::trust_bundle::TrustBundle;
use signet_formats::tuf::{Metadata, Root, Snapshot, Targets, Timestamp};
use signet_testkit::forge::{Key, TrustRepository};

use crate::client::Client;
use crate::delegations::publish;

#[test]
fn a_changed_byte_changes_nothing_that_is_trusted() {
    let mut repository = TrustRepository::new();
    repository.delegate("targets", "A", &["*"], false, Key::p256());
    repository.add_target("A", "target", b"content");
    repository.rotate("root");
    repository.publish(&["root"]);
    publish(&mut repository);
    let original = repository.files.clone();
    let (mut refused, mut harmless) = (0, 0);
    for name in ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json", "1.A.json"] {
        let length = original[name].len();
        for at in (0..length).step_by(7) {
            for change in [0x01, 0x20, 0xff] {
                repository.files.get_mut(name).unwrap()[at] ^= change;
                match Client::of(&repository).find(&repository, "target") {
                    Ok(found) => {
                        assert!(found.unwrap().file.fits(b"content"), "{name} {at}");
                        harmless += 1;
                    }
                    Err(_) => refused += 1,
                }
                repository.files.get_mut(name).unwrap()[at] ^= change;
            }
        }
    }
    // Spaces of a file whose hash nobody states may be others.
    assert!(refused > 10 * harmless, "{refused} {harmless}");
    assert_eq!(repository.files, original);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_are_no_metadata(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn arbitrary_documents_are_read_without_a_panic(
        kind in "root|timestamp|snapshot|targets",
        version: u64,
        expires in "[0-9TZ:-]{0,24}",
        bits: u32,
        text in ".{0,12}",
    ) {
        let signed = serde_json::json!({
            "_type": kind, "spec_version": "1.0", "version": version, "expires": expires,
            "keys": {text.as_str(): {"keytype": "ecdsa", "scheme": text, "keyval": {"public": text}}},
            "roles": {"root": {"keyids": [text], "threshold": bits}},
            "meta": {"snapshot.json": {"version": bits}, "targets.json": {"version": version}},
            "targets": {text.as_str(): {"length": version, "hashes": {"sha256": text}}},
            "delegations": {
                "keys": {},
                "succinct_roles": {"keyids": [], "threshold": 1, "bit_length": bits, "name_prefix": text},
            },
        });
        let file = serde_json::json!({"signatures": [{"keyid": text, "sig": text}], "signed": signed});
        read_as_everything(file.to_string().as_bytes());
    }
}

/// What could be read is looked at in full.
fn read_as_everything(bytes: &[u8]) {
    let _ = Metadata::<Root>::parse(bytes)
        .map(|root| root.body.keys.values().map(|key| (key.usable(), key.id())).collect::<Vec<_>>());
    let _ = (Metadata::<Timestamp>::parse(bytes), Metadata::<Snapshot>::parse(bytes));
    if let Ok(targets) = Metadata::<Targets>::parse(bytes) {
        let delegations = targets.body.delegations.as_ref();
        let covering: BTreeMap<_, _> =
            ["", "a", "a/b"].map(|path| (path, delegations.map(|all| all.covering(path)))).into();
        assert_eq!(covering.len(), 3);
    }
    let _ = TrustBundle::parse(bytes);
}
