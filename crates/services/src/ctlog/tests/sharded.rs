//! Rotation.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signet_store::fs::{Faults, Step};

use super::*;
use crate::ca::{CtLog, PrecertEntry};
use crate::log::{Answer, Request, Rotation, fsck_shards, places_of};

async fn on(disk: Disk, dir: &Path) -> CertificateLogs {
    let clock = Arc::new(ManualClock::at(NOW as u64));
    CertificateLogs::open_home_on(disk, &dir.join("ct"), ORIGIN, clock).await.unwrap()
}

/// The shard of this promise has the entry that it promises.
fn is_kept(logs: &CertificateLogs, promise: &Sct, submitted: &[Certificate]) -> bool {
    let all = logs.all();
    let shard = all.iter().find(|log| log.public_key().id().as_bytes() == promise.log_id()).unwrap();
    let key_hash = Digest::sha256(submitted[1].spki());
    let tbs = submitted[0].unpoisoned_tbs().unwrap();
    let index = usize::try_from(promise.leaf_index().unwrap()).unwrap();
    promise.verify(shard.public_key(), &key_hash, &tbs).is_ok()
        && matches!(&leaves(shard)[index].entry, SignedEntry::Precertificate { tbs: logged, .. } if *logged == tbs)
}

#[tokio::test]
async fn promises_are_of_the_new_shard_and_the_old_one_is_read_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, issuer) = (shards(dir.path()).await, root("a").await);
    logs.accept(issuer.chain().to_vec());
    let (first, second) = (chain(&issuer, true).await, chain(&issuer, true).await);
    let before = logs.submit(&first, ChainKind::Precertificate).await.unwrap();
    let old = logs.active().unwrap();
    let head = old.log().head().note.clone();
    let new = logs.rotate(Some("ct2.example".to_owned())).await.unwrap();
    let after = logs.submit(&second, ChainKind::Precertificate).await.unwrap();
    assert_eq!((after.log_id(), after.leaf_index()), (&new.inner.log_id, Some(0)));
    assert!(is_kept(&logs, &before, &first) && is_kept(&logs, &after, &second));
    assert_eq!(old.log().head().note, head, "its checkpoint stays");
    assert_eq!((old.roots().to_vec(), new.roots().to_vec()), (logs.roots().to_vec(), logs.roots().to_vec()));
    let refused = old.submit(&second, ChainKind::Precertificate).await;
    assert!(matches!(refused, Err(SubmitError::Add(AddError::Frozen))));
    let again = old.submit(&first, ChainKind::Precertificate).await.unwrap();
    assert_eq!((again.leaf_index(), again.timestamp()), (before.leaf_index(), before.timestamp()));
    logs.close().await;
    drop((logs, old, new));
    let logs = shards(dir.path()).await;
    assert!(is_kept(&logs, &before, &first) && is_kept(&logs, &after, &second));
    assert!(logs.all()[0].log().is_frozen() && logs.is_ready());
}

/// Holds up who writes an issuer, until it is let go.
#[derive(Default)]
struct Slow {
    holds: AtomicBool,
    held: AtomicUsize,
}

