use serde_json::{Value, json};
use signet_crypto::{Digest, DigestAlgorithm, KeyAlgorithm};
use signet_formats::base64::Base64;
use signet_formats::bundle;
use signet_formats::cosign::LegacySignature;
use signet_formats::rekor::{Body, EntryKind, PublicKeyDetails, TlogEntry};
use signet_testkit::forge::{Case, Entry, Key, Log, Logging, SIGNED_AT, Signing, World, bundle_item};
use signet_verify::{Code, Content};

use crate::{assert_allowed, assert_denied, keyless};

/// GHSA-whqx-f9j3-ch6m: a log entry about another signature passed as proof for this one.
#[test]
fn ghsa_whqx_f9j3_ch6m_the_entry_is_about_another_signature() {
    let (world, key, attacker) = (World::new(), Key::p256(), Key::p256());
    for make in [Signing::keyless_v1, Signing::keyless_v2] {
        let own = make(&world, &key);
        // The same key over the same artifact, signed again; another key; another kind of content.
        let others =
            [own.bundle(), make(&world, &attacker).bundle(), own.clone().over_statement("p").bundle()];
        for other in others {
            let mut bundle = own.bundle();
            bundle.tlog_entries = other.tlog_entries;
            assert_denied(&keyless(&world, &bundle), Code::LogEntryMismatch);
        }
        let mut statement = own.clone().over_statement("p").bundle();
        statement.tlog_entries = own.clone().over_statement("p").bundle().tlog_entries;
        assert_denied(&keyless(&world, &statement), Code::LogEntryMismatch);
    }
}

/// Each field of an entry that the log really holds, exchanged alone for another signature's.
#[test]
fn ghsa_whqx_f9j3_ch6m_every_field_of_the_entry_counts() {
    let (world, key, attacker) = (World::new(), Key::p256(), Key::p256());
    let (v1, v2) = (Signing::keyless_v1(&world, &key), Signing::keyless_v2(&world, &key));
    let statement = v1.clone().over_statement("p");
    let by_key = Signing { logging: v1.logging, ..Signing::by_key(&world, &key) };
    let v2_signature = "/spec/hashedRekordV002/signature";
    for (own, fields) in [
        (&v1, vec!["/spec/data/hash/value", "/spec/signature/content", "/spec/signature/publicKey/content"]),
        (&by_key, vec!["/spec/signature/content", "/spec/signature/publicKey/content"]),
        (
            &statement,
            vec!["/spec/payloadHash/value", "/spec/signatures/0/signature", "/spec/signatures/0/verifier"],
        ),
        (&v2, vec!["/spec/hashedRekordV002/data/digest", &format!("{v2_signature}/content")]),
        (&v2, vec![&format!("{v2_signature}/verifier/x509Certificate/rawBytes")]),
        (&v2, vec![&format!("{v2_signature}/verifier/keyDetails")]),
    ] {
        let other = Signing { key: &attacker, ..own.clone() }.bundle();
        for field in fields {
            let mut bundle = own.bundle();
            exchange(&world, &mut bundle.tlog_entries[0], &other.tlog_entries[0], field);
            let keys: Vec<_> = own.certificate.is_none().then(|| key.public()).into_iter().collect();
            let case = Case::of(field, &world, &keys, bundle_item(&bundle));
            assert_eq!(case.decide().code, Some(Code::LogEntryMismatch), "{field}");
        }
    }
}

/// Logs the entry anew with this field of its body from `other`, or with another value where they agree.
fn exchange(world: &World, entry: &mut TlogEntry, other: &TlogEntry, field: &str) {
    let mut body: Value = serde_json::from_slice(&entry.body).unwrap();
    let donor: Value = serde_json::from_slice(&other.body).unwrap();
    let (value, found) = (body.pointer_mut(field).unwrap(), donor.pointer(field).unwrap());
    *value = match (found == value, field.rsplit('/').next()) {
        (false, _) => found.clone(),
        (true, Some("keyDetails")) => "PKIX_ECDSA_P384_SHA_384".into(),
        (true, Some("digest")) => {
            signet_formats::base64::encode(Digest::sha256(b"another").as_bytes()).into()
        }
        (true, _) => Digest::sha256(b"another").hex().into(),
    };
    let log = if entry.promise.is_some() { &world.rekor_v1 } else { &world.rekor_v2 };
    let kind = entry.kind.clone();
    *entry = log.add(
        &Entry {
            kind: (&kind.kind, &kind.version),
            body: body.to_string().into_bytes(),
            index: entry.log_index,
            integrated: entry.integrated_time,
            with_proof: true,
        },
        &[],
    );
}

