//! Directories of logs that earlier versions wrote are opened by this one. `golden/v1` was written by `write_golden` below when
//! version 1 was the newest.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use signet_services::log::{Config, HomeOptions, OpenError, Shards, fsck, fsck_shards, places_of};
use signet_store::fs::Disk;
use tempfile::TempDir;

/// The beginning of a batch, as a write leaves it that is cut off.
const TORN: &[u8] = b"\0\0SLW1\0\0\0\0\0\0\0\x03\0\0\0\x01";

#[tokio::test]
async fn version_1_is_opened_and_gone_on_with() {
    let dir = TempDir::new().unwrap();
    copy(&golden(), dir.path());
    for size in [3, 4] {
        let shards = open(dir.path()).await;
        let log = shards.active().unwrap();
        assert_eq!(log.head().checkpoint.size, size);
        for number in [3, 4, 5] {
            let again = log.add(entry(number)).await.unwrap();
            assert_eq!((again.index, again.duplicate), (number - 3, true));
        }
        assert_eq!(log.add(entry(9)).await.unwrap().index, 3);
        shards.close().await;
    }
    let format = fs::read_to_string(dir.path().join("shards/0001/signet.json")).unwrap();
    assert_eq!(format, r#"{"kind":"log","version":2}"#, "an earlier version does not take it for torn");
    for report in fsck_shards(&places_of(dir.path()).unwrap()).unwrap() {
        assert_eq!(report.findings, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_newer_version_is_refused_also_by_what_only_reads() {
    let dir = TempDir::new().unwrap();
    copy(&golden(), dir.path());
    fs::write(dir.path().join("signet.json"), r#"{"kind":"log","version":3}"#).unwrap();
    let Err(refused) = fsck(dir.path()) else { panic!("it was read") };
    assert!(matches!(refused, OpenError::Dir(signet_store::OpenError::Newer { found: 3, .. })), "{refused}");
}

#[tokio::test]
#[ignore = "writes the golden directory of a new format version"]
async fn write_golden() {
    let dir = golden();
    let shards = open(&dir).await;
    add(&shards, 0..3).await;
    shards.rotate(Some("log.golden.example.org/2".to_owned())).await.unwrap();
    add(&shards, 3..5).await;
    shards.close().await;
    drop(shards);
    let shards = open(&dir).await;
    add(&shards, 5..6).await;
    shards.close().await;
    let last = dir.join("shards/0001/entries").join(format!("{:020}", 2));
    fs::OpenOptions::new().append(true).open(last).unwrap().write_all(TORN).unwrap();
}

async fn open(dir: &Path) -> Shards {
    let options = HomeOptions { origin: Some("log.golden.example.org".to_owned()), ..HomeOptions::default() };
    Shards::open(Disk::default(), Config::new(dir.to_owned()), options).await.unwrap()
}

async fn add(shards: &Shards, numbers: std::ops::Range<u64>) {
    for number in numbers {
        shards.active().unwrap().add(entry(number)).await.unwrap();
    }
}

fn entry(number: u64) -> Bytes {
    format!("entry {number}").into()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/log/golden/v1")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}
