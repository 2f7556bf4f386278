//! Logs: what is posted, and what is made of each answer.

use std::io::Write;
use std::sync::Mutex;

use serde_json::{Value, json};
use signet_clients::rekor::{KnownLog, Log, Submission, log};
use signet_clients::{Error, Result};
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::base64;
use signet_formats::merkle::{Hash, leaf_hash, root, verify_inclusion};
use signet_formats::rekor::{
    Body, EntryKind, EntrySignatureV002, HashedRekordRequest, HashedRekordV002, InclusionProof, LoggedEntry,
    PublicKeyDetails, TlogEntry, Verifier,
};
use signet_formats::tlog::push_entry;

use crate::fake::{Fake, Says, says};
use crate::web;

fn submission(envelope: Option<&str>) -> Submission {
    Submission {
        digest: Digest::sha256(b"artifact"),
        signature: b"signature".to_vec(),
        verifier: Verifier::Certificate(b"certificate".to_vec()),
        key_details: PublicKeyDetails::PkixEcdsaP256Sha256,
        envelope: envelope.map(str::to_owned),
    }
}

/// The leaf that the submission becomes in Rekor v2.
fn leaf() -> Vec<u8> {
    let Submission { digest, signature, verifier, key_details, .. } = submission(None);
    HashedRekordV002 { digest, signature: EntrySignatureV002 { signature, verifier, key_details } }
        .to_body()
        .unwrap()
}

async fn add(fake: &Fake, api_version: u32, submission: &Submission) -> Result<TlogEntry> {
    let url = fake.url();
    let known = [KnownLog { origin: "log.example".to_owned(), id: [7; 32] }];
    log(&web(), Log { url: &url, api_version }, submission, &known).await
}

/// A log of 300 entries, of which number 260 is the submission's, unless `instead` stands there.
fn tiles(path: &str, size: u64, instead: Option<&[u8]>) -> Says {
    let entry = |n: u64| match n {
        260 => instead.map_or_else(leaf, <[u8]>::to_vec),
        _ => n.to_be_bytes().to_vec(),
    };
    let leaves: Vec<Hash> = (0..size).map(|n| leaf_hash(&entry(n))).collect();
    let bytes = |hashes: &[Hash]| (200, Vec::new(), hashes.concat());
    match path {
        "GET /api/v2/checkpoint" => {
            let text = format!("log.example\n{size}\n{}\n", base64::encode(root(&leaves)));
            says(200, format!("{text}\n\u{2014} log.example {}\n", base64::encode([0; 68])))
        }
        "GET /api/v2/tile/entries/001.p/44" => {
            let mut bundle = Vec::new();
            (256..300).for_each(|n| push_entry(&mut bundle, &entry(n)).unwrap());
            (200, Vec::new(), bundle)
        }
        "GET /api/v2/tile/0/000" => bytes(&leaves[..256]),
        "GET /api/v2/tile/0/001.p/44" => bytes(&leaves[256..]),
        "GET /api/v2/tile/1/000.p/1" => bytes(&[root(&leaves[..256])]),
        other => says(404, other),
    }
}

