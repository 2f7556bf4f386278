//! What was begun and is gone is not begun a second time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_server::exposure::{Exposure, ReachError};
use signet_server::stack::{
    BackupError, Config, Stack, StackError, WitnessConfig, fsck, move_out, stopped_certificate_logs,
};
use tokio::time::sleep;

fn config(data: &Path) -> Config {
    let mut config = Config::new(data.to_owned(), ([127, 0, 0, 1], 0).into());
    config.dev = true;
    config.witness = Some(WitnessConfig::default());
    config
}

/// A stack that has stopped, each of whose logs has two shards and one that is prepared. The names of those.
async fn stopped(data: &Path) -> [String; 2] {
    let stack = config(data).build().await.unwrap();
    let (log, ct) = (&stack.services().log, &stack.services().ct);
    log.rotate(None).await.unwrap();
    ct.rotate(None).await.unwrap();
    let prepared = [log.prepare(None).await.unwrap(), ct.prepare(None).await.unwrap().log().clone()];
    stack.run(std::future::ready(())).await.unwrap();
    prepared.map(|log| log.signer().origin().to_owned())
}

/// How the lock of a directory says that somebody has it. What a stack had opened that failed to start, or was dropped, is let
/// go of a moment later.
const IN_USE: &str = "in use by another process";
const MOMENT: Duration = Duration::from_millis(20);

async fn built(data: &Path) -> Result<Stack, StackError> {
    loop {
        match config(data).build().await {
            Err(error) if error.to_string().contains(IN_USE) => sleep(MOMENT).await,
            outcome => return outcome,
        }
    }
}

/// What [`fsck`] finds, once all is let go of.
async fn findings(data: &Path) -> Vec<String> {
    loop {
        match fsck(data).await.map(|report| report.findings) {
            Err(error) if error.to_string().contains(IN_USE) => sleep(MOMENT).await,
            Ok(findings) if findings.iter().any(|finding| finding.contains(IN_USE)) => sleep(MOMENT).await,
            findings => return findings.unwrap(),
        }
    }
}

async fn refused(data: &Path, lost: &Path) -> StackError {
    match built(data).await {
        Ok(_) => panic!("it starts without {}", lost.display()),
        Err(error) => error,
    }
}

fn below(data: &Path, kind: &str) -> Vec<PathBuf> {
    fs::read_dir(data.join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|it| it.is_dir())
        .collect()
}

#[tokio::test]
async fn a_part_that_is_gone_is_not_begun_a_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let (data, aside) = (dir.path().join("up"), dir.path().join("aside"));
    let prepared = stopped(&data).await;
    let trusted = || fs::read(data.join("client/trusted_root.json")).unwrap();
    let before = trusted();
    let mut parts: Vec<PathBuf> = ["ca", "tsa", "trust", "registry", "witness", "log", "ct", "stack.json"]
        .into_iter()
        .chain(["trust/repository"])
        .map(|part| data.join(part))
        .collect();
    let (logs, cts) = (below(&data, "log"), below(&data, "ct"));
    assert_eq!((logs.len(), cts.len()), (3, 3));
    parts.extend(
        logs.iter().chain(&cts).flat_map(|log| [log.clone(), log.join("log.json"), log.join("signet.json")]),
    );
    for part in parts {
        fs::rename(&part, &aside).unwrap();
        let error = refused(&data, &part).await;
        assert!(matches!(error, StackError::Lost(_)), "{}: {error}", part.display());
        assert!(!part.exists(), "{}", part.display());
        let found = findings(&data).await;
        assert!(found.iter().any(|finding| finding.contains("is gone")), "{}: {found:?}", part.display());
        fs::rename(&aside, &part).unwrap();
    }
    // A shard that is only prepared is opened when it is used.
    let is_opened = |log: &&PathBuf| !prepared.iter().any(|prepared| log.ends_with(prepared));
    let opened = logs.iter().chain(&cts).filter(is_opened);
    for part in opened.map(|log| log.join("keys")).chain([data.join("witness/logs")]) {
        fs::rename(&part, &aside).unwrap();
        let error = refused(&data, &part).await.to_string();
        assert!(error.contains("is missing") || error.contains("is gone"), "{error}");
        assert!(!part.exists(), "{}", part.display());
        assert!(!findings(&data).await.is_empty(), "{}", part.display());
        fs::rename(&aside, &part).unwrap();
    }
    assert_eq!(findings(&data).await, Vec::<String>::new());
    assert!(before == trusted(), "clients are told what they were told");
    built(&data).await.unwrap();
}

#[tokio::test]
async fn a_part_of_another_stack_is_not_taken_for_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (data, other) = (dir.path().join("up"), dir.path().join("other"));
    stopped(&data).await;
    stopped(&other).await;
    for part in ["ca", "tsa", "trust", "witness"] {
        fs::rename(data.join(part), dir.path().join("aside")).unwrap();
        fs::rename(other.join(part), data.join(part)).unwrap();
        let error = refused(&data, Path::new(part)).await.to_string();
        assert!(error.contains(part) && error.contains("has another key"), "{error}");
        fs::rename(data.join(part), other.join(part)).unwrap();
        fs::rename(dir.path().join("aside"), data.join(part)).unwrap();
    }
    built(&data).await.unwrap();
}

