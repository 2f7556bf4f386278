//! A log from a copy: whether it may go on.

use signet_formats::checkpoint::SignedCheckpoint;

use super::crash::copy;
use super::witnessed::{NOW, PATIENT, Village, village_clock};
use super::*;

/// A log of three entries that two of three witnesses have to cosign, and a copy of it.
struct Copied {
    village: Arc<Village>,
    signer: LogSigner,
    original: tempfile::TempDir,
    copy: tempfile::TempDir,
}

impl Copied {
    /// `three` never saw the log.
    async fn new() -> Self {
        let (original, copied, signer) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), signer());
        let village = Village::new(&signer).await;
        village.set_down(&["three"]);
        let log = village.open(original.path(), &signer).await;
        for number in 0..3 {
            add(&log, number).await;
        }
        log.close().await;
        copy(&original.path().join("log"), &copied.path().join("log"));
        village.set_down(&[]);
        Self { village, signer, original, copy: copied }
    }

    /// What the original publishes after the copy was taken.
    async fn go_on(&self) -> SignedCheckpoint {
        let log = self.village.open(self.original.path(), &self.signer).await;
        let head = add(&log, 3).await.head;
        log.close().await;
        SignedCheckpoint::parse(&head.note).unwrap()
    }

    fn kept(&self) -> SignedCheckpoint {
        SignedCheckpoint::parse(&fs::read(self.copy.path().join("log/checkpoint")).unwrap()).unwrap()
    }

    fn asking(&self, policy: &str) -> Evidence {
        let witnesses = Witnesses::new(self.village.policy(policy), Arc::clone(&self.village) as _, PATIENT);
        let witnesses = witnesses.by_clock(village_clock());
        Evidence { witnesses: Some(Arc::new(witnesses)), now: NOW, ..Evidence::default() }
    }

    async fn judge(&self, evidence: &Evidence) -> Result<(), Doubt> {
        is_newest(&self.copy.path().join("log"), evidence).await.unwrap()
    }
}

const TWO_OF_THREE: &str = "group all 2 one two three\nquorum all\n";

#[tokio::test]
async fn a_copy_goes_on_if_the_witnesses_have_seen_nothing_newer() {
    let copied = Copied::new().await;
    assert_eq!(copied.judge(&copied.asking(TWO_OF_THREE)).await, Ok(()));
    copied.go_on().await;
    let newer = Err(Doubt::Newer { published: 4, here: 3 });
    assert_eq!(copied.judge(&copied.asking(TWO_OF_THREE)).await, newer);
}

#[tokio::test]
async fn those_who_do_not_say_so_must_not_be_able_to_have_been_a_quorum() {
    let copied = Copied::new().await;
    copied.village.set_down(&["one"]);
    let doubt = copied.judge(&copied.asking(TWO_OF_THREE)).await.unwrap_err().to_string();
    assert!(doubt.contains("`http://one`: connection refused"), "{doubt}");
    assert!(doubt.contains("`http://three`: it has seen no more than 0 entries"), "{doubt}");
    for one_is_enough in ["group all any one two\nquorum all\n", "quorum none\n"] {
        let doubt = copied.judge(&copied.asking(one_is_enough)).await.unwrap_err();
        assert!(matches!(doubt, Doubt::Unconfirmed(_)), "{doubt}");
    }
    assert_eq!(copied.judge(&copied.asking("quorum two\n")).await, Ok(()));
    assert_eq!(copied.judge(&copied.asking("quorum three\n")).await, Err(Doubt::Unwitnessed));
}

#[tokio::test]
async fn an_old_answer_is_none() {
    let copied = Copied::new().await;
    let late = Evidence { now: NOW + 301, ..copied.asking(TWO_OF_THREE) };
    assert!(matches!(copied.judge(&late).await, Err(Doubt::Unconfirmed(_))));
}

/// It would prove for as long as its clock is ahead that nothing newer was published.
#[tokio::test]
async fn a_witness_whose_clock_is_ahead_proves_nothing_of_now() {
    let copied = Copied::new().await;
    for (ahead, is_ahead) in [(300, false), (301, true)] {
        let now = NOW - ahead;
        let asked = Evidence { now, ..copied.asking(TWO_OF_THREE) };
        copied.village.set_down(&["one", "two", "three"]);
        let shown = Evidence { heads: vec![copied.kept()], since: Some(now - 86_400), ..asked.clone() };
        let of_shown = copied.judge(&shown).await;
        copied.village.set_down(&[]);
        for judged in [of_shown, copied.judge(&asked).await] {
            assert_eq!(matches!(judged, Err(Doubt::Unconfirmed(_))), is_ahead, "{judged:?}");
        }
    }
}

#[tokio::test]
async fn no_head_of_the_log_is_a_proof_by_itself() {
    let copied = Copied::new().await;
    let heads = vec![copied.kept()];
    assert_eq!(
        copied.judge(&Evidence { heads: heads.clone(), ..Evidence::default() }).await,
        Err(Doubt::Unknown)
    );
    // Cosigned, but who says that it did not go on?
    copied.village.set_down(&["one", "two", "three"]);
    let cosigned = Evidence { heads, ..copied.asking(TWO_OF_THREE) };
    assert!(matches!(copied.judge(&cosigned).await, Err(Doubt::Unconfirmed(_))));
    let before = Evidence { since: Some(NOW - 299), ..cosigned.clone() };
    assert!(matches!(copied.judge(&before).await, Err(Doubt::Unconfirmed(_))));
    let after_its_end = Evidence { since: Some(NOW - 300), ..cosigned };
    assert_eq!(copied.judge(&after_its_end).await, Ok(()));
}

#[tokio::test]
async fn whatever_else_is_shown_a_newer_or_another_head_freezes() {
    let copied = Copied::new().await;
    let kept = copied.kept();
    let fork = Checkpoint { size: 2, root: [7; 32], ..kept.checkpoint().clone() };
    let fork = copied.signer.sign(&fork).await.unwrap();
    let fork = SignedCheckpoint::parse(fork.to_string().as_bytes()).unwrap();
    let newer = copied.go_on().await;
    for (head, doubt) in [(newer, Doubt::Newer { published: 4, here: 3 }), (fork, Doubt::Other { size: 2 })] {
        let heads = vec![kept.clone(), head];
        let ended = Evidence { heads, ended: true, ..Evidence::default() };
        assert_eq!(copied.judge(&ended).await, Err(doubt));
    }
    let strange = LogSigner::new(ORIGIN, key(KeyAlgorithm::Ed25519), None).unwrap();
    let strange = strange.sign(&Checkpoint { size: 9, ..kept.checkpoint().clone() }).await.unwrap();
    let heads = vec![SignedCheckpoint::parse(strange.to_string().as_bytes()).unwrap()];
    let ended = Evidence { heads, ended: true, ..Evidence::default() };
    assert_eq!(copied.judge(&ended).await, Ok(()), "what its key did not sign says nothing");
}