#[tokio::test]
async fn rekor_v2_answers_with_the_entry() {
    let (root, sibling, body) = ([1; 32], [2; 32], leaf());
    let logged = LoggedEntry {
        log_index: 5,
        log_id: &[7; 32],
        tree_size: 6,
        root: &root,
        proof: &[sibling],
        checkpoint: "log.example\n6\n",
        body: &body,
    };
    let mut answer = Vec::new();
    logged.write_json(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let fake = Fake::start(move |_, _| says(201, &answer)).await;
    let sha256 = |hash: &Hash| Digest::from_bytes(DigestAlgorithm::Sha256, hash).unwrap();
    let entry = TlogEntry {
        log_index: 5,
        log_id: [7; 32],
        kind: EntryKind { kind: "hashedrekord".into(), version: "0.0.2".into() },
        integrated_time: None,
        promise: None,
        proof: Some(InclusionProof {
            log_index: 5,
            root_hash: sha256(&root),
            tree_size: 6,
            hashes: vec![sha256(&sibling)],
            checkpoint: Some("log.example\n6\n".to_owned()),
        }),
        body: leaf(),
    };
    assert_eq!(add(&fake, 2, &submission(Some("{}"))).await, Ok(entry));
    let asked = &fake.asked()[0];
    assert_eq!(asked.line, "POST /api/v2/log/entries");
    let request = HashedRekordRequest::parse(asked.body.as_bytes()).unwrap();
    assert_eq!(request.digest, Digest::sha256(b"artifact").as_bytes());
    assert_eq!(request.signature.verifier, Verifier::Certificate(b"certificate".to_vec()));
}

#[tokio::test]
async fn a_duplicate_is_read_from_the_tiles_with_its_proof() {
    let fake = Fake::start(|_, asked| match asked.line.as_str() {
        "POST /api/v2/log/entries" => (409, vec![("x-log-index", "260".to_owned())], Vec::new()),
        path => tiles(path, 300, None),
    })
    .await;
    let entry = add(&fake, 2, &submission(None)).await.unwrap();
    assert_eq!((entry.log_index, entry.log_id, entry.body.clone()), (260, [7; 32], leaf()));
    assert!(matches!(entry.decode_body().unwrap(), Body::HashedRekordV002(_)));
    let proof = entry.proof.unwrap();
    let hashes: Vec<Hash> = proof.hashes.iter().map(|hash| hash.as_bytes().try_into().unwrap()).collect();
    let root: Hash = proof.root_hash.as_bytes().try_into().unwrap();
    assert_eq!(verify_inclusion(260, proof.tree_size, &leaf_hash(&leaf()), &hashes, &root), Ok(()));
    assert!(proof.checkpoint.unwrap().starts_with("log.example\n300\n"));
}

/// Logs in front of object stores send entry bundles as they are kept there.
#[tokio::test]
async fn a_compressed_bundle_is_unpacked_within_its_bound() {
    let pack = |bytes: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    };
    for bomb in [false, true] {
        let fake = Fake::start(move |_, asked| match asked.line.as_str() {
            "POST /api/v2/log/entries" => (409, vec![("x-log-index", "260".to_owned())], Vec::new()),
            "GET /api/v2/tile/entries/001.p/44" => {
                let (_, _, bundle) = tiles(&asked.line, 300, None);
                let bundle = if bomb { vec![0; 64 << 20] } else { bundle };
                (200, vec![("content-encoding", "gzip".to_owned())], pack(&bundle))
            }
            path => tiles(path, 300, None),
        })
        .await;
        let outcome = add(&fake, 2, &submission(None)).await;
        assert_eq!(outcome.is_err_and(|error| error.to_string().contains("too large")), bomb);
    }
}

/// C2SP tlog-tiles lets a log drop what is partial once the full tile is there.
#[tokio::test]
async fn where_a_partial_tile_is_gone_the_full_one_is_read() {
    let fake = Fake::start(|_, asked| match asked.line.as_str() {
        "POST /api/v2/log/entries" => (409, vec![("x-log-index", "260".to_owned())], Vec::new()),
        path if path.contains("001.p/") => says(404, "gone"),
        "GET /api/v2/tile/entries/001" => tiles("GET /api/v2/tile/entries/001.p/44", 300, None),
        "GET /api/v2/tile/0/001" => {
            let (status, headers, mut tile) = tiles("GET /api/v2/tile/0/001.p/44", 300, None);
            tile.resize(256 * 32, 7);
            (status, headers, tile)
        }
        path => tiles(path, 300, None),
    })
    .await;
    assert_eq!(add(&fake, 2, &submission(None)).await.unwrap().body, leaf());
}

/// A log knows what it has numbered before a checkpoint covers it.
#[tokio::test]
async fn a_duplicate_is_waited_for_until_a_checkpoint_covers_it() {
    let asked_before = Mutex::new(0);
    let fake = Fake::start(move |_, asked| match asked.line.as_str() {
        "POST /api/v2/log/entries" => (409, vec![("x-log-index", "260".to_owned())], Vec::new()),
        "GET /api/v2/checkpoint" => {
            let mut before = asked_before.lock().unwrap();
            *before += 1;
            tiles(&asked.line, if *before == 1 { 260 } else { 300 }, None)
        }
        path => tiles(path, 300, None),
    })
    .await;
    assert_eq!(add(&fake, 2, &submission(None)).await.unwrap().log_index, 260);
}

