//! Against the real docker-registry 2.8, which has no referrers API: fallback tags, copies.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests are tests, too, which clippy does not see"
)]

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Repository};
use signet_registry::{
    Attached, Client, CopyOptions, Location, ManifestName, Options, ReferrersVia, copy, parallel,
};
use signet_testkit::{RegistryServer, Sandbox, peers};

/// Debian's registry; none, with one line about it, where it is not installed.
fn docker_registry() -> Option<RegistryServer> {
    let [program] = peers(["docker-registry"])?;
    Some(RegistryServer::docker(&program))
}

fn repository_of(server: &RegistryServer, name: &str) -> Repository {
    format!("{}/{name}", server.address()).parse().unwrap()
}

fn client() -> Client {
    Client::new(Options::default())
}

/// Pushes an image of one layer and returns its descriptor.
async fn push_image(client: &Client, repository: &Repository, content: &str, tag: &str) -> Descriptor {
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        Digest::sha256(content.as_bytes())
    );
    let config =
        client.push_bytes(repository, "application/vnd.oci.image.config.v1+json", config.into()).await;
    let layer = "application/vnd.oci.image.layer.v1.tar";
    let layer = client.push_bytes(repository, layer, content.to_owned().into()).await.unwrap();
    let manifest = manifest(&config.unwrap(), &layer, None);
    let name = ManifestName::Tag(tag.parse().unwrap());
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    client.push_manifest(repository, &name, media_type, manifest.clone().into(), None).await.unwrap();
    Descriptor::of(media_type, &manifest)
}

fn manifest(config: &Descriptor, layer: &Descriptor, subject: Option<&Descriptor>) -> Vec<u8> {
    let mut json = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [layer],
    });
    if let Some(subject) = subject {
        json["subject"] = serde_json::to_value(subject).unwrap();
        json["artifactType"] = "application/x-test".into();
    }
    serde_json::to_vec(&json).unwrap()
}

async fn attach(client: &Client, repository: &Repository, subject: &Descriptor, note: usize) -> Attached {
    let note = format!("note {note}");
    let config =
        client.push_bytes(repository, "application/vnd.oci.empty.v1+json", "{}".into()).await.unwrap();
    let layer = client.push_bytes(repository, "text/plain", note.into()).await.unwrap();
    let bytes = manifest(&config, &layer, Some(subject));
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    client.attach(repository, &subject.digest, media_type, bytes.into()).await.unwrap()
}

#[tokio::test]
async fn referrers_are_kept_under_the_fallback_tag() {
    let Some(server) = docker_registry() else { return };
    let (client, repository) = (client(), repository_of(&server, "a/app"));
    let image = push_image(&client, &repository, "layer", "v1").await;
    let none = client.referrers(&repository, &image.digest).await.unwrap();
    assert_eq!((none.descriptors.len(), none.via), (0, ReferrersVia::Tag));
    let first = attach(&client, &repository, &image, 1).await;
    assert!(matches!(first, Attached::FallbackTag { race_possible: true, .. }), "{first:?}");
    attach(&client, &repository, &image, 2).await;
    attach(&client, &repository, &image, 2).await;
    let found = client.referrers(&repository, &image.digest).await.unwrap();
    assert_eq!(found.descriptors.len(), 2, "a repeated attach changes nothing");
    assert_eq!(found.descriptors[0].digest, first.digest());
    assert_eq!(found.descriptors[0].artifact_type.as_deref(), Some("application/x-test"));
}

#[tokio::test]
async fn writers_at_once_lose_nothing() {
    let Some(server) = docker_registry() else { return };
    let repository = repository_of(&server, "app");
    let image = push_image(&client(), &repository, "layer", "v1").await;
    let (repository, image) = (&repository, &image);
    // A client each, as of several machines.
    parallel((0..4).collect(), 4, |note| async move { attach(&client(), repository, image, note).await })
        .await;
    let found = client().referrers(repository, &image.digest).await.unwrap();
    assert_eq!(found.descriptors.len(), 4);
}

/// It refuses an index that lists what it does not have, so one deleted signature had stopped all later ones.
#[tokio::test]
async fn a_deleted_referrer_stops_neither_the_next_one_nor_a_copy() {
    let Some(server) = docker_registry() else { return };
    let (client, repository) = (client(), repository_of(&server, "app"));
    let image = push_image(&client, &repository, "layer", "v1").await;
    let gone = attach(&client, &repository, &image, 1).await.digest();
    client.delete_manifest(&repository, &gone).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let source = Location::Registry(format!("{}/app:v1", server.address()).parse().unwrap());
    let target: Location = format!("oci:{}:v1", directory.path().display()).parse().unwrap();
    let (source, target) = (source.source(&client).unwrap(), target.target(&client).unwrap());
    let report = copy(&source, &target, &CopyOptions::default(), &|_| {}).await.unwrap();
    assert_eq!((report.missing, report.referrers), (vec![gone], 0));
    let next = attach(&client, &repository, &image, 2).await.digest();
    let found = client.referrers(&repository, &image.digest).await.unwrap();
    assert_eq!(found.descriptors.iter().map(|entry| entry.digest).collect::<Vec<_>>(), [next]);
}

