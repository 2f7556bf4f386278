//! Layouts and archives that were tampered with, and writers at once.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests, too, which clippy does not see")]

use std::io::Write;
use std::path::Path;

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Tag, media_type};
use signet_registry::{
    BlobPush, Client, CopyOptions, CopyReport, DockerArchive, Error, ImageStore, Layout, Limits, Location,
    ManifestName, OciArchive, Options, Resolved, copy,
};
use signet_testkit::{Sandbox, peers};

fn image(note: usize) -> Resolved {
    let empty = Descriptor::of("application/vnd.oci.empty.v1+json", b"{}");
    let json = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": empty, "layers": [empty], "annotations": { "note": note.to_string() },
    });
    let bytes = serde_json::to_vec(&json).unwrap();
    let digest = Digest::sha256(&bytes);
    Resolved::new("an image", bytes.into(), None, digest).unwrap()
}

fn layout(root: &Path) -> Layout {
    Layout::create(root, &Limits::default()).unwrap()
}

#[tokio::test]
async fn writers_at_once_lose_no_tag() {
    let directory = tempfile::tempdir().unwrap();
    layout(directory.path());
    let writers = (0..8).map(|i| {
        let root = directory.path().to_owned();
        tokio::task::spawn_blocking(move || {
            let tag: Tag = format!("v{i}").parse().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(layout(&root).tag(&image(i), &tag)).unwrap();
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    for i in 0..8 {
        let name = ManifestName::Tag(format!("v{i}").parse().unwrap());
        let found = layout(directory.path()).resolve(Some(&name)).await.unwrap();
        assert_eq!(found.digest(), image(i).digest());
    }
    let unnamed = layout(directory.path()).resolve(None).await.map(|found| found.digest());
    assert!(
        matches!(unnamed, Err(Error::SeveralImages { .. })),
        "none of eight is the only one: {unnamed:?}"
    );
}

#[tokio::test]
async fn content_that_was_changed_on_disk_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (store, image) = (layout(directory.path()), image(1));
    store.tag(&image, &"v1".parse().unwrap()).await.unwrap();
    let path = directory.path().join("blobs/sha256").join(image.digest().hex());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.reverse();
    std::fs::write(&path, &bytes).unwrap();
    let found = store.resolve(None).await.map(|found| found.digest());
    assert!(matches!(found, Err(Error::DigestMismatch { .. })), "{found:?}");
    let read = store.blob(&image.descriptor).await.unwrap().collect_bytes(1 << 20).await;
    assert!(matches!(read, Err(Error::DigestMismatch { .. })), "{read:?}");
    bytes.push(b'!');
    std::fs::write(&path, &bytes).unwrap();
    let read = store.blob(&image.descriptor).await.unwrap().collect_bytes(1 << 20).await;
    assert!(matches!(read, Err(Error::SizeMismatch { .. })), "{read:?}");
}

/// A copy had said "sent 0" and left the damage.
#[tokio::test]
async fn what_is_damaged_in_a_layout_is_put_there_again() {
    let [good, bad] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (source, target, image) = (layout(good.path()), layout(bad.path()), image(1));
    let blob = source.put_bytes("t", "a blob".into()).await.unwrap();
    for damage in [&b"a blab"[..], b"a blo", b"a blob, and more", b""] {
        target.put_blob(&blob, &source).await.unwrap();
        target.put_manifest(&image).await.unwrap();
        for digest in [blob.digest, image.digest()] {
            std::fs::write(bad.path().join("blobs/sha256").join(digest.hex()), damage).unwrap();
        }
        assert_eq!(target.has_manifest(&image.digest()).await, Ok(false));
        assert_eq!(target.put_blob(&blob, &source).await, Ok(BlobPush::Sent));
        target.put_manifest(&image).await.unwrap();
        let read = target.blob(&blob).await.unwrap().collect_bytes(100).await;
        assert_eq!(read, Ok("a blob".into()));
        assert_eq!(target.put_blob(&blob, &source).await, Ok(BlobPush::Present));
        assert_eq!(target.has_manifest(&image.digest()).await, Ok(true));
    }
}

#[tokio::test]
async fn a_tag_moves_and_the_other_image_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (store, tag) = (layout(directory.path()), "v1".parse::<Tag>().unwrap());
    for i in [1, 2, 2] {
        store.tag(&image(i), &tag).await.unwrap();
    }
    let found = store.resolve(Some(&ManifestName::Tag(tag))).await.unwrap();
    assert_eq!(found.digest(), image(2).digest());
    assert_eq!(store.has_manifest(&image(1).digest()).await, Ok(true));
}

#[test]
fn an_archive_with_an_entry_twice_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut tar = tar::Builder::new(file.reopen().unwrap());
    for content in ["one", "two"] {
        let mut header = tar::Header::new_ustar();
        header.set_size(3);
        tar.append_data(&mut header, "index.json", content.as_bytes()).unwrap();
    }
    tar.finish().unwrap();
    let opened = OciArchive::open(file.path(), &Limits::default()).map(|_| ());
    assert!(matches!(opened, Err(Error::Damaged { .. })), "{opened:?}");
}

#[test]
fn what_is_no_layout_is_told_from_what_is_absent() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| Layout::open(path, &Limits::default()).map(|_| ());
    assert!(open(&directory.path().join("absent")).is_err_and(|error| error.is_not_found()));
    std::fs::write(directory.path().join("oci-layout"), r#"{"imageLayoutVersion":"9"}"#).unwrap();
    assert!(matches!(open(directory.path()), Err(Error::Damaged { .. })));
}

/// Puts an image that runs, of one layer, and a referrer into a store under a tag.
async fn put_image(store: &dyn ImageStore, note: usize, tag: &str) -> Resolved {
    let layer = store.put_bytes(media_type::OCI_LAYER_TAR, format!("layer {note}").into()).await.unwrap();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
    });
    let config = store.put_bytes(media_type::OCI_CONFIG, config.to_string().into()).await.unwrap();
    let json = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": [layer],
    });
    let image = resolved(&json);
    store.put_manifest(&image).await.unwrap();
    let referrer = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": [layer],
        "subject": image.descriptor, "artifactType": "application/x-test",
    });
    store.put_referrer(&resolved(&referrer), &image.digest()).await.unwrap();
    store.tag(&image, &tag.parse().unwrap()).await.unwrap();
    image
}

