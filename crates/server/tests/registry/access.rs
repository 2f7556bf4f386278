use std::path::Path;
use std::sync::Arc;

use reqwest::{Method, StatusCode};
use signet_crypto::Digest;
use signet_server::registry::{AuthFiles, BuildError, Config};

use crate::gate::Only;
use crate::harness::{Registry, code, header, index};

const RIGHTS: &str = r#"{"rules": [
    {"users": ["ci"], "repositories": ["team", "secret"], "rights": ["pull", "push"]},
    {"users": ["dev"], "repositories": ["team"], "rights": ["pull"]},
    {"users": ["dev"], "repositories": ["dev"], "rights": ["pull", "push"]},
    {"users": ["anonymous"], "repositories": ["team/public"], "rights": ["pull"]}
]}"#;

pub(crate) fn users(config: &mut Config, dir: &Path) {
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
async fn changed_users_and_rights_are_followed_while_it_runs() {
    let mut registry = Registry::start_with(users).await;
    registry.log_in("dev", "dev-password");
    assert_eq!(registry.get("/v2/secret/tags/list").await.status(), StatusCode::FORBIDDEN);
    let rights = r#"{"rules": [{"users": ["dev"], "repositories": ["secret"], "rights": ["pull"]}]}"#;
    std::fs::write(registry.data.path().join("rights.json"), rights).unwrap();
    registry.until("/v2/secret/tags/list", StatusCode::NOT_FOUND).await;
    let hash = bcrypt::hash("another", 4).unwrap();
    std::fs::write(registry.data.path().join("htpasswd"), format!("dev:{hash}\n")).unwrap();
    registry.until("/v2/", StatusCode::UNAUTHORIZED).await;
    registry.log_in("dev", "another");
    assert_eq!(registry.get("/v2/").await.status(), StatusCode::OK);
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

/// DNS rebinding: a page whose name leads to 127.0.0.1 had read and pushed.
#[tokio::test]
async fn a_registry_without_users_answers_no_page_of_another_site() {
    let registry = Registry::start().await;
    for (name, value) in [("host", "evil.example:5000"), ("origin", "https://evil.example")] {
        let asked = registry.request(Method::POST, "/v2/a/blobs/uploads/").header(name, value);
        let asked = asked.send().await.unwrap();
        assert_eq!(
            (asked.status(), code(asked).await),
            (StatusCode::FORBIDDEN, "DENIED".to_owned()),
            "{name}"
        );
    }
    let mut registry = Registry::start_with(users).await;
    registry.log_in("ci", "ci-password");
    let asked =
        registry.request(Method::GET, "/v2/").header("host", "registry.example").send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::OK, "who has to log in may reach it by any name");
}

#[tokio::test]
async fn passwords_do_not_cross_the_network_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let with_users = |allow_http| {
        let mut config = Config::new(dir.path().join("data"), ([0, 0, 0, 0], 0).into());
        users(&mut config, dir.path());
        Config { allow_http, ..config }
    };
    assert!(matches!(with_users(false).build().await, Err(BuildError::PasswordsInTheClear { .. })));
    assert!(!dir.path().join("data").exists(), "a refused start leaves nothing behind");
    assert!(with_users(true).build().await.is_ok());
}

#[tokio::test]
async fn without_users_it_listens_on_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    let open = Config::new(dir.path().join("data"), ([0, 0, 0, 0], 0).into());
    assert!(matches!(open.build().await, Err(BuildError::OpenToTheNetwork { .. })));
    assert!(!dir.path().join("data").exists(), "a refused start leaves nothing behind");
}

/// Whoever may push is not asked about: where all may, the gate would be for nobody.
#[tokio::test]
async fn a_gate_needs_users_who_may_only_pull() {
    let dir = tempfile::tempdir().unwrap();
    let everything = r#"{"rules": [
        {"users": ["*"], "repositories": ["*"], "rights": ["pull"]},
        {"users": ["anonymous"], "repositories": ["*"], "rights": ["pull", "push"]}
    ]}"#;
    for rights in [None, Some(None), Some(Some(everything))] {
        let mut gated = Config::new(dir.path().join("data"), ([127, 0, 0, 1], 0).into());
        gated.gate = Some(Arc::new(Only(Digest::sha256(b""))));
        users(&mut gated, dir.path());
        match (rights, &mut gated.auth) {
            (None, auth) => *auth = None,
            (Some(None), Some(auth)) => auth.rights = None,
            (Some(Some(text)), _) => std::fs::write(dir.path().join("rights.json"), text).unwrap(),
            (Some(None), None) => unreachable!("there are users"),
        }
        assert!(matches!(gated.build().await, Err(BuildError::GateWithoutRights)), "{rights:?}");
    }
    assert!(!dir.path().join("data").exists());
}
