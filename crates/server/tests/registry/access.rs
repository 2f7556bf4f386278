use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use signet_crypto::Digest;
use signet_formats::oci::media_type;
use signet_server::registry::{AuthFiles, BuildError, Config, Principal, PullGate, Refusal};
use signet_store::RepositoryName;

use crate::harness::{Registry, code, header, image, index, json_of};

const RIGHTS: &str = r#"{"rules": [
    {"users": ["ci"], "repositories": ["team", "secret"], "rights": ["pull", "push"]},
    {"users": ["dev"], "repositories": ["team"], "rights": ["pull"]},
    {"users": ["dev"], "repositories": ["dev"], "rights": ["pull", "push"]},
    {"users": ["anonymous"], "repositories": ["team/public"], "rights": ["pull"]}
]}"#;

fn users(config: &mut Config, dir: &Path) {
    let hash = |password: &str| bcrypt::hash(password, 4).unwrap();
    let htpasswd = dir.join("htpasswd");
    std::fs::write(&htpasswd, format!("ci:{}\ndev:{}\n", hash("ci-password"), hash("dev-password"))).unwrap();
    let rights = dir.join("rights.json");
    std::fs::write(&rights, RIGHTS).unwrap();
    config.auth = Some(AuthFiles { htpasswd, rights: Some(rights) });
}

#[tokio::test]
async fn users_do_what_their_rights_say() {
    let mut registry = Registry::start_with(users).await;
    for path in ["/v2/", "/v2/team/app/tags/list", "/v2/elsewhere/tags/list", "/v2/nonsense"] {
        let asked = registry.get(path).await;
        assert_eq!(asked.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(header(&asked, "www-authenticate").starts_with("Basic "), "{path}");
    }
    registry.log_in("ci", "ci-password");
    assert_eq!(registry.get("/v2/").await.status(), StatusCode::OK);
    registry.push_manifest("team/public", &index(&[])).await;
    registry.log_in("dev", "dev-password");
    assert_eq!(registry.get("/v2/team/public/tags/list").await.status(), StatusCode::OK);
    let denied = registry.send(Method::POST, "/v2/team/public/blobs/uploads/").await;
    assert_eq!((denied.status(), code(denied).await), (StatusCode::FORBIDDEN, "DENIED".to_owned()));
    assert_eq!(registry.get("/v2/secret/tags/list").await.status(), StatusCode::FORBIDDEN);
    registry.log_out();
    assert_eq!(registry.get("/v2/team/public/tags/list").await.status(), StatusCode::OK);
    assert_eq!(
        registry.send(Method::POST, "/v2/team/public/blobs/uploads/").await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn wrong_passwords_are_refused_also_after_right_ones() {
    let mut registry = Registry::start_with(users).await;
    registry.log_in("dev", "dev-password");
    assert_eq!(registry.get("/v2/").await.status(), StatusCode::OK);
    for (user, password) in
        [("dev", "ci-password"), ("dev", ""), ("ci", "dev-password"), ("nobody", "dev-password")]
    {
        registry.log_in(user, password);
        assert_eq!(registry.get("/v2/").await.status(), StatusCode::UNAUTHORIZED, "{user}:{password}");
    }
}

#[tokio::test]
async fn a_digest_alone_is_no_right_to_a_blob() {
    let mut registry = Registry::start_with(users).await;
    registry.log_in("ci", "ci-password");
    let secret = registry.push_blob("secret", b"secret").await;
    registry.log_in("dev", "dev-password");
    for query in [format!("mount={secret}"), format!("mount={secret}&from=secret")] {
        let asked = registry.send(Method::POST, &format!("/v2/dev/blobs/uploads/?{query}")).await;
        assert_eq!(asked.status(), StatusCode::ACCEPTED, "{query}: an upload, not a mount");
        assert_eq!(registry.get(&format!("/v2/dev/blobs/{secret}")).await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn without_users_it_listens_on_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let open = Config::new(dir.path().join("data"), ([0, 0, 0, 0], 0).into());
    assert!(matches!(open.build().await, Err(BuildError::OpenToTheNetwork { .. })));
    let mut gated = Config::new(dir.path().join("data"), ([127, 0, 0, 1], 0).into());
    gated.gate = Some(Arc::new(Only(Digest::sha256(b""))));
    assert!(matches!(gated.build().await, Err(BuildError::GateWithoutUsers)));
    assert!(!dir.path().join("data").exists(), "a refused start leaves nothing behind");
}

/// Permits one manifest.
struct Only(Digest);

#[async_trait]
impl PullGate for Only {
    async fn permit(&self, _: &RepositoryName, manifest: &Digest, _: &Principal) -> Result<(), Refusal> {
        let text = |text: &str| text.to_owned();
        let refusal =
            Refusal { code: text("SGN-0001"), message: text("it is not signed"), hint: text("sign it") };
        if *manifest == self.0 { Ok(()) } else { Err(refusal) }
    }
}

#[tokio::test]
async fn a_gate_refuses_images_but_serves_evidence_and_the_children_of_what_it_permits() {
    let layer = Digest::sha256(b"layer");
    let child = image(&[(media_type::OCI_LAYER_TAR, layer)], None);
    let child_digest = Digest::sha256(child.to_string().as_bytes());
    let permitted = Digest::sha256(index(&[child_digest]).to_string().as_bytes());
    let mut registry = Registry::start_with(|config, dir| {
        users(config, dir);
        config.gate = Some(Arc::new(Only(permitted)));
    })
    .await;
    registry.log_in("ci", "ci-password");
    registry.push_blob("team/app", b"{}").await;
    registry.push_blob("team/app", b"layer").await;
    registry.push_manifest("team/app", &child).await;
    registry.push_manifest("team/app", &index(&[child_digest])).await;
    let evidence = image(&[(media_type::SIGSTORE_BUNDLE, layer)], Some(permitted));
    let evidence = registry.push_manifest("team/app", &evidence).await;
    // An image does not become evidence by having a subject, or by standing beside evidence.
    let disguised = image(&[(media_type::OCI_LAYER_TAR_GZIP, layer)], Some(permitted));
    let disguised = registry.push_manifest("team/app", &disguised).await;
    let mixed = registry.push_manifest("team/app", &index(&[evidence, disguised])).await;
    let listed = registry.push_manifest("team/app", &index(&[evidence])).await;

    let pull = async |registry: &Registry, digest: Digest| {
        registry.get(&format!("/v2/team/app/manifests/{digest}")).await
    };
    for digest in [permitted, child_digest, evidence, disguised, mixed, listed] {
        assert_eq!(pull(&registry, digest).await.status(), StatusCode::OK, "who may push may read");
    }
    registry.log_in("dev", "dev-password");
    for digest in [permitted, child_digest, evidence, listed] {
        assert_eq!(pull(&registry, digest).await.status(), StatusCode::OK, "{digest}");
    }
    for digest in [disguised, mixed] {
        let refused = pull(&registry, digest).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        let error = json_of(refused).await["errors"][0].clone();
        assert_eq!(error["code"], "DENIED");
        assert_eq!(error["detail"], serde_json::json!({"code": "SGN-0001", "hint": "sign it"}));
    }
}
