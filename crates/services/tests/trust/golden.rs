//! Directories that version 1 wrote are opened by this one. `golden/v1` was written by `write_golden` below.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_keys::PrivateKey;
use signet_services::clock::{Clock, ManualClock};
use signet_services::trust::{Home, Periods, Pin, Publisher, RootPlan, TRUSTED_ROOT, countersign};
use tempfile::TempDir;

use crate::memory::{Memory, URL};
use crate::publisher::served;

const NOW: u64 = 1_795_000_000;

#[tokio::test]
async fn version_1_is_opened_and_gone_on_with() {
    let dir = TempDir::new().unwrap();
    copy(&golden(), dir.path());
    let clock = Arc::new(ManualClock::at(NOW + 7_200));
    let home = Home::new(&dir.path().join("home")).unwrap();
    let current = home.current(clock.seconds()).unwrap();
    assert_eq!(current.trusted_root.unwrap(), b"golden");

    let publisher = publisher(dir.path(), clock.clone());
    let published = publisher.keep(&[]).await.unwrap();
    assert_eq!(published.roles.iter().map(|(_, version, _)| *version).collect::<Vec<_>>(), [1, 2, 1, 1]);
    home.update(&Memory::of(&served(&publisher, &dir.path().join("data"))), clock.seconds()).await.unwrap();
    assert_eq!(home.current(clock.seconds()).unwrap().updater.timestamp().unwrap().version, 2);
}

#[tokio::test]
#[ignore = "writes the golden directories of a new format version"]
async fn write_golden() {
    let dir = golden();
    let clock = Arc::new(ManualClock::at(NOW));
    let publisher = publisher(&dir, clock.clone());
    let key = PrivateKey::generate(signet_crypto::KeyAlgorithm::EcdsaP256).unwrap();
    let plan = RootPlan {
        root_keys: vec![key.public_key().clone()],
        threshold: 1,
        online_key: publisher.new_online_key().unwrap(),
        expires: clock.seconds() + 365 * 24 * 3_600,
    };
    let mut root = publisher.stage(&plan, None, false).unwrap();
    countersign(&mut root, None, &key).await.unwrap();
    let root = root.to_json();
    let targets = [(TRUSTED_ROOT.to_owned(), b"golden".to_vec())];
    publisher.publish(Some(root.as_bytes()), &targets).await.unwrap();
    let home = Home::new(&dir.join("home")).unwrap();
    let memory = Memory::of(&served(&publisher, &dir.join("data")));
    let pin = Pin { root: root.as_bytes(), url: Some(URL), authorities: None };
    home.init(pin, &memory, clock.seconds()).await.unwrap();
}

fn publisher(dir: &Path, clock: Arc<ManualClock>) -> Publisher {
    Publisher::new(&dir.join("data"), Periods::default(), clock).unwrap()
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trust/golden/v1")
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}