fn resolved(json: &serde_json::Value) -> Resolved {
    let bytes = serde_json::to_vec(json).unwrap();
    let digest = Digest::sha256(&bytes);
    Resolved::new("a manifest", bytes.into(), None, digest).unwrap()
}

async fn copied(from: &str, to: &str) -> Result<CopyReport, Error> {
    let client = Client::new(Options::default());
    let (from, to) = (from.parse::<Location>().unwrap(), to.parse::<Location>().unwrap());
    copy(&from.source(&client)?, &to.target(&client)?, &CopyOptions::default(), &|_| ()).await
}

/// The copy had said that it was there, and nothing could name it.
#[tokio::test]
async fn an_image_that_is_copied_without_a_tag_is_found_there() {
    let directory = tempfile::tempdir().unwrap();
    let place = |rest: &str| directory.path().join(rest).display().to_string();
    let image = put_image(&layout(&directory.path().join("from")), 1, "v1").await;
    let mut from = format!("oci:{}:v1", place("from"));
    for target in [format!("oci:{}", place("to")), format!("oci-archive:{}", place("to.tar"))] {
        for _ in 0..2 {
            assert_eq!(copied(&from, &target).await.unwrap().referrers, 1);
        }
        let opened = target.parse::<Location>().unwrap().source(&Client::new(Options::default())).unwrap();
        assert_eq!(opened.store.resolve(None).await.unwrap().digest(), image.digest(), "{target}");
        let referrers = opened.store.referrers(&image.digest()).await.unwrap();
        assert_eq!(referrers.into_complete().unwrap().len(), 1);
        from = target;
    }
}

/// It had been written whole for each of them.
#[tokio::test]
async fn the_list_of_a_layout_is_written_once_for_all_referrers() {
    let directory = tempfile::tempdir().unwrap();
    let (store, file) = (layout(directory.path()), directory.path().join("index.json"));
    let (subject, before) = (image(0), std::fs::read(&file).unwrap());
    store.put_manifest(&subject).await.unwrap();
    for note in [1, 2, 2] {
        let mut json: serde_json::Value = serde_json::from_slice(&image(note).bytes).unwrap();
        json["subject"] = serde_json::to_value(&subject.descriptor).unwrap();
        store.put_referrer(&resolved(&json), &subject.digest()).await.unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), before, "not yet");
    }
    assert_eq!(
        store.referrers(&subject.digest()).await.unwrap().descriptors.len(),
        2,
        "who looks finds them"
    );
    store.list(&subject).await.unwrap();
    store.finish().await.unwrap();
    let again = Layout::open(directory.path(), &Limits::default()).unwrap();
    assert_eq!(again.referrers(&subject.digest()).await.unwrap().descriptors.len(), 2);
    assert_eq!(again.resolve(None).await.unwrap().digest(), subject.digest());
}

