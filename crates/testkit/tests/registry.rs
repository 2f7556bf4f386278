//! The testkit's own parts against a registry of another project.

use signet_testkit::{RegistryServer, Sandbox, peers};

#[test]
fn an_image_pushed_here_is_pulled_by_crane() {
    let Some([registry, crane]) = peers(["docker-registry", "crane"]) else { return };
    let server = RegistryServer::docker(&registry);
    let (index, images) = server.repository("app").push_index("1", "hello");
    let sandbox = Sandbox::new();
    let digest = sandbox.run(&crane, &["digest", &server.repository("app").tagged("1")]).succeeds();
    assert_eq!(digest.stdout.trim(), index.to_string());
    sandbox.run(&crane, &["export", &server.repository("app").at(&images[1]), "image.tar"]).succeeds();
    let filesystem = String::from_utf8_lossy(&sandbox.read("image.tar")).into_owned();
    assert!(filesystem.contains("hello on arm64"), "{filesystem}");
}

#[test]
fn a_server_is_gone_when_dropped() {
    let Some([registry]) = peers(["docker-registry"]) else { return };
    let server = RegistryServer::docker(&registry);
    let address = server.address().to_owned();
    drop(server);
    assert!(signet_testkit::request(&address, "GET", "/v2/", &[], &[]).is_err());
}