/// Operators change the keys of an authority by moving them away: the directory stays, and so do its numbers.
#[tokio::test]
async fn an_authority_whose_keys_were_moved_away_makes_others() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("up");
    stopped(&data).await;
    for file in below(&data, ".").iter().filter(|it| it.ends_with("tsa") || it.ends_with("ca")) {
        for file in ["root.key", "root.pem", "made.json"].map(|name| file.join(name)) {
            fs::rename(&file, dir.path().join("aside")).unwrap();
        }
    }
    for leaf in ["tsa/tsa", "ca/intermediate-0"] {
        ["key", "pem"].iter().for_each(|end| fs::remove_file(data.join(leaf).with_extension(end)).unwrap());
    }
    let stack = config(&data).build().await.unwrap();
    stack.run(std::future::ready(())).await.unwrap();
    built(&data).await.unwrap();
}

/// As operators are told to keep it: what they then move away to change an intermediate must not change the root.
#[tokio::test]
async fn a_root_whose_key_is_kept_elsewhere_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (data, aside) = (dir.path().join("up"), dir.path().join("aside"));
    stopped(&data).await;
    for (part, leaf) in [("ca", "intermediate-0"), ("tsa", "tsa")] {
        let root = || fs::read(data.join(part).join("root.pem")).unwrap();
        let (key, before) = (data.join(part).join("root.key"), root());
        fs::rename(&key, &aside).unwrap();
        drop(built(&data).await.unwrap());
        assert_eq!(findings(&data).await, Vec::<String>::new());
        for name in ["made.json".to_owned(), format!("{leaf}.key"), format!("{leaf}.pem")] {
            fs::remove_file(data.join(part).join(name)).unwrap();
        }
        let error = refused(&data, &key).await.to_string();
        assert!(error.contains("root.key") && error.contains("is not there"), "{error}");
        assert!(root() == before && !key.exists(), "{part}");
        fs::rename(&aside, &key).unwrap();
        drop(built(&data).await.unwrap());
        assert!(root() == before && data.join(part).join(format!("{leaf}.pem")).exists(), "{part}");
    }
}

/// What a balancer asks must not be well where nothing can be done any more.
#[tokio::test]
async fn a_stack_whose_parts_are_gone_or_damaged_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("up");
    stopped(&data).await;
    let stack = config(&data).build().await.unwrap();
    let ready = |part: &str| {
        let parts = stack.services().readiness();
        parts.into_iter().find(|(name, _)| *name == part).map(|(_, ready)| ready)
    };
    assert_eq!((ready("registry"), ready("trust")), (Some(true), Some(true)));
    fs::rename(data.join("registry"), dir.path().join("aside")).unwrap();
    assert_eq!(ready("registry"), Some(false));
    fs::rename(dir.path().join("aside"), data.join("registry")).unwrap();
    let trust = stack.services().trust.as_ref().unwrap();
    let timestamp = data.join("trust/repository/timestamp.json");
    let sound = fs::read(&timestamp).unwrap();
    fs::write(&timestamp, "{").unwrap();
    assert!(trust.look().await.is_err());
    assert_eq!(ready("trust"), Some(false));
    assert!(trust.ends().iter().all(|(_, end)| *end == 0) && !trust.ends().is_empty(), "an alert can fire");
    fs::write(&timestamp, sound).unwrap();
    trust.look().await.unwrap();
    assert_eq!(ready("trust"), Some(true));
    fs::rename(data.join("trust/repository"), dir.path().join("aside")).unwrap();
    assert!(trust.look().await.is_err());
    assert_eq!(ready("trust"), Some(false), "there was a root");
}

/// One list for all that would be open to a network.
#[tokio::test]
async fn what_clients_are_told_and_what_operators_ask_counts_as_where_it_listens() {
    let exposed = async |dev: bool, url: Option<&str>, admin: Option<&str>| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::new(dir.path().join("up"), ([127, 0, 0, 1], 0).into());
        config.dev = dev;
        config.registry = None;
        config.public_url = url.map(str::to_owned);
        config.admin = admin.map(|admin| admin.parse().unwrap());
        match config.build().await {
            Err(StackError::Reach(ReachError::Exposed { why, .. })) => Some(why),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    };
    assert_eq!(exposed(false, Some("http://signet.example"), None).await, Some(Exposure::InTheClear));
    assert_eq!(exposed(true, None, Some("0.0.0.0:0")).await, Some(Exposure::Development));
    assert_eq!(exposed(true, Some("https://signet.example"), None).await, Some(Exposure::Development));
    assert_eq!(exposed(false, Some("https://signet.example"), Some("0.0.0.0:0")).await, None);
    assert_eq!(exposed(false, Some("http://localhost:5000"), None).await, None);
}

/// A disk that was full when the archive was to stay left a stack that nothing started, and no archive.
#[tokio::test]
async fn a_stack_whose_archive_was_not_kept_has_not_moved() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("up");
    stopped(&data).await;
    let kept = move_out(&data, 0, |archive| {
        archive(&mut std::io::sink())?;
        Err(BackupError::Foreign("the disk is full".to_owned()))
    });
    assert!(matches!(kept, Err(BackupError::Foreign(_))), "{kept:?}");
    built(&data).await.unwrap().run(std::future::ready(())).await.unwrap();
    move_out::<BackupError>(&data, 0, |archive| archive(&mut std::io::sink())).unwrap();
    assert!(matches!(built(&data).await, Err(StackError::Moved { .. })));
    assert!(matches!(stopped_certificate_logs(&data).await.err(), Some(StackError::Moved { .. })));
}