/// Each of them was opened, at each look for what refers to an image, before any limit.
#[tokio::test]
async fn what_a_layout_lists_is_opened_up_to_a_bound() {
    let directory = tempfile::tempdir().unwrap();
    let store = layout(directory.path());
    let image = put_image(&store, 1, "v1").await;
    let sizes = std::fs::read_dir(directory.path().join("blobs/sha256")).unwrap();
    let all =
        usize::try_from(sizes.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()).unwrap();
    let read =
        |listed_bytes| Layout::open(directory.path(), &Limits { listed_bytes, ..Limits::default() }).unwrap();
    assert_eq!(read(all).referrers(&image.digest()).await.unwrap().into_complete().unwrap().len(), 1);
    let bounded = read(1);
    let found = bounded.referrers(&image.digest()).await.unwrap();
    assert!(matches!(found.incomplete, Some(Error::LimitHit { .. })), "{found:?}");
    let unnamed = bounded.resolve(None).await.map(|found| found.digest());
    assert!(matches!(unnamed, Err(Error::LimitHit { .. })), "{unnamed:?}");
    let named = bounded.resolve(Some(&ManifestName::Tag("v1".parse().unwrap()))).await.unwrap();
    assert_eq!(named.digest(), image.digest());
}

/// A second copy into an archive had dropped the first one's tag without a word.
#[tokio::test]
async fn an_archive_that_is_written_again_keeps_its_other_tags() {
    let directory = tempfile::tempdir().unwrap();
    let place = |rest: &str| directory.path().join(rest).display().to_string();
    let source = layout(&directory.path().join("layout"));
    let images = [put_image(&source, 1, "one").await, put_image(&source, 2, "two").await];
    let archive = place("both.tar");
    for tag in ["one", "two", "two"] {
        copied(&format!("oci:{}:{tag}", place("layout")), &format!("oci-archive:{archive}:{tag}"))
            .await
            .unwrap();
    }
    let both = OciArchive::open(Path::new(&archive), &Limits::default()).unwrap();
    for (tag, image) in ["one", "two"].into_iter().zip(images) {
        let found = both.resolve(Some(&ManifestName::Tag(tag.parse().unwrap()))).await.unwrap();
        assert_eq!(found.digest(), image.digest());
        assert_eq!(both.referrers(&image.digest()).await.unwrap().descriptors.len(), 1);
    }
    std::fs::write(place("other"), "a letter").unwrap();
    let onto =
        copied(&format!("oci:{}:one", place("layout")), &format!("oci-archive:{}", place("other"))).await;
    assert!(matches!(onto, Err(Error::Damaged { .. })), "{onto:?}");
    assert_eq!(std::fs::read(place("other")).unwrap(), b"a letter");
}

/// A private archive became readable for all, a link was replaced by a file, and a pipe was waited for without end.
#[cfg(unix)]
#[tokio::test]
async fn an_archive_keeps_its_mode_and_links_and_is_no_pipe() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let directory = tempfile::tempdir().unwrap();
    let place = |rest: &str| directory.path().join(rest).display().to_string();
    let image = put_image(&layout(&directory.path().join("layout")), 1, "v1").await;
    let copy_to = async |kind: &str, file: &str| {
        copied(&format!("oci:{}:v1", place("layout")), &format!("{kind}:{}:v1", place(file))).await
    };
    copy_to("oci-archive", "real.tar").await.unwrap();
    std::fs::set_permissions(place("real.tar"), PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::create_dir(place("links")).unwrap();
    symlink("../real.tar", place("links/archive")).unwrap();
    symlink("../new.tar", place("links/to-come")).unwrap();
    for (link, target) in [("links/archive", "real.tar"), ("links/to-come", "new.tar")] {
        copy_to("oci-archive", link).await.unwrap();
        assert!(std::fs::symlink_metadata(place(link)).unwrap().is_symlink(), "{link}");
        let there = OciArchive::open(Path::new(&place(target)), &Limits::default()).unwrap();
        assert_eq!(there.resolve(None).await.unwrap().digest(), image.digest(), "{link}");
    }
    let mode = std::fs::metadata(place("real.tar")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(std::process::Command::new("mkfifo").arg(place("pipe")).status().unwrap().success());
    for (kind, file) in [("oci-archive", "pipe"), ("docker-archive", "pipe"), ("oci-archive", "links")] {
        let refused = copy_to(kind, file).await;
        assert!(matches!(refused, Err(Error::Io { .. })), "{kind}:{file}: {refused:?}");
    }
    let absent = copy_to("oci-archive", "absent/new.tar").await.unwrap_err().to_string();
    let reason = std::io::Error::from_raw_os_error(2);
    assert_eq!(absent, format!("`{}`: {reason}", place("absent/new.tar")));
}

/// Each unpacked what was there, and the last one's file replaced those of the others, who had said "copied".
#[tokio::test]
async fn two_copies_into_an_archive_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let place = |rest: &str| directory.path().join(rest).display().to_string();
    let image = put_image(&layout(&directory.path().join("layout")), 1, "v1").await;
    let from = format!("oci:{}:v1", place("layout"));
    let at_once = |target: fn(usize) -> String| {
        let copies = (0..4).map(|i| {
            let (from, to) = (from.clone(), target(i).replace("DIR", &place("")));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(copied(&from, &to))
            })
        });
        let copies: Vec<_> = copies.collect();
        copies.into_iter().map(|copy| copy.join().unwrap()).collect::<Vec<_>>()
    };
    for report in at_once(|i| format!("oci-archive:DIR/all.tar:v{i}")) {
        assert_eq!(report.unwrap().referrers, 1);
    }
    let all = OciArchive::open(Path::new(&place("all.tar")), &Limits::default()).unwrap();
    for i in 0..4 {
        let name = ManifestName::Tag(format!("v{i}").parse().unwrap());
        assert_eq!(all.resolve(Some(&name)).await.unwrap().digest(), image.digest());
    }
    let saved = at_once(|i| format!("docker-archive:DIR/one.tar:app:v{i}"));
    assert_eq!(
        saved.iter().filter(|report| report.is_ok()).count(),
        1,
        "such a one is written once: {saved:?}"
    );
}

