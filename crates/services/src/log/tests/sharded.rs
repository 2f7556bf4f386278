//! Rotation.

use super::*;
use crate::log::{
    Answer, HomeError, Request, RotateError, Rotation, Shards, fsck_shards, places_of, request,
};

async fn shards(dir: &Path) -> Shards {
    let options = HomeOptions { origin: Some("log.example.org/1".into()), ml_dsa: false };
    Shards::open(Disk::default(), config(dir), options).await.unwrap()
}

#[tokio::test]
async fn entries_go_to_the_new_shard_and_the_old_one_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let log = shards(dir.path()).await;
    add(&log.active().unwrap(), 1).await;
    let old = log.active().unwrap();
    let same = log.rotate(Some("log.example.org/1".into())).await;
    assert!(matches!(same, Err(RotateError::SameName)));
    let new = log.rotate(Some("log.example.org/2".into())).await.unwrap();
    assert_ne!(new.signer().keys().next(), old.signer().keys().next());
    assert_eq!(old.add(entry(2)).await.unwrap_err(), AddError::Frozen);
    assert_eq!(add(&log.active().unwrap(), 1).await.index, 0, "each shard has its own entries");
    log.close().await;
    drop((log, new, old));

    let log = shards(dir.path()).await;
    let names: Vec<String> = log.all().iter().map(|log| log.signer().origin().to_owned()).collect();
    assert_eq!(names, ["log.example.org/1", "log.example.org/2"]);
    let sizes: Vec<u64> = log.all().iter().map(|log| log.head().checkpoint.size).collect();
    assert_eq!(sizes, [1, 1]);
    assert_eq!(log.all()[0].add(entry(2)).await.unwrap_err(), AddError::Frozen);
    let made_up = log.rotate(None).await.unwrap();
    assert!(made_up.signer().origin().starts_with("log-"));
}

/// `signet log rotate` of a log that does not run does not say what it takes.
#[tokio::test]
async fn a_new_shard_takes_what_the_one_before_it_took() {
    let dir = tempfile::tempdir().unwrap();
    let opaque = Config { kind: Some(Kind::Opaque), ..config(dir.path()) };
    let log = Shards::open(Disk::default(), opaque, HomeOptions::default()).await.unwrap();
    log.close().await;
    drop(log);
    let log = shards_as_they_are(dir.path()).await;
    assert_eq!(log.rotate(None).await.unwrap().kind(), Some(Kind::Opaque));
}

async fn shards_as_they_are(dir: &Path) -> Shards {
    Shards::open(Disk::default(), config(dir), HomeOptions::default()).await.unwrap()
}

/// Dies before one of its steps: that one and all later ones fail.
struct DeadFrom(Mutex<usize>);

impl Faults for DeadFrom {
    fn before(&self, _: Step<'_>, _: &Path) -> io::Result<()> {
        let mut left = self.0.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| io::Error::other("dead"))?;
        Ok(())
    }
}

#[tokio::test]
async fn whenever_it_dies_one_shard_takes_entries_and_the_others_do_not() {
    for step in 0.. {
        let dir = tempfile::tempdir().unwrap();
        shards(dir.path()).await.close().await;
        let faults = Arc::new(DeadFrom(Mutex::new(usize::MAX)));
        let log = Shards::open(Disk::with_faults(faults.clone()), config(dir.path()), HomeOptions::default());
        let log = log.await.unwrap();
        *faults.0.lock().unwrap() = step;
        let rotated = log.rotate(Some("log.example.org/2".into())).await.is_ok();
        log.close().await;
        let lived = *faults.0.lock().unwrap() > 0;
        drop(log);
        let log = shards(dir.path()).await;
        let all = log.all();
        assert!(!rotated || all.len() == 2, "step {step}: what was acknowledged is so");
        for frozen in &all[..all.len() - 1] {
            assert_eq!(frozen.add(entry(1)).await.unwrap_err(), AddError::Frozen, "step {step}");
        }
        add(&log.active().unwrap(), 1).await;
        if all.len() == 1 {
            log.rotate(Some("log.example.org/2".into())).await.unwrap();
        }
        assert_eq!(log.active().unwrap().signer().origin(), "log.example.org/2", "step {step}");
        if lived {
            assert!(rotated && step > 10, "the steps were seen");
            return;
        }
    }
}