/// An entry of Rekor v2 says by which algorithm the signature was made, and by the digest's hash it says so again.
#[test]
fn an_entry_that_contradicts_itself_about_the_algorithm() {
    use DigestAlgorithm::{Sha256, Sha384, Sha512};
    use PublicKeyDetails as Details;
    let world = World::new();
    let logged = |key: &Key, hash: DigestAlgorithm, details: PublicKeyDetails| {
        let mut bundle = Signing::keyless_v2(&world, key).over_statement("p").bundle();
        let bundle::Content::Dsse(envelope) = &bundle.content else { panic!("it has an envelope") };
        let Ok(Body::HashedRekordV002(mut body)) = bundle.tlog_entries[0].decode_body() else {
            panic!("it is an entry of Rekor v2")
        };
        body.digest = Digest::of(hash, &envelope.pae());
        body.signature.key_details = details;
        let (kind, body) = (("hashedrekord", "0.0.2"), body.to_body().unwrap());
        let entry = Entry { kind, body, index: 5, integrated: None, with_proof: true };
        bundle.tlog_entries = vec![world.rekor_v2.add(&entry, &[])];
        keyless(&world, &bundle)
    };
    let key = Key::new(KeyAlgorithm::EcdsaP384);
    assert_allowed(&logged(&key, Sha384, Details::PkixEcdsaP384Sha384));
    for (hash, details) in [
        (Sha256, Details::PkixEcdsaP384Sha384),
        (Sha512, Details::PkixEcdsaP384Sha384),
        (Sha384, Details::PkixEcdsaP384Sha256),
        (Sha256, Details::PkixEcdsaP384Sha256),
    ] {
        assert_denied(&logged(&key, hash, details), Code::LogEntryMismatch);
    }
    let key = Key::new(KeyAlgorithm::Rsa { bits: 2048 });
    assert_allowed(&logged(&key, Sha256, Details::PkixRsaPkcs1v15_2048Sha256));
    for details in [Details::PkixRsaPkcs1v15_3072Sha256, Details::PkixRsaPss2048Sha256] {
        assert_denied(&logged(&key, Sha256, details), Code::LogEntryMismatch);
    }
}

/// CVE-2022-36056: the promise beside a legacy signature was checked, but not against the signature.
#[test]
fn cve_2022_36056_the_promise_is_for_another_signature() {
    let (world, key) = (World::new(), Key::p256());
    let signing = Signing::keyless_v1(&world, &key);
    let mut layer = signing.legacy("example.com/image");
    assert_allowed(&Case::of("sound", &world, &[], legacy(layer.clone())));
    layer.material.entry = signing.legacy("example.com/image").material.entry;
    assert_denied(&Case::of("hostile", &world, &[], legacy(layer)), Code::LogEntryMismatch);
}

/// CVE-2026-48816: a time that nobody signed passed for the log's.
#[test]
fn cve_2026_48816_an_integrated_time_without_a_promise() {
    let (world, key) = (World::new(), Key::p256());
    let mut bundle = Signing::keyless_v1(&world, &key).bundle();
    bundle.tlog_entries[0].promise = None;
    assert_denied(&keyless(&world, &bundle), Code::TimeUnproven);
}

/// The variant where a promise is there, but nobody checks it.
#[test]
fn cve_2026_48816_a_promise_for_another_time() {
    let (world, key) = (World::new(), Key::p256());
    let mut bundle = Signing::keyless_v1(&world, &key).bundle();
    bundle.tlog_entries[0].integrated_time = Some(SIGNED_AT + 1);
    assert_denied(&keyless(&world, &bundle), Code::SetInvalid);
    let mut bundle = Signing::keyless_v1(&world, &key).bundle();
    bundle.tlog_entries[0].log_index += 1;
    assert_denied(&keyless(&world, &bundle), Code::SetInvalid);
}