/// Whoever was killed left all that had been fetched, for ever.
#[tokio::test]
async fn what_killed_writers_left_goes_with_the_next_copy() {
    let directory = tempfile::tempdir().unwrap();
    let place = |rest: &str| directory.path().join(rest);
    let source = layout(&place("from"));
    let digest = put_image(&source, 1, "v1").await.digest();
    let from = format!("oci:{}:v1", place("from").display());
    let (to, archive) =
        (format!("oci:{}:v1", place("to").display()), format!("oci-archive:{}", place("a.tar").display()));
    layout(&place("to"));
    let blobs = place("to/blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3_600);
    let blob = |name: &str| {
        let path = blobs.join(name);
        let file = std::fs::File::create(&path).unwrap();
        file.set_modified(old).unwrap();
        (path, file)
    };
    let (left, _) = blob(&format!(".{}.aB3xYz", digest.hex()));
    let (written, locked) = blob(&format!(".{}.zZ9aBc", digest.hex()));
    locked.lock().unwrap();
    let (others, _) = blob(".notes.backup");
    for name in [".signet-archive-a.tar.aB3xYz", ".signet-archive-a.tar.b.aB3xYz", ".a.tar.backup"] {
        std::fs::create_dir_all(place(name).join("layout/blobs")).unwrap();
    }
    copied(&from, &to).await.unwrap();
    copied(&from, &archive).await.unwrap();
    assert_eq!([&left, &written, &others].map(|path| path.exists()), [false, true, true]);
    let mut names: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [".a.tar.backup", ".signet-archive-a.tar.b.aB3xYz", "a.tar", "from", "to"]);
}

#[tokio::test]
async fn a_docker_archive_is_written_with_its_signatures_and_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let place = |rest: &str| directory.path().join(rest).display().to_string();
    let source = layout(&directory.path().join("layout"));
    let image = put_image(&source, 1, "v1").await;
    let from = format!("oci:{}:v1", place("layout"));
    for (file, name) in [("named.tar", ":registry.example/team/app:v1"), ("nameless.tar", "")] {
        let target = format!("docker-archive:{}{name}", place(file));
        let report = copied(&from, &target).await.unwrap();
        assert_eq!((report.digest, report.referrers), (image.digest(), 1));
        let opened = target.parse::<Location>().unwrap().source(&Client::new(Options::default())).unwrap();
        assert_eq!(opened.store.resolve(None).await.unwrap().digest(), image.digest(), "{file}");
        let again = copied(&from, &target).await;
        assert!(matches!(again, Err(Error::Io { .. })), "it is there: {again:?}");
    }
    let index = serde_json::json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [image.descriptor],
    });
    let index = resolved(&index);
    source.put_manifest(&index).await.unwrap();
    source.tag(&index, &"index".parse().unwrap()).await.unwrap();
    let whole =
        copied(&from.replace(":v1", ":index"), &format!("docker-archive:{}", place("index.tar"))).await;
    assert!(matches!(whole, Err(Error::Location { .. })), "{whole:?}");
    assert!(!Path::new(&place("index.tar")).exists());
}