/// Has no room left for new files.
struct Full(AtomicBool);

impl Faults for Full {
    fn before(&self, step: Step<'_>, _: &Path) -> io::Result<()> {
        match step == Step::Create && self.0.load(Ordering::Acquire) {
            true => Err(io::Error::from(io::ErrorKind::StorageFull)),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_freeze_that_the_disk_has_no_room_for_says_that_it_ends_with_the_process() {
    let (dir, full) = (tempfile::tempdir().unwrap(), Arc::new(Full(AtomicBool::new(false))));
    let log = Shards::open(Disk::with_faults(full.clone()), config(dir.path()), HomeOptions::default());
    let log = log.await.unwrap();
    full.0.store(true, Ordering::Release);
    let Answer::Refused(why) = log.answer(Request::Freeze, |_| ()).await else { panic!("it is frozen") };
    assert!(why.contains("its next start takes entries again") && why.contains("no storage space"), "{why}");
    let active = log.active().unwrap();
    assert_eq!(active.add(entry(1)).await.unwrap_err(), AddError::Frozen, "it takes none meanwhile");
    log.close().await;
    drop((log, active));
    let log = shards_as_they_are(dir.path()).await;
    add(&log.active().unwrap(), 1).await;
}

/// Who asked would wait for minutes, and be told that the witnesses may be slow.
#[tokio::test]
async fn who_asks_learns_at_once_that_no_answer_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let log = shards(dir.path()).await;
    let data = dir.path().join("log");
    let root = data.clone();
    let asked = tokio::spawn(async move { request(&root, &root, &Request::Freeze).await });
    let waiting = loop {
        tokio::task::yield_now().await;
        let mut files = fs::read_dir(&data).unwrap().map(|file| file.unwrap().path());
        if let Some(path) = files.find(|path| path.extension().is_some_and(|end| end == "request")) {
            break path;
        }
    };
    fs::create_dir(waiting.with_extension("unfinished")).unwrap();
    tokio::select! {
        () = log.answer_requests(|_| ()) => {}
        answer = asked => {
            let error = answer.unwrap().unwrap_err();
            assert!(error.to_string().contains("has given no answer"), "{error}");
        }
    }
    assert!(log.active().unwrap().is_frozen());
}

/// It would be waited for longer than its witnesses may take.
#[tokio::test]
async fn nobody_waits_for_a_log_that_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    shards(dir.path()).await.close().await;
    let data = dir.path().join("log");
    let error = request(&data, &data, &Request::Freeze).await.unwrap_err().to_string();
    assert_eq!(error, "the log has ended before it answered");
}

#[tokio::test]
async fn the_running_log_is_asked_by_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(shards(dir.path()).await);
    let answering = Arc::clone(&log);
    let (seen, mut new) = tokio::sync::mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        answering.answer_requests(|log| seen.send(log.signer().origin().to_owned()).unwrap()).await;
    });
    let data = dir.path().join("log");
    let ask = async |name: &str| {
        let rotation = Rotation { origin: Some(name.to_owned()), prepare: false };
        request(&data, &data, &Request::Rotate(rotation)).await.unwrap()
    };
    let refused = ask("log.example.org/1").await;
    assert!(matches!(&refused, Answer::Refused(why) if why.contains("name already")), "{refused:?}");
    let done = ask("log.example.org/2").await;
    assert_eq!(done, Answer::shard(&log.active().unwrap()));
    assert_eq!(new.recv().await.as_deref(), Some("log.example.org/2"));
    add(&log.active().unwrap(), 1).await;
    assert_eq!(
        request(&data, &data, &Request::Freeze).await.unwrap(),
        Answer::Frozen { size: 1, published: 1 }
    );
    assert_eq!(log.active().unwrap().add(entry(2)).await.unwrap_err(), AddError::Frozen);
    task.abort();
}