/// The promises of a log with a P-384 key, of which no vector of others has one.
#[test]
fn a_promise_by_a_p384_key_is_checked() {
    let key = Key::p256();
    let log = Log { key: Key::new(KeyAlgorithm::EcdsaP384), ..Log::rekor_v1("rekor.example.com") };
    let world = World { rekor_v1: log, ..World::new() };
    let mut layer = Signing::keyless_v1(&world, &key).legacy("example.com/image");
    assert_allowed(&Case::of("sound", &world, &[], legacy(layer.clone())));
    layer.material.entry.as_mut().unwrap().promise.as_mut().unwrap()[20] ^= 1;
    assert_denied(&Case::of("hostile", &world, &[], legacy(layer)), Code::SetInvalid);
}

/// An `intoto` entry states the type of the payload: a log that holds the envelope as something else does
/// not hold this one.
#[test]
fn the_payload_type_of_an_intoto_entry_counts() {
    let (world, key) = (World::new(), Key::p256());
    let mut bundle = Signing::keyless_v1(&world, &key).over_statement("p").bundle();
    let logged = bundle.tlog_entries[0].clone();
    let dsse: Value = serde_json::from_slice(&logged.body).unwrap();
    let signature = dsse.pointer("/spec/signatures/0").unwrap();
    let mut with_type = |payload_type: &str| {
        let twice = signet_formats::base64::encode(signature["signature"].as_str().unwrap().as_bytes());
        let body = json!({
            "apiVersion": "0.0.2",
            "kind": "intoto",
            "spec": { "content": {
                "envelope": {
                    "payloadType": payload_type,
                    "signatures": [{ "publicKey": signature["verifier"], "sig": twice }],
                },
                "hash": dsse["spec"]["envelopeHash"],
                "payloadHash": dsse["spec"]["payloadHash"],
            } },
        });
        let entry = Entry {
            kind: ("intoto", "0.0.2"),
            body: body.to_string().into_bytes(),
            index: logged.log_index,
            integrated: logged.integrated_time,
            with_proof: true,
        };
        bundle.tlog_entries = vec![world.rekor_v1.add(&entry, &[])];
        keyless(&world, &bundle)
    };
    assert_allowed(&with_type("application/vnd.in-toto+json"));
    assert_denied(&with_type("application/json"), Code::LogEntryMismatch);
}

#[test]
fn a_log_that_is_not_trusted() {
    let (world, key) = (World::new(), Key::p256());
    let mut case = keyless(&world, &Signing::keyless_v1(&world, &key).bundle());
    case.trust.logs.remove(0);
    assert_denied(&case, Code::LogUnknown);
}

/// The id of a trusted log over the signatures of another.
#[test]
fn a_log_that_poses_as_a_trusted_one() {
    let (world, key) = (World::new(), Key::p256());
    let mut attacker = World::new();
    attacker.rekor_v1 = Log::rekor_v1(&world.rekor_v1.host);
    let mut signing = Signing::keyless_v1(&world, &key);
    let mut bundle = signing.bundle();
    signing.world = &attacker;
    bundle.tlog_entries[0].promise = signing.bundle().tlog_entries.remove(0).promise;
    assert_denied(&keyless(&world, &bundle), Code::SetInvalid);
}

