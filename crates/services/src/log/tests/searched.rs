//! Finding entries.

use signet_crypto::Digest;
use signet_formats::rekor::{EntrySignatureV002, HashedRekordV002, PublicKeyDetails, Verifier};
use signet_formats::x509::{NewExtension, SubjectAltName, TbsCertificate};

use super::*;
use crate::authority::{Issuer, Subject, make_root};

const IDENTITY: &str = "https://github.com/o/r/.github/workflows/w.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
const TIME: i64 = 1_700_000_000;

/// A certificate for that identity.
async fn certificate() -> Vec<u8> {
    let name = Subject { organization: "o", common_name: "c" };
    let (root_key, root) = make_root(&name, (TIME - 10, TIME + 10)).await.unwrap();
    let tbs = TbsCertificate {
        serial: vec![1],
        issuer: root.subject().der().to_vec(),
        subject: name.to_der(),
        not_before: TIME,
        not_after: TIME + 10,
        key: key(KeyAlgorithm::EcdsaP256).public_key().clone(),
        extensions: vec![
            NewExtension::subject_alt_name(&SubjectAltName::Uri(IDENTITY.to_owned())),
            NewExtension::fulcio(8, ISSUER),
        ],
    };
    let issuer = Issuer::new(Arc::new(root_key), vec![root]).unwrap();
    issuer.issue(&tbs).await.unwrap().der().to_vec()
}

fn leaf(number: u64, verifier: Verifier) -> Bytes {
    let key_details = PublicKeyDetails::PkixEcdsaP256Sha256;
    let signature = EntrySignatureV002 { signature: number.to_be_bytes().to_vec(), verifier, key_details };
    let digest = Digest::sha256(&number.to_be_bytes());
    HashedRekordV002 { digest, signature }.to_body().unwrap().into()
}

fn by_key(number: u64, key: &str) -> Bytes {
    leaf(number, Verifier::PublicKey(key.as_bytes().to_vec()))
}

fn all(query: &Query, find: impl Fn(&Query) -> Page) -> Vec<u64> {
    let (mut found, mut query) = (Vec::new(), query.clone());
    loop {
        let page = find(&query);
        assert!(page.hits.len() <= query.limit);
        found.extend(page.hits.iter().map(|hit| hit.index));
        match page.next {
            Some(next) => query.from = next,
            None => return found,
        }
    }
}

#[tokio::test]
async fn entries_are_found_by_all_that_they_say() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let certificate = certificate().await;
    for number in 0..300 {
        let entry = match number % 10 {
            0 => leaf(number, Verifier::Certificate(certificate.clone())),
            3 => by_key(number, "three"),
            7 => format!("nobody's entry {number}").into(),
            _ => by_key(number, "other"),
        };
        log.add(entry).await.unwrap();
    }
    let search_in = Search::open(log.clone()).unwrap();
    let find = |query: &Query| search_in.find(query).unwrap();
    let data = dir.path().join("log");
    let limit = 7;
    let three = Query { key: Some(Digest::sha256(b"three")), limit, ..Query::default() };
    let wanted: Vec<u64> = (0..300).filter(|number| number % 10 == 3).collect();
    assert_eq!(all(&three, find), wanted);
    let first = find(&Query { limit: 1, ..three.clone() }).hits.remove(0);
    assert_eq!((first.facts.keys, first.facts.time), (vec![Digest::sha256(b"three")], None));
    let one = Query { digest: Some(Digest::sha256(&123_u64.to_be_bytes())), limit, ..Query::default() };
    assert_eq!(all(&one, find), [123]);
    let both = Query { digest: Some(Digest::sha256(&124_u64.to_be_bytes())), ..three.clone() };
    assert_eq!(all(&both, find), [0_u64; 0]);

    let facts = find(&Query { from: 10, limit: 1, ..Query::default() }).hits.remove(0).facts;
    assert_eq!(
        (facts.identities, facts.issuer.as_deref(), facts.time),
        (vec![IDENTITY.into()], Some(ISSUER), Some(TIME))
    );
    let tens: Vec<u64> = (0..300).step_by(10).collect();
    let by_identity = Query { identity: Some(IDENTITY.into()), limit, ..Query::default() };
    assert_eq!(all(&by_identity, find), tens);
    assert_eq!(all(&Query { identity: Some(IDENTITY.to_uppercase()), ..by_identity }, find), [0_u64; 0]);
    for (since, until, found) in [(TIME, TIME, &tens[..]), (TIME + 1, i64::MAX, &[]), (0, TIME - 1, &[])] {
        let query = Query { since: Some(since), until: Some(until), limit, ..Query::default() };
        assert_eq!(all(&query, find), found, "{since} to {until}");
    }
    let readable = (0..300).filter(|number| number % 10 != 7).collect::<Vec<u64>>();
    assert_eq!(all(&Query { limit: 1_000, ..Query::default() }, find), readable);

    // New entries are found at once, and what the directory says beside the running log is the same.
    log.add(by_key(1000, "three")).await.unwrap();
    assert_eq!(all(&three, find).last(), Some(&300));
    log.close().await;
    assert_eq!(all(&three, |query| search(&data, query).unwrap()), all(&three, find));
    assert_eq!(all(&Query { limit, ..Query::default() }, |query| search(&data, query).unwrap()).len(), 271);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_is_found_in_files_that_are_made_again() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let adders = (0..CHUNK_WIDTH + 5).map(|number| {
        let log = log.clone();
        tokio::spawn(async move {
            let key = if number % 10_000 == 77 { "rare" } else { "other" };
            let entry = by_key(number, key);
            while let Err(error) = log.add(entry.clone()).await {
                assert_eq!(error, AddError::Busy);
                tokio::task::yield_now().await;
            }
        })
    });
    for adder in adders.collect::<Vec<_>>() {
        adder.await.unwrap();
    }
    let rare = Query { key: Some(Digest::sha256(b"rare")), limit: 2, ..Query::default() };
    let follow = |search: &Search| while search.follow().unwrap() {};
    let search_in = Search::open(log.clone()).unwrap();
    follow(&search_in);
    let found = all(&rare, |query| search_in.find(query).unwrap());
    assert_eq!(found.len(), 7);
    let file = dir.path().join("log/search/000000000000");
    let bytes = fs::read(&file).unwrap();
    assert_eq!(bytes.len(), usize::try_from(CHUNK_WIDTH).unwrap() * 2 * 16, "a digest and a key each");
    let data = dir.path().join("log");
    log.close().await;
    assert_eq!(all(&rare, |query| search(&data, query).unwrap()), found);
    drop(search_in);
    // Opened again it reads what no file has; without the file, all.
    for lost in [false, true] {
        if lost {
            fs::remove_file(&file).unwrap();
        }
        let again = Search::open(log.clone()).unwrap();
        follow(&again);
        assert_eq!(all(&rare, |query| again.find(query).unwrap()), found, "lost: {lost}");
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
}