/// A service says that it is ready before its tasks have begun.
#[tokio::test]
async fn what_is_asked_before_the_answering_begins_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("log");
    shards(dir.path()).await.close().await;
    let old = data.join(format!("{}.request", uuid::Uuid::new_v4()));
    fs::write(&old, "\"freeze\"").unwrap();
    let log = shards(dir.path()).await;
    assert!(!old.exists(), "what was asked before the start is given up");
    let root = data.clone();
    let asked = tokio::spawn(async move { request(&root, &root, &Request::Freeze).await });
    while !fs::read_dir(&data).unwrap().any(|file| is_request(&file.unwrap().path())) {
        tokio::task::yield_now().await;
    }
    tokio::select! {
        () = log.answer_requests(|_| ()) => {}
        answer = asked => assert_eq!(answer.unwrap().unwrap(), Answer::Frozen { size: 0, published: 0 }),
    }
}

#[tokio::test]
async fn each_of_those_who_ask_at_once_gets_the_answer_to_its_own_request() {
    let dir = tempfile::tempdir().unwrap();
    let log = Arc::new(shards(dir.path()).await);
    let answering = Arc::clone(&log);
    let task = tokio::spawn(async move { answering.answer_requests(|_| ()).await });
    let data = dir.path().join("log");
    let ask = async |name: &str| {
        let rotation = Rotation { origin: Some(name.to_owned()), prepare: false };
        request(&data, &data, &Request::Rotate(rotation)).await.unwrap()
    };
    let names = ["log.example.org/2", "log.example.org/3"];
    let (two, three) = tokio::join!(ask(names[0]), ask(names[1]));
    for (answer, name) in [two, three].into_iter().zip(names) {
        assert!(matches!(&answer, Answer::Shard { origin, .. } if origin == name), "{answer:?}");
    }
    assert_eq!(log.all().len(), 3);
    assert!(fs::read_dir(&data).unwrap().all(|file| !is_request(&file.unwrap().path())), "nothing is left");
    task.abort();
}

#[tokio::test]
async fn a_kept_checkpoint_is_of_the_shard_that_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let log = shards(dir.path()).await;
    add(&log.active().unwrap(), 1).await;
    let new = log.rotate(Some("log.example.org/2".into())).await.unwrap();
    let newest = add(&new, 2).await.head.checkpoint.clone();
    log.close().await;
    drop((log, new));
    let open = async |floor: Checkpoint| {
        let config = Config { floor: Some(floor), ..config(dir.path()) };
        match Shards::open(Disk::default(), config, HomeOptions::default()).await {
            Ok(opened) => {
                opened.close().await;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    };
    assert_eq!(open(newest.clone()).await, Ok(()));
    let more = open(Checkpoint { size: 2, ..newest.clone() }).await.unwrap_err();
    assert!(more.contains("has 1 entries, but a checkpoint of 2 was published"), "{more}");
    let other = open(Checkpoint { root: [7; 32], ..newest.clone() }).await.unwrap_err();
    assert!(other.contains("other entries than its checkpoint"), "{other}");
    let stranger = open(Checkpoint { origin: "other".into(), ..newest }).await.unwrap_err();
    assert!(stranger.contains("log.example.org/2") && stranger.contains("not `other`"), "{stranger}");
}

#[tokio::test]
async fn a_shard_or_the_word_which_is_active_that_is_gone_is_not_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = shards(dir.path()).await;
    for number in 0..3 {
        add(&log.active().unwrap(), number).await;
        if number < 2 {
            log.rotate(None).await.unwrap();
        }
    }
    log.prepare(None).await.unwrap();
    log.close().await;
    drop(log);
    let (data, aside) = (dir.path().join("log"), dir.path().join("aside"));
    for part in
        ["shards/0001", "shards/0002", "shards/0001/log.json", "active", "shards"].map(|part| data.join(part))
    {
        fs::rename(&part, &aside).unwrap();
        let opened = Shards::open(Disk::default(), config(dir.path()), HomeOptions::default()).await;
        let refused = opened.err().unwrap();
        assert!(matches!(refused, HomeError::Open(OpenError::Damaged(_))), "{}: {refused}", part.display());
        assert!(!part.exists(), "{}", part.display());
        assert!(!is_sound(&data), "fsck says it, too: {}", part.display());
        fs::rename(&aside, &part).unwrap();
    }
    assert_eq!(places_of(&data).unwrap().len(), 3);
    assert!(is_sound(&data));
}

/// What `signet log fsck` says of all shards.
fn is_sound(data: &Path) -> bool {
    let reports = places_of(data).and_then(|shards| fsck_shards(&shards));
    reports.is_ok_and(|reports| reports.iter().all(|report| report.findings.is_empty()))
}