#[test]
fn proof_and_checkpoint_disagree() {
    let (world, key) = (World::new(), Key::p256());
    let bundle = Signing::keyless_v2(&world, &key).bundle();
    let proof = bundle.tlog_entries[0].proof.clone().unwrap();
    let root = proof.root_hash.as_bytes().try_into().unwrap();
    let with = |checkpoint: String| {
        let mut bundle = bundle.clone();
        bundle.tlog_entries[0].proof.as_mut().unwrap().checkpoint = Some(checkpoint);
        keyless(&world, &bundle)
    };
    assert_allowed(&with(world.rekor_v2.checkpoint(proof.tree_size, root, &[])));
    // A larger tree and another root of the same log, and the same tree of another log.
    assert_denied(&with(world.rekor_v2.checkpoint(proof.tree_size + 1, root, &[])), Code::CheckpointMismatch);
    assert_denied(&with(world.rekor_v2.checkpoint(proof.tree_size, [0; 32], &[])), Code::CheckpointMismatch);
    let posing = Log::rekor_v2(&world.rekor_v2.host);
    assert_denied(&with(posing.checkpoint(proof.tree_size, root, &[])), Code::CheckpointInvalid);
    assert_denied(&with(world.rekor_v1.checkpoint(proof.tree_size, root, &[])), Code::CheckpointInvalid);
    // The line of the trusted log from below another tree.
    let (own, other) = (&world.rekor_v2, world.rekor_v2.checkpoint(proof.tree_size + 1, root, &[]));
    let text = own.checkpoint(proof.tree_size, root, &[]);
    let grafted = [text.split("\n\n").next().unwrap(), other.split("\n\n").nth(1).unwrap()].join("\n\n");
    assert_denied(&with(grafted), Code::CheckpointInvalid);
}

#[test]
fn a_proof_that_does_not_lead_to_its_root() {
    let (world, key) = (World::new(), Key::p256());
    let good = Signing::keyless_v2(&world, &key).bundle();
    let bent = |bend: &dyn Fn(&mut TlogEntry)| {
        let mut bundle = good.clone();
        bend(&mut bundle.tlog_entries[0]);
        keyless(&world, &bundle)
    };
    let code = Code::InclusionProofInvalid;
    assert_denied(&bent(&|entry| entry.log_index += 1), code);
    assert_denied(&bent(&|entry| entry.proof.as_mut().unwrap().hashes.truncate(1)), code);
    assert_denied(&bent(&|entry| entry.proof.as_mut().unwrap().hashes.push(Digest::sha256(b""))), code);
    assert_denied(&bent(&|entry| entry.proof.as_mut().unwrap().hashes.swap(0, 1)), code);
}

/// What stands beside the body must be what the body says.
#[test]
fn the_kind_beside_the_body_is_another() {
    let (world, key) = (World::new(), Key::p256());
    for (kind, version) in
        [("dsse", "0.0.1"), ("hashedrekord", "0.0.2"), ("intoto", "0.0.2"), ("rekord", "0.0.1")]
    {
        let mut bundle = Signing::keyless_v1(&world, &key).bundle();
        bundle.tlog_entries[0].kind = EntryKind { kind: kind.to_owned(), version: version.to_owned() };
        assert_denied(&keyless(&world, &bundle), Code::LogEntryMismatch);
    }
}

/// An entry that agrees with itself, but whose kind says nothing that could be compared.
#[test]
fn a_kind_of_entry_that_is_not_understood() {
    let (world, key) = (World::new(), Key::p256());
    let mut bundle = Signing::keyless_v1(&world, &key).bundle();
    let entry = Entry {
        kind: ("rekord", "0.0.1"),
        body: br#"{"apiVersion":"0.0.1","kind":"rekord","spec":{}}"#.to_vec(),
        index: 5,
        integrated: Some(SIGNED_AT),
        with_proof: true,
    };
    bundle.tlog_entries = vec![world.rekor_v1.add(&entry, &[])];
    assert_denied(&keyless(&world, &bundle), Code::LogEntryKindUnsupported);
}

#[test]
fn a_time_in_the_future_is_refused() {
    let (world, key) = (World::new(), Key::p256());
    let time = SIGNED_AT + 7200;
    let logging = Logging::V1 { index: 9, time };
    let mut signing = Signing { logging, ..Signing::keyless_v1(&world, &key) };
    signing.certificate.as_mut().unwrap().life = (time - 60, time + 60);
    assert_denied(&keyless(&world, &signing.bundle()), Code::IntegratedTimeFuture);
}

fn legacy(layer: LegacySignature) -> Content {
    let annotations = layer.annotations().unwrap();
    Content::CosignSignature { payload: Base64(layer.payload), annotations }
}
