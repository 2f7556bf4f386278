//! Finding entries.

use futures_util::future::join_all;
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
    certificate_of(vec![SubjectAltName::Uri(IDENTITY.to_owned())]).await
}

async fn certificate_of(names: Vec<SubjectAltName>) -> Vec<u8> {
    let name = Subject { organization: "o", common_name: "c" };
    let (root_key, root) = make_root(&name, (TIME - 10, TIME + 10)).await.unwrap();
    let tbs = TbsCertificate {
        serial: vec![1],
        issuer: root.subject().der().to_vec(),
        subject: name.to_der(),
        not_before: TIME,
        not_after: TIME + 10,
        key: key(KeyAlgorithm::EcdsaP256).public_key().clone(),
        extensions: vec![NewExtension::subject_alt_names(&names), NewExtension::fulcio(8, ISSUER)],
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

fn places(data: &Path) -> Vec<Place> {
    places_of(data).unwrap()
}

fn all(query: &Query, find: impl Fn(&Query) -> Page) -> Vec<u64> {
    let (mut found, mut query) = (Vec::new(), query.clone());
    loop {
        let page = find(&query);
        assert!(page.hits.len() <= query.limit);
        found.extend(page.hits.iter().map(|hit| hit.index));
        match page.next {
            Some(Next { shard, from }) => (query.shard, query.from) = (Some(shard), from),
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
    let search_in = Searches::open(vec![log.clone()]).unwrap();
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
    assert_eq!(all(&three, |query| search(&places(&data), query).unwrap()), all(&three, find));
    assert_eq!(
        all(&Query { limit, ..Query::default() }, |query| search(&places(&data), query).unwrap()).len(),
        271
    );
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
    let follow = |search: &Searches| while search.follow().unwrap() {};
    let search_in = Searches::open(vec![log.clone()]).unwrap();
    follow(&search_in);
    let found = all(&rare, |query| search_in.find(query).unwrap());
    assert_eq!(found.len(), 7);
    let file = dir.path().join("log/search/000000000000.3");
    let bytes = fs::read(&file).unwrap();
    assert_eq!(bytes.len(), usize::try_from(CHUNK_WIDTH).unwrap() * 2 * 16, "a digest and a key each");
    let data = dir.path().join("log");
    log.close().await;
    assert_eq!(all(&rare, |query| search(&places(&data), query).unwrap()), found);
    drop(search_in);
    // Opened again it reads what no file has; without the file, all.
    for lost in [false, true] {
        if lost {
            fs::remove_file(&file).unwrap();
        }
        let again = Searches::open(vec![log.clone()]).unwrap();
        follow(&again);
        assert_eq!(all(&rare, |query| again.find(query).unwrap()), found, "lost: {lost}");
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
    // Without its key the index is of no use to anybody: it is made again with another one.
    fs::remove_file(dir.path().join("log/search/key")).unwrap();
    assert_eq!(all(&rare, |query| search(&places(&data), query).unwrap()), found);
    let again = Searches::open(vec![log.clone()]).unwrap();
    assert!(!file.exists());
    follow(&again);
    assert_eq!(all(&rare, |query| again.find(query).unwrap()), found);
    assert_ne!(fs::read(&file).unwrap(), bytes);
}

/// Who has stolen it would ask it about addresses that he knows.
#[tokio::test]
async fn what_earlier_versions_indexed_without_a_key_is_removed() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let search = dir.path().join("log/search");
    fs::create_dir(&search).unwrap();
    fs::write(search.join("000000000000.2"), [0; 16]).unwrap();
    let searches = Searches::open(vec![log.clone()]).unwrap();
    let names = || fs::read_dir(&search).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(), ["key"]);
    let tag = searches.tag("a@example.org");
    let hash = tag.strip_prefix("hmac-sha256:").unwrap();
    assert_ne!(hash, Digest::sha256(b"a@example.org").hex());
    assert_eq!(Searches::open(vec![log]).unwrap().tag("a@example.org"), tag, "the same after a start");
    assert_ne!(searches.tag("b@example.org"), tag);
}

/// Whoever logs can make an index name many entries that a time then leaves out: a page reads only so many of them.
#[tokio::test]
async fn a_page_reads_a_bounded_number_of_entries_that_the_index_names() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    let added = (0..1_001).map(|number| log.add(by_key(number, "ours")));
    join_all(added).await.into_iter().for_each(|added| assert!(added.is_ok()));
    let searches = Searches::open(vec![log]).unwrap();
    let ours = Query { key: Some(Digest::sha256(b"ours")), since: Some(TIME), limit: 1, ..Query::default() };
    let page = searches.find(&ours).unwrap();
    assert_eq!((page.hits.len(), page.next.map(|next| next.from)), (0, Some(1_000)));
    assert_eq!(searches.find(&Query { from: 1_000, ..ours.clone() }).unwrap().next, None);
    let beside = search(&places(&dir.path().join("log")), &ours).unwrap();
    assert_eq!((beside.hits.len(), beside.next), (0, None));
}

#[tokio::test]
async fn the_last_of_many_names_is_found() {
    let (dir, signer) = (tempfile::tempdir().unwrap(), signer());
    let log = open(dir.path(), &signer).await;
    for (number, count) in [(0, 70), (1, 256)] {
        let names = (0..count).map(|name| SubjectAltName::Email(format!("a{name}@x.org"))).collect();
        log.add(leaf(number, Verifier::Certificate(certificate_of(names).await))).await.unwrap();
        log.add(by_key(number, "other")).await.unwrap();
    }
    let searches = Searches::open(vec![log]).unwrap();
    for (name, found) in [("a69", &[0, 2][..]), ("a255", &[2]), ("a256", &[])] {
        let query = Query { identity: Some(format!("{name}@x.org")), limit: 7, ..Query::default() };
        assert_eq!(all(&query, |query| searches.find(query).unwrap()), found, "{name}");
    }
}

#[tokio::test]
async fn all_shards_are_searched_also_those_that_were_frozen_before_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let opened = async || {
        let options = HomeOptions { origin: Some("log.example.org/1".into()), ml_dsa: false };
        Shards::open(Disk::default(), config(dir.path()), options).await.unwrap()
    };
    let log = opened().await;
    let searches = Searches::open(log.all()).unwrap();
    for shard in ["2", "3"] {
        for number in 0..3 {
            log.active().unwrap().add(by_key(number, "ours")).await.unwrap();
        }
        let new = log.rotate(Some(format!("log.example.org/{shard}"))).await.unwrap();
        searches.add(new).unwrap();
    }
    log.active().unwrap().add(by_key(2, "ours")).await.unwrap();
    let ours = Query { key: Some(Digest::sha256(b"ours")), limit: 2, ..Query::default() };
    let last = Query { digest: Some(Digest::sha256(&2_u64.to_be_bytes())), ..ours.clone() };
    let check = |find: &dyn Fn(&Query) -> Result<Page, SearchError>| {
        assert_eq!(all(&ours, |query| find(query).unwrap()), [0, 1, 2, 0, 1, 2, 0]);
        let page = find(&Query { limit: 9, ..last.clone() }).unwrap();
        let found: Vec<_> = page.hits.iter().map(|hit| (hit.shard.as_str(), hit.index)).collect();
        let wanted = [("log.example.org/1", 2), ("log.example.org/2", 2), ("log.example.org/3", 0)];
        assert_eq!((found.as_slice(), page.size), (&wanted[..], 7));
        let from = Query { shard: Some("log.example.org/2".into()), from: 1, ..ours.clone() };
        assert_eq!(all(&from, |query| find(query).unwrap()), [1, 2, 0]);
        let none = find(&Query { shard: Some("other".into()), ..ours.clone() });
        assert!(matches!(none, Err(SearchError::NoShard(_))));
    };
    check(&|query| searches.find(query));
    log.close().await;
    drop((log, searches));
    check(&|query| search(&places(&dir.path().join("log")), query));
    let log = opened().await;
    let searches = Searches::open(log.all()).unwrap();
    check(&|query| searches.find(query));
}

#[tokio::test]
async fn damage_in_any_shard_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let log = Shards::open(Disk::default(), config(dir.path()), HomeOptions::default()).await.unwrap();
    add(&log.active().unwrap(), 1).await;
    let new = log.rotate(None).await.unwrap();
    for number in 0..2 {
        add(&new, number).await;
    }
    log.close().await;
    let data = dir.path().join("log");
    let is_sound = || {
        let reports = fsck_shards(&places(&data)).unwrap();
        reports.into_iter().map(|report| report.findings.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(is_sound(), [true, true]);
    let segment = data.join("shards/0001/entries/00000000000000000000.2");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[66] ^= 1;
    fs::write(&segment, bytes).unwrap();
    assert_eq!(is_sound(), [true, false]);
    fs::remove_file(data.join("shards/0001/log.json")).unwrap();
    assert_eq!(is_sound(), [true, false]);
}