#[tokio::test]
async fn an_image_travels_with_all_that_refers_to_it() {
    let Some(server) = docker_registry() else { return };
    let (client, repository) = (client(), repository_of(&server, "from"));
    let image = push_image(&client, &repository, "layer", "v1").await;
    let signature = attach(&client, &repository, &image, 1).await;
    let of_signature = client.manifest(&repository, &signature.digest()).await.unwrap().descriptor;
    attach(&client, &repository, &of_signature, 2).await;
    let legacy = format!("sha256-{}.sig", image.digest.hex());
    push_image(&client, &repository, "legacy", &legacy).await;

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let hops = [
        format!("{}/from:v1", server.address()),
        format!("oci:{}:v1", path("layout")),
        format!("oci-archive:{}:v1", path("image.tar")),
        format!("{}/to:v1", server.address()),
        format!("{}/mounted:v1", server.address()),
    ];
    for hop in hops.windows(2) {
        let (source, target): (Location, Location) = (hop[0].parse().unwrap(), hop[1].parse().unwrap());
        let (source, target) = (source.source(&client).unwrap(), target.target(&client).unwrap());
        let report = copy(&source, &target, &CopyOptions::default(), &|_| {}).await.unwrap();
        assert_eq!((report.digest, report.referrers, report.attachments), (image.digest, 2, 1), "{hop:?}");
        if hop[1].contains("image.tar") {
            continue;
        }
        let again = copy(&source, &target, &CopyOptions::default(), &|_| {}).await.unwrap();
        assert_eq!((again.manifests_sent, again.blobs_sent, again.bytes_sent), (0, 0, 0), "{hop:?}");
    }
    let arrived = client.referrers(&repository_of(&server, "mounted"), &image.digest).await.unwrap();
    assert_eq!(arrived.descriptors.len(), 1);
    assert_eq!(arrived.descriptors[0].digest, signature.digest());
}

#[tokio::test]
async fn tags_are_listed_and_manifests_deleted() {
    let Some(server) = docker_registry() else { return };
    let (client, repository) = (client(), repository_of(&server, "app"));
    let image = push_image(&client, &repository, "layer", "v1").await;
    let tags: Vec<_> = client.tags(&repository).await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["v1"]);
    client.delete_manifest(&repository, &image.digest).await.unwrap();
    let gone = client.manifest(&repository, &image.digest).await.map(|found| found.digest());
    assert!(gone.is_err_and(|error| error.is_not_found()));
    assert_eq!(client.has_manifest(&repository, &Digest::sha256(b"")).await, Ok(false));
}

/// The standard output of a peer; none, with one line about it, where it is not installed.
fn peer(program: &str, arguments: &[&str]) -> Option<String> {
    let [program] = peers([program])?;
    Some(Sandbox::new().run(&program, arguments).succeeds().stdout)
}

#[tokio::test]
async fn peers_read_our_layouts_and_archives_and_we_read_theirs() {
    let Some(server) = docker_registry() else { return };
    let (client, repository) = (client(), repository_of(&server, "app"));
    let image = push_image(&client, &repository, "layer", "v1").await;
    let signature = attach(&client, &repository, &image, 1).await.digest().to_string();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let carry = |from: String, to: String| {
        let client = &client;
        async move {
            let source = from.parse::<Location>().unwrap().source(client).unwrap();
            let target = to.parse::<Location>().unwrap().target(client).unwrap();
            copy(&source, &target, &CopyOptions::default(), &|_| {}).await.unwrap()
        }
    };
    let (layout, archive, saved) = (path("layout"), path("image.tar"), path("saved.tar"));
    carry(format!("{}/app:v1", server.address()), format!("oci:{layout}:v1")).await;
    carry(format!("oci:{layout}:v1"), format!("oci-archive:{archive}:v1")).await;
    for place in [format!("oci:{layout}:v1"), format!("oci-archive:{archive}:v1")] {
        let Some(raw) = peer("skopeo", &["inspect", "--raw", &place]) else { return };
        assert_eq!(Digest::sha256(raw.as_bytes()), image.digest, "{place}");
    }
    let discover = ["discover", "--oci-layout", "--format", "json", &format!("{layout}:v1")];
    let Some(found) = peer("oras", &discover) else { return };
    assert!(found.contains(&signature), "{found}");

    let docker = format!("docker-archive:{saved}:app:v1");
    peer("skopeo", &["--insecure-policy", "copy", "-q", &format!("oci:{layout}:v1"), &docker]);
    carry(docker, format!("oci:{}:v1", path("again"))).await;
    let again: Location = format!("oci:{}:v1", path("again")).parse().unwrap();
    let again = again.source(&client).unwrap();
    let made = again.store.resolve(again.name.as_ref()).await.unwrap();
    assert_eq!(made.manifest.layers()[0].digest, Digest::sha256(b"layer"));
}