impl Faults for Slow {
    fn before(&self, step: Step<'_>, path: &Path) -> io::Result<()> {
        let is_issuer = path.components().any(|part| part.as_os_str() == ISSUERS);
        if matches!(step, Step::Rename { .. }) && is_issuer {
            self.held.fetch_add(1, Ordering::SeqCst);
            while self.holds.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }
}

/// The shard that it was about to go to was frozen meanwhile.
#[tokio::test]
async fn who_is_slower_than_a_rotation_is_promised_the_new_shard() {
    let (dir, slow) = (tempfile::tempdir().unwrap(), Arc::new(Slow::default()));
    let logs = Arc::new(on(Disk::with_faults(slow.clone()), dir.path()).await);
    let issuer = root("a").await;
    logs.accept(issuer.chain().to_vec());
    let submitted = chain(&issuer, true).await;
    slow.holds.store(true, Ordering::SeqCst);
    let (submitting, theirs) = (Arc::clone(&logs), submitted.clone());
    let outsider =
        tokio::spawn(async move { submitting.submit(&theirs, ChainKind::Precertificate).await.unwrap() });
    let entry = PrecertEntry {
        precertificate: submitted[0].clone(),
        chain: submitted[1..].to_vec(),
        tbs: submitted[0].unpoisoned_tbs().unwrap(),
    };
    let asking = Arc::clone(&logs);
    let ca = tokio::spawn(async move { asking.add_pre_chain(&entry).await.unwrap() });
    while slow.held.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    let new = logs.rotate(None).await.unwrap();
    slow.holds.store(false, Ordering::SeqCst);
    for promise in [outsider.await.unwrap(), ca.await.unwrap()] {
        assert_eq!(promise.log_id(), &new.inner.log_id);
        assert!(is_kept(&logs, &promise, &submitted));
    }
    assert_eq!(logs.all()[0].log().head().checkpoint.size, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_refused_while_it_rotates_and_every_promise_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (logs, issuer) = (Arc::new(shards(dir.path()).await), Arc::new(root("a").await));
    logs.accept(issuer.chain().to_vec());
    let rotated = Arc::new(AtomicBool::new(false));
    let clients = (0..4).map(|_| {
        let (logs, issuer, rotated) = (Arc::clone(&logs), Arc::clone(&issuer), Arc::clone(&rotated));
        tokio::spawn(async move {
            let mut promised = Vec::new();
            while !rotated.load(Ordering::SeqCst) {
                let submitted = chain(&issuer, true).await;
                let promise = logs.submit(&submitted, ChainKind::Precertificate).await.unwrap();
                promised.push((promise, submitted));
            }
            promised
        })
    });
    let clients: Vec<_> = clients.collect();
    for _ in 0..3 {
        logs.rotate(None).await.unwrap();
    }
    rotated.store(true, Ordering::SeqCst);
    for client in clients {
        for (promise, submitted) in client.await.unwrap() {
            assert!(is_kept(&logs, &promise, &submitted));
        }
    }
    assert!(logs.all()[..3].iter().all(|log| log.log().is_frozen()));
}

/// Dies before one of its steps: that one and all later ones fail.
struct DeadFrom(AtomicUsize);

impl Faults for DeadFrom {
    fn before(&self, _: Step<'_>, _: &Path) -> io::Result<()> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| io::Error::other("dead"))
    }
}

#[tokio::test]
async fn whenever_it_dies_one_shard_takes_certificates_and_what_was_promised_is_there() {
    let issuer = root("a").await;
    for step in 0.. {
        let (dir, faults) = (tempfile::tempdir().unwrap(), Arc::new(DeadFrom(AtomicUsize::new(usize::MAX))));
        let logs = on(Disk::with_faults(faults.clone()), dir.path()).await;
        logs.accept(issuer.chain().to_vec());
        let submitted = chain(&issuer, true).await;
        let promise = logs.submit(&submitted, ChainKind::Precertificate).await.unwrap();
        faults.0.store(step, Ordering::SeqCst);
        let rotated = logs.rotate(Some("ct2.example".to_owned())).await.is_ok();
        logs.close().await;
        let lived = faults.0.load(Ordering::SeqCst) > 0;
        drop(logs);
        let logs = shards(dir.path()).await;
        logs.accept(issuer.chain().to_vec());
        assert!(!rotated || logs.all().len() == 2, "step {step}: what was acknowledged is so");
        assert!(is_kept(&logs, &promise, &submitted), "step {step}");
        let (last, earlier) = (logs.active().unwrap(), logs.all());
        assert!(earlier[..earlier.len() - 1].iter().all(|log| log.log().is_frozen()), "step {step}");
        let next = chain(&issuer, true).await;
        let promise = logs.submit(&next, ChainKind::Precertificate).await.unwrap();
        assert_eq!(promise.log_id(), &last.inner.log_id, "step {step}");
        if earlier.len() == 1 {
            logs.rotate(Some("ct2.example".to_owned())).await.unwrap();
        }
        assert_eq!(logs.active().unwrap().log().signer().origin(), "ct2.example", "step {step}");
        logs.close().await;
        let reports = fsck_shards(&places_of(&dir.path().join("ct")).unwrap()).unwrap();
        assert!(reports.iter().all(|report| report.findings.is_empty()), "step {step}: {reports:?}");
        if lived {
            assert!(rotated && step > 10, "the steps were seen");
            return;
        }
    }
}

#[tokio::test]
async fn a_shard_that_is_prepared_is_used_by_the_next_rotation_only() {
    let dir = tempfile::tempdir().unwrap();
    let logs = shards(dir.path()).await;
    let ask = async |prepare| {
        let answer = logs.answer(Request::Rotate(Rotation { origin: None, prepare }), |_| ()).await;
        let Answer::Shard { origin, keys } = answer else { panic!("{answer:?}") };
        (origin, keys)
    };
    let prepared = ask(true).await;
    assert!(prepared.0.starts_with("ct-"));
    assert_eq!(logs.active().unwrap().log().signer().origin(), ORIGIN);
    assert_eq!(ask(false).await, prepared);
    let keys: Vec<_> = logs.active().unwrap().log().signer().keys().map(ToString::to_string).collect();
    assert_eq!(keys, prepared.1);
}