#[tokio::test]
async fn a_duplicate_that_is_not_what_was_sent_is_refused() {
    type Case = (Option<&'static str>, Option<&'static [u8]>, &'static str);
    let cases: [Case; 3] = [
        (Some("260"), Some(b"another entry"), "is not the one"),
        (None, None, "does not say at which index"),
        (Some("-1"), None, "does not say at which index"),
    ];
    for (index, instead, why) in cases {
        let fake = Fake::start(move |_, asked| match asked.line.as_str() {
            "POST /api/v2/log/entries" => {
                (409, index.iter().map(|index| ("x-log-index", (*index).to_owned())).collect(), Vec::new())
            }
            path => tiles(path, 300, instead),
        })
        .await;
        let error = add(&fake, 2, &submission(None)).await.unwrap_err();
        assert!(matches!(&error, Error::Malformed { .. }) && error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_frozen_log_says_so_and_a_busy_one_is_asked_again() {
    let frozen = Fake::start(|_, _| says(405, "This log has been frozen")).await;
    assert!(matches!(add(&frozen, 2, &submission(None)).await, Err(Error::Frozen { .. })));
    assert_eq!(frozen.lines().len(), 1);
    let busy = Fake::start(|_, _| (503, vec![("retry-after", "0".to_owned())], b"busy".to_vec())).await;
    let error = add(&busy, 2, &submission(None)).await.unwrap_err();
    assert!(matches!(&error, Error::Failed { status: 503, detail, .. } if detail == ": busy"), "{error:?}");
    assert_eq!(busy.lines().len(), 4);
}

/// What Rekor v1 answers.
fn answer_v1(kind: &str) -> Value {
    let body = json!({"apiVersion": "0.0.1", "kind": kind, "spec": {}}).to_string();
    json!({ "a1".repeat(40): {
        "body": base64::encode(body), "integratedTime": 9, "logID": "07".repeat(32), "logIndex": 3,
        "verification": {"signedEntryTimestamp": "AQID"},
    }})
}

#[tokio::test]
async fn rekor_v1_is_given_envelopes_as_such_and_digests_otherwise() {
    let fake = Fake::start(|_, asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        says(201, answer_v1(body["kind"].as_str().unwrap()))
    })
    .await;
    let entry = add(&fake, 1, &submission(None)).await.unwrap();
    assert_eq!(
        (entry.kind.kind.as_str(), entry.log_id, entry.integrated_time),
        ("hashedrekord", [7; 32], Some(9))
    );
    assert_eq!(add(&fake, 1, &submission(Some("{}"))).await.unwrap().kind.kind, "dsse");
    assert_eq!(fake.lines(), ["POST /api/v1/log/entries"; 2]);
}

#[tokio::test]
async fn a_duplicate_of_rekor_v1_is_read_where_the_answer_says() {
    let uuid = "a1".repeat(40);
    let location = format!("/api/v1/log/entries/{uuid}");
    let read = format!("GET {location}");
    let fake = Fake::start(move |_, asked| match asked.line.as_str() {
        "POST /api/v1/log/entries" => (409, vec![("location", location.clone())], b"{}".to_vec()),
        line if line == read => says(200, answer_v1("hashedrekord")),
        _ => says(404, ""),
    })
    .await;
    assert_eq!(add(&fake, 1, &submission(None)).await.unwrap().log_index, 3);
    // A place elsewhere is not asked.
    let evil =
        Fake::start(|_, _| (409, vec![("location", "https://evil.example/../x".to_owned())], Vec::new()))
            .await;
    assert!(matches!(add(&evil, 1, &submission(None)).await, Err(Error::Malformed { .. })));
    assert_eq!(evil.lines().len(), 1);
}