#[tokio::test]
async fn a_gzipped_archive_is_read_up_to_a_bound() {
    let directory = tempfile::tempdir().unwrap();
    let place = |rest: &str| directory.path().join(rest);
    let image = put_image(&layout(&place("layout")), 1, "v1").await;
    let archive = place("a.tar");
    let from = format!("oci:{}:v1", place("layout").display());
    copied(&from, &format!("oci-archive:{}:v1", archive.display())).await.unwrap();
    let plain = std::fs::read(&archive).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    std::fs::write(&archive, gzip.finish().unwrap()).unwrap();
    let size = plain.len() as u64;
    let open = |unpacked_bytes| OciArchive::open(&archive, &Limits { unpacked_bytes, ..Limits::default() });
    assert_eq!(open(size).unwrap().resolve(None).await.unwrap().digest(), image.digest());
    let bomb = open(size - 1).map(|_| ());
    assert!(matches!(bomb, Err(Error::TooLarge { .. })), "{bomb:?}");
    let cut = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, &cut[..cut.len() / 2]).unwrap();
    let cut = open(size).map(|_| ());
    assert!(matches!(cut, Err(Error::Damaged { .. })), "{cut:?}");
}

/// Dockers before 25 save a layer that occurs again as a link to the first; such archives were refused.
#[tokio::test]
async fn an_old_docker_archive_with_linked_layers_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let layer = b"a layer";
    let write = |file: &str, layers: &[&str]| {
        let path = directory.path().join(file);
        let mut tar = tar::Builder::new(std::fs::File::create(&path).unwrap());
        let list = serde_json::json!([{"Config": "config.json", "RepoTags": null, "Layers": layers}]);
        let files = [("manifest.json", list.to_string()), ("config.json", "{}".to_owned())];
        for (name, content) in files
            .iter()
            .map(|(name, content)| (*name, content.as_bytes()))
            .chain([("a/layer.tar", &layer[..])])
        {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content).unwrap();
        }
        let links = [
            ("b/layer.tar", tar::EntryType::Symlink, "../a/layer.tar"),
            ("c/layer.tar", tar::EntryType::Link, "a/layer.tar"),
            ("d/layer.tar", tar::EntryType::Symlink, "../b/layer.tar"),
            ("e/layer.tar", tar::EntryType::Symlink, "../../a/layer.tar"),
            ("f/layer.tar", tar::EntryType::Symlink, "/a/layer.tar"),
        ];
        for (name, kind, target) in links {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            tar.append_link(&mut header, name, target).unwrap();
        }
        tar.finish().unwrap();
        DockerArchive::open(&path, None, &Limits::default())
    };
    let archive = write("linked.tar", &["a/layer.tar", "b/layer.tar", "c/layer.tar"]).unwrap();
    let image = archive.resolve(None).await.unwrap();
    assert_eq!(image.manifest.layers().len(), 3);
    for descriptor in image.manifest.layers() {
        assert_eq!(archive.blob(descriptor).await.unwrap().collect_bytes(100).await.unwrap(), &layer[..]);
    }
    for leads_nowhere in ["d", "e", "f", "g"] {
        let opened = write("broken.tar", &[&format!("{leads_nowhere}/layer.tar")]).map(|_| ());
        assert!(matches!(opened, Err(Error::Damaged { .. })), "{leads_nowhere}: {opened:?}");
    }
}

#[tokio::test]
async fn skopeo_reads_a_docker_archive_that_was_written() {
    let Some([skopeo]) = peers(["skopeo"]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = |rest: &str| directory.path().join(rest).display().to_string();
    let image = put_image(&layout(&directory.path().join("layout")), 1, "v1").await;
    let from = format!("oci:{}:v1", place("layout"));
    for (file, name) in [("named.tar", ":registry.example/team/app:v1"), ("nameless.tar", "")] {
        let archive = format!("docker-archive:{}{name}", place(file));
        copied(&from, &archive).await.unwrap();
        let target = format!("oci:{}", place(&format!("{file}-read")));
        Sandbox::new().run(&skopeo, &["--insecure-policy", "copy", &archive, &target]).succeeds();
        let config = Sandbox::new().run(&skopeo, &["inspect", "--config", &archive]).succeeds().stdout;
        let layer = image.manifest.layers()[0].digest.to_string();
        assert!(config.contains(&layer), "the layer as it was signed: {config}");
    }
}
