//! Data directories: what is found in them, what is removed, and which are refused.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use signet_testkit::{Sandbox, Service};

use crate::service;
use crate::text::shown;
use crate::{run, signet, with_keys};

#[test]
fn a_directory_is_sound_until_a_byte_changes() {
    let sandbox = with_keys();
    let image = with_images(&sandbox);
    assert_snapshot!("fsck-sound", shown(&run(&sandbox, &["fsck", "--data", "data"]).exits(0)));
    let file = content(&sandbox.path("data/blobs"), &image);
    let mut bytes = fs::read(&file).expect("the manifest is there");
    *bytes.last_mut().expect("it is not empty") = b'!';
    fs::write(&file, bytes).expect("it can be changed");
    assert_snapshot!("fsck-damaged", shown(&run(&sandbox, &["fsck", "--data", "data"]).exits(1)));
}

#[test]
fn a_signature_that_is_not_listed_any_more_is_found_again_after_a_repair() {
    let sandbox = with_keys();
    with_images(&sandbox);
    let verify = |status: i32| {
        let service = service::registry(&sandbox, "data");
        let image = service.repository("app").tagged("1");
        run(&sandbox, &["verify", "--key", "my.pub", &image]).exits(status);
    };
    fs::remove_dir_all(sandbox.path("data/repositories/app/_referrers")).expect("the image is signed");
    verify(1);
    let fsck = |more: &[&str]| run(&sandbox, &[&["fsck", "--data", "data"], more].concat());
    assert!(fsck(&[]).exits(1).says("is not among the referrers"));
    let repaired = fsck(&["--repair"]).exits(0);
    assert!(repaired.stdout.starts_with("repaired: app@sha256:"), "{repaired}");
    assert!(!fsck(&["--repair"]).exits(0).says("repaired"));
    verify(0);
    drop(service::up(&sandbox, &["--dev"]));
    run(&sandbox, &["fsck", "--data", "up", "--repair"]).exits(2).refuses_saying(&["whole stack"]);
}

#[test]
fn what_nothing_refers_to_is_removed_and_signatures_stay() {
    let sandbox = with_keys();
    with_images(&sandbox);
    let gc = |more: &[&str]| run(&sandbox, &[&["registry", "gc", "--data", "data"], more].concat()).exits(0);
    assert!(gc(&[]).says("removed 0 manifests"), "what is young is kept");
    run(&sandbox, &["registry", "gc", "--data", "data", "--older-than", "0s"]).exits(2);
    std::thread::sleep(Duration::from_secs(1));
    let orphans = gc(&["--dry-run", "--older-than", "1s"]);
    assert!(!orphans.says("remove 0 manifests"), "{orphans}");
    make_old(&sandbox.path("data"));
    assert_snapshot!("gc-dry-run", shown(&gc(&["--dry-run"])));
    assert_snapshot!("gc", shown(&gc(&[])));
    run(&sandbox, &["fsck", "--data", "data"]).exits(0);
    let service = service::registry(&sandbox, "data");
    let image = service.repository("app").tagged("1");
    run(&sandbox, &["verify", "--key", "my.pub", &image]).exits(0);
}

/// They were removed, since the image that they refer to is in another repository; it was unsigned from then on.
#[test]
fn signatures_kept_in_a_repository_of_their_own_survive_gc() {
    let sandbox = with_keys();
    let apart = |service: &Service, args: &[&str]| {
        let mut command = sandbox.command(signet());
        let signatures = format!("{}/sigs", service.address());
        command.args(args).env("COSIGN_REPOSITORY", signatures).status().expect("signet runs").code()
    };
    let service = service::registry(&sandbox, "data");
    let repository = service.repository("app");
    for format in ["bundle", "cosign-legacy"] {
        repository.push_image(format, format);
        let sign = ["sign", "--key", "my.key", "--format", format, &repository.tagged(format)];
        assert_eq!(apart(&service, &sign), Some(0), "{format}");
    }
    drop(service);
    make_old(&sandbox.path("data"));
    let gc = |more: &[&str]| run(&sandbox, &[&["registry", "gc", "--data", "data"], more].concat()).exits(0);
    assert!(gc(&[]).says("removed 0 manifests"));
    let service = service::registry(&sandbox, "data");
    let repository = service.repository("app");
    for format in ["bundle", "cosign-legacy"] {
        let verify = ["verify", "--key", "my.pub", &repository.tagged(format)];
        assert_eq!(apart(&service, &verify), Some(0), "{format}");
    }
    drop(service);

    fs::remove_dir_all(sandbox.path("data/repositories/app")).expect("the image can go");
    let kept = gc(&["--older-than", "1s"]);
    assert!(kept.says("kept 1 manifests attached to what no repository here has"), "{kept}");
    assert!(gc(&["--older-than", "1s", "--absent-subjects"]).says("removed sigs@sha256:"));
}

#[test]
fn a_directory_that_is_not_one_of_ours_is_refused() {
    let sandbox = with_keys();
    sandbox.write("home/letter", "dear");
    let newer = r#"{"kind":"registry","version":99}"#;
    for (name, data) in [("fsck-missing", "missing"), ("fsck-foreign", "home")] {
        let status = if data == "missing" { 2 } else { 3 };
        assert_snapshot!(name, named(&sandbox, &["fsck", "--data", data], status));
    }
    assert!(!sandbox.path("missing").exists(), "a misspelt directory is not made");
    assert_snapshot!("serve-foreign", named(&sandbox, &serve("home"), 3));
    with_images(&sandbox);
    sandbox.write("data/signet.json", newer);
    assert_snapshot!("serve-newer", named(&sandbox, &serve("data"), 3));
}

/// The mount point of a disk that is not mounted, and what a start left that was cut off at once.
#[test]
fn what_was_never_begun_is_neither_sound_nor_written() {
    let sandbox = with_keys();
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    sandbox.write("cut/lock", "");
    for (data, files) in [("empty", 0), ("cut", 1)] {
        for command in [&["fsck"][..], &["fsck", "--repair"], &["registry", "gc"]] {
            run(&sandbox, &[command, &["--data", data]].concat())
                .exits(3)
                .refuses_saying(&["SGN-4003", "mounted"]);
        }
        assert_eq!(std::fs::read_dir(sandbox.path(data)).unwrap().count(), files, "{data}");
    }
    drop(service::serve(&sandbox, &["log", "--data", "log"]));
    run(&sandbox, &["fsck", "--data", "log"]).exits(3).refuses_saying(&["`log`", "signet log fsck"]);
}

#[test]
fn a_directory_has_one_process_and_a_port_one_service() {
    let sandbox = with_keys();
    // Neither `new` nor `deep` is there yet, and the path is relative.
    let service = service::registry(&sandbox, "new/deep/data");
    assert_snapshot!("fsck-in-use", named(&sandbox, &["fsck", "--data", "new/deep/data"], 3));
    let address = service.address();
    let taken = ["serve", "registry", "--data", "other", "--listen", address];
    assert_snapshot!("serve-port-taken", named(&sandbox, &taken, 3).replace(address, "the address"));
    assert!(!sandbox.path("other").exists(), "a start that is refused leaves nothing behind");
    let open = ["serve", "registry", "--data", "other", "--listen", "0.0.0.0:0"];
    assert_snapshot!("serve-open-to-the-network", named(&sandbox, &open, 2));
}

#[test]
fn passwords_are_not_taken_in_the_clear_from_the_network() {
    let sandbox = with_keys();
    sandbox.write("users", "u:$2b$04$hWTLxSy.tcT2Yh77PGzEteSV9GFJIqkSpGbnsP5abPJmhT4H.nEO2\n");
    let args = ["serve", "registry", "--data", "other", "--listen", "0.0.0.0:0", "--htpasswd", "users"];
    assert_snapshot!("serve-passwords-in-the-clear", named(&sandbox, &args, 2));
    assert!(!sandbox.path("other").exists());
}

fn serve(data: &str) -> [&str; 6] {
    ["serve", "registry", "--data", data, "--listen", "127.0.0.1:0"]
}

/// The output with the sandbox's path taken out.
fn named(sandbox: &Sandbox, args: &[&str], status: i32) -> String {
    let home = sandbox.path("").display().to_string();
    shown(&run(sandbox, args).exits(status)).replace(&home, "/")
}

/// Serves `data` for a while: an image that is tagged and signed, and one that lost its tag. Answers the
/// first one's digest as hex.
fn with_images(sandbox: &Sandbox) -> String {
    let service = service::registry(sandbox, "data");
    let repository = service.repository("app");
    repository.push_image("1", "of old");
    let digest = repository.push_image("1", "content");
    run(sandbox, &["sign", "--key", "my.key", &repository.tagged("1")]).exits(0);
    digest.hex()
}

/// The file of the content with this digest.
fn content(blobs: &Path, hex: &str) -> PathBuf {
    let named = |file: &PathBuf| file.file_name().is_some_and(|name| name == hex);
    files(blobs).into_iter().find(named).expect("the content is there")
}

/// Makes everything older than any push takes.
fn make_old(data: &Path) {
    let then = SystemTime::now() - Duration::from_secs(48 * 3600);
    for file in files(data) {
        File::options()
            .append(true)
            .open(file)
            .and_then(|file| file.set_modified(then))
            .expect("a file of ours");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder can be listed");
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
