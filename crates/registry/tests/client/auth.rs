//! Who is told what: credentials, tokens and where they go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use signet_formats::oci::{Descriptor, Reference, Repository};
use signet_registry::{
    BlobPush, BlobStream, Client, CopyOptions, Credentials, Error, Keychain, Location, copy, parallel,
};
use tokio::sync::Notify;

use crate::double::{Double, Reply, Request, client, client_with, hasty, manifest};
use crate::shelf::Shelf;

fn basic() -> Keychain {
    Keychain::fixed(Credentials::Basic { username: "user".into(), password: "secret".into() })
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect() {
    let storage = Double::always(|| Reply::new(200, "hello")).await;
    let location = format!("http://{}/stored", storage.host);
    let server = Double::start(move |request| match request.header("authorization") {
        Some(_) => Reply::new(307, "").with("Location", &location),
        None => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    })
    .await;
    let descriptor = Descriptor::of("t", b"hello");
    let outcome = client_with(basic()).blob_bytes(&server.repository(), &descriptor, 100).await;
    assert_eq!(outcome, Ok("hello".into()));
    assert_eq!(storage.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn loops_of_401() {
    let server = Double::always(|| Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\"")).await;
    let outcome = client_with(basic()).resolve(&server.reference()).await;
    assert!(matches!(outcome, Err(Error::Unauthorized { .. })), "{outcome:?}");
    assert_eq!(server.seen().len(), 2);
}

/// Who had none at all was told that others were wanted "than it was given".
#[tokio::test]
async fn a_401_tells_who_has_no_credentials_from_who_has_others() {
    let server = Double::always(|| Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\"")).await;
    let said = async |keychain: Keychain| {
        client_with(keychain).resolve(&server.reference()).await.unwrap_err().to_string()
    };
    let given = said(basic()).await;
    assert_eq!(given, format!("{} wants other credentials than it was given", server.host));
    let none = said(Keychain::of_files(vec!["/nowhere/a.json".into(), "/nowhere/b.json".into()])).await;
    let wanted = "credentials, and there are none for it in `/nowhere/a.json`, `/nowhere/b.json`";
    assert_eq!(none, format!("{} wants {wanted}", server.host));
}

/// In a container whose disk is only read, pulls that had worked failed.
#[cfg(unix)]
#[tokio::test]
async fn a_helper_is_asked_also_where_no_file_can_be_made() {
    use crate::child;
    const NAME: &str = "auth::a_helper_is_asked_also_where_no_file_can_be_made";
    if let Some(config) = child::argument() {
        let helpers = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helpers");
        let keychain = Keychain::of_files(vec![config.into()]).with_helpers_in(helpers);
        let repository = "basic.example/app".parse().unwrap();
        let found = keychain.credentials(&repository, client().limits()).await;
        return child::tell(&format!("{found:?}"));
    }
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.json");
    std::fs::write(&config, r#"{"credHelpers":{"basic.example":"play"}}"#).unwrap();
    let told = child::run(NAME, config.to_str().unwrap(), &[("TMPDIR", "/nowhere")]).await;
    assert!(told.starts_with("Ok(Basic"), "{told}");
}

#[tokio::test]
async fn a_token_realm_elsewhere_over_http() {
    for realm in ["http://tokens.example/t", "ftp://127.0.0.1/t", "not a url"] {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"s\"");
        let server = Double::always(move || Reply::new(401, "").with("WWW-Authenticate", &challenge)).await;
        let outcome = client_with(basic()).resolve(&server.reference()).await;
        assert!(matches!(outcome, Err(Error::RealmRefused { .. })), "{realm}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_token_is_fetched_and_used_and_renewed() {
    let grants = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&grants);
    let realm = Double::start(move |request| {
        assert!(request.target.contains("scope=repository%3Aapp%3Apull&service=s"), "{}", request.target);
        assert!(request.header("authorization").is_some_and(|value| value.starts_with("Basic ")));
        let token = count.fetch_add(1, Ordering::SeqCst);
        Reply::new(200, format!(r#"{{"token":"t{token}","expires_in":300}}"#))
    })
    .await;
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s\"", realm.host);
    let valid = Arc::clone(&grants);
    let server = Double::start(move |request| {
        let latest = format!("Bearer t{}", valid.load(Ordering::SeqCst).wrapping_sub(1));
        // The first token is good for one request only.
        let spent = request.target.ends_with("v2") && latest == "Bearer t0";
        match request.header("authorization") == Some(latest.as_str()) && !spent {
            true => Reply::new(200, manifest()),
            false => Reply::new(401, "").with("WWW-Authenticate", &challenge),
        }
    })
    .await;
    let client = client_with(basic());
    client.resolve(&server.reference()).await.unwrap();
    client.resolve(&server.reference()).await.unwrap();
    assert_eq!((server.seen().len(), realm.seen().len()), (3, 1), "the token is kept");
    client.resolve(&format!("{}/app:v2", server.host).parse().unwrap()).await.unwrap();
    assert_eq!(realm.seen().len(), 2, "a refused token is renewed once");
}

#[tokio::test]
async fn an_identity_token_is_posted() {
    let realm = Double::start(|request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        assert!(body.contains("grant_type=refresh_token") && body.contains("refresh_token=r%2F1"), "{body}");
        assert_eq!((request.method.as_str(), request.header("authorization")), ("POST", None));
        Reply::new(200, r#"{"access_token":"good"}"#)
    })
    .await;
    let challenge = format!("Bearer realm=\"http://{}/token\"", realm.host);
    let server = Double::start(move |request| match request.header("authorization") {
        Some("Bearer good") => Reply::new(200, manifest()),
        _ => Reply::new(401, "").with("WWW-Authenticate", &challenge),
    })
    .await;
    let keychain = Keychain::fixed(Credentials::IdentityToken("r/1".into()));
    client_with(keychain).resolve(&server.reference()).await.unwrap();
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_the_same_host() {
    let server = Double::start(|request| match (request.target.as_str(), request.header("authorization")) {
        ("/inner", authorization) => {
            assert_eq!(authorization, None);
            Reply::new(200, "hello")
        }
        (_, Some(_)) => Reply::new(307, "").with("Location", "/inner"),
        _ => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    })
    .await;
    let descriptor = Descriptor::of("t", b"hello");
    let outcome = client_with(basic()).blob_bytes(&server.repository(), &descriptor, 100).await;
    assert_eq!(outcome, Ok("hello".into()));
}

#[tokio::test]
async fn a_challenge_behind_a_redirect_is_not_answered() {
    let realm = Double::always(|| Reply::new(200, r#"{"token":"t"}"#)).await;
    let bearer = format!("Bearer realm=\"http://{}/token\"", realm.host);
    for challenge in [bearer, "Basic realm=\"x\"".to_owned()] {
        let storage = Double::always(move || Reply::new(401, "").with("WWW-Authenticate", &challenge)).await;
        let location = format!("http://{}/stored", storage.host);
        let server = Double::always(move || Reply::new(307, "").with("Location", &location)).await;
        let outcome = client_with(basic()).resolve(&server.reference()).await;
        assert!(matches!(outcome, Err(Error::Unauthorized { .. })), "{outcome:?}");
        assert_eq!((server.seen().len(), storage.seen().len()), (1, 1));
        assert_eq!(storage.seen()[0].header("authorization"), None);
    }
    assert!(realm.seen().is_empty());
}

#[tokio::test]
async fn token_realms_that_lie() {
    let redirect = || Reply::new(307, "").with("Location", "/other");
    let drip = || Reply::wire("HTTP/1.1 200 X\r\n\r\n", " ", Duration::from_millis(50));
    let realms = [
        (Double::always(Reply::endless).await, "TooLarge"),
        (Double::always(drip).await, "Timeout"),
        (Double::always(|| Reply::stalled(9)).await, "Timeout"),
        (Double::always(redirect).await, "RealmRefused"),
        (Double::always(|| Reply::new(200, "{}")).await, "Malformed"),
        (Double::always(|| Reply::new(200, r#"{"token":"a\r\nb"}"#)).await, "Malformed"),
        (Double::always(|| Reply::new(500, "")).await, "Server"),
        (Double::always(|| Reply::new(403, "")).await, "Unauthorized"),
    ];
    for (realm, want) in &realms {
        let server = guarded(realm, |_, _| true, |_| Reply::new(200, manifest())).await;
        // Who is hasty may find a good answer slow, on a busy machine.
        let client = if *want == "Timeout" { hasty(basic()) } else { client_with(basic()) };
        let outcome = format!("{:?}", client.resolve(&server.reference()).await);
        assert!(outcome.starts_with(&format!("Err({want}")), "{outcome}");
        assert!(server.seen().iter().all(|request| request.header("authorization").is_none()));
    }
}

/// A token realm whose tokens are `t1`, `t2` and so on, good for `life` seconds if we believe it.
async fn realm(life: u32) -> Double {
    let count = AtomicUsize::new(0);
    Double::start(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        Reply::new(200, format!(r#"{{"token":"t{number}","expires_in":{life}}}"#))
    })
    .await
}

/// A registry that asks for tokens of `realm`, and accepts those that `good` does.
async fn guarded(
    realm: &Double,
    good: impl Fn(&Request, &str) -> bool + Send + Sync + 'static,
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> Double {
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s\"", realm.host);
    Double::start(move |request| {
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        match token.is_some_and(|token| good(request, token)) {
            true => answer(request),
            false => Reply::new(401, "").with("WWW-Authenticate", &challenge),
        }
    })
    .await
}

fn tagged(server: &Double, tag: impl std::fmt::Display) -> Reference {
    format!("{}/app:{tag}", server.host).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_401_fetches_one_token() {
    // The token comes when more than one has been sent for it.
    let (storm, bare) = (Arc::new(Notify::new()), AtomicUsize::new(0));
    let awaited = Arc::clone(&storm);
    let token = r#"{"token":"t","expires_in":300}"#;
    let realm = Double::always(move || Reply::new(200, token).held(&awaited)).await;
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s\"", realm.host);
    let server = Double::start(move |request| {
        if request.header("authorization").is_some() {
            return Reply::new(200, manifest());
        }
        if bare.fetch_add(1, Ordering::SeqCst) == 1 {
            storm.notify_one();
        }
        Reply::new(401, "").with("WWW-Authenticate", &challenge)
    })
    .await;
    let (client, place) = (client(), &server);
    let ask = |i| {
        let client = client.clone();
        async move { client.resolve(&tagged(place, format!("v{i}"))).await.map(|_| ()) }
    };
    let outcomes = parallel((0..32).collect(), 32, ask).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(realm.seen().len(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end() {
    let realm = realm(300).await;
    let server = guarded(&realm, |_, _| true, |_| Reply::new(200, manifest())).await;
    let client = client();
    client.resolve(&tagged(&server, "v1")).await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(296)).await;
    tokio::time::resume();
    client.resolve(&tagged(&server, "v2")).await.unwrap();
    assert_eq!((server.seen().len(), realm.seen().len()), (3, 2), "without another 401");
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_of_an_upload() {
    let realm = realm(300).await;
    let shelf = Shelf::default();
    // The first token is refused for the content, whatever it was accepted for before.
    let good = |request: &Request, token: &str| request.method != "PUT" || token != "t2";
    let server = guarded(&realm, good, move |request| shelf.answer(request)).await;
    let (client, blob) = (client(), Descriptor::of("t", b"hello"));
    let opened = AtomicUsize::new(0);
    let open = || async {
        opened.fetch_add(1, Ordering::SeqCst);
        Ok(BlobStream::of_bytes(&blob, "hello".into()))
    };
    let pushed = client.push_blob(&server.repository(), &blob, None, open).await;
    assert_eq!(pushed, Ok(BlobPush::Sent));
    assert_eq!((opened.load(Ordering::SeqCst), realm.seen().len()), (2, 3), "pull, push, push again");
    assert_eq!(client.has_blob(&server.repository(), &blob.digest).await, Ok(true));
}

#[tokio::test]
async fn an_upload_that_is_never_allowed_ends() {
    let realm = realm(300).await;
    let shelf = Shelf::default();
    let server = guarded(&realm, |request, _| request.method != "PUT", move |r| shelf.answer(r)).await;
    let pushed = client().push_bytes(&server.repository(), "t", "hello".into()).await;
    assert!(matches!(pushed, Err(Error::Unauthorized { .. })), "{pushed:?}");
    assert!(realm.seen().len() <= 4 && server.seen().len() <= 10);
}

#[tokio::test]
async fn tokens_that_end_in_the_middle_of_a_copy() {
    let realm = realm(300).await;
    let shelf = Shelf::default();
    let uses = std::sync::Mutex::new(std::collections::HashMap::<String, usize>::new());
    let good = move |_: &Request, token: &str| {
        let mut uses = uses.lock().unwrap();
        let used = uses.entry(token.to_owned()).or_default();
        *used += 1;
        *used <= 3
    };
    let server = guarded(&realm, good, move |request| shelf.answer(request)).await;
    let client = client();
    let place = |name: &str| format!("{}/{name}", server.host).parse::<Repository>().unwrap();
    client.push_bytes(&place("from"), "t", "{}".into()).await.unwrap();
    let tag = signet_registry::ManifestName::Tag("v1".parse().unwrap());
    client.push_manifest(&place("from"), &tag, "t", manifest().into(), None).await.unwrap();
    let before = realm.seen().len();
    let open = |name: &str| format!("{}/{name}:v1", server.host).parse::<Location>().unwrap();
    let (source, target) = (open("from").source(&client).unwrap(), open("to").target(&client).unwrap());
    let options = CopyOptions { parallel: 1, ..CopyOptions::default() };
    let report = copy(&source, &target, &options, &|_| {}).await.unwrap();
    assert_eq!((report.manifests_sent, report.blobs_sent, report.blobs_present), (1, 1, 1));
    assert!(realm.seen().len() > before + 2, "they did end");
}

async fn mount(client: &Client, server: &Double) -> BlobPush {
    let place = |name: &str| format!("{}/{name}", server.host).parse::<Repository>().unwrap();
    let blob = client.push_bytes(&place("from"), "t", "hello".into()).await.unwrap();
    let (from, to) = (place("from"), place("to"));
    client.push_blob(&to, &blob, Some(&from), || client.blob_stream(&from, &blob)).await.unwrap()
}

#[tokio::test]
async fn a_mount_asks_for_both_repositories() {
    let realm = realm(300).await;
    let shelf = Shelf { mounts: true, ..Shelf::default() };
    let server = guarded(&realm, |_, _| true, move |request| shelf.answer(request)).await;
    assert_eq!(mount(&client(), &server).await, BlobPush::Mounted);
    let both = "scope=repository%3Ato%3Apull%2Cpush&scope=repository%3Afrom%3Apull&service=s";
    let asked: Vec<_> = realm.seen().iter().map(|request| request.target.clone()).collect();
    assert_eq!(asked.last(), Some(&format!("/token?{both}")), "{asked:?}");
}

#[tokio::test]
async fn a_refused_mount_is_an_upload() {
    let realm = Double::start(|request| match request.target.matches("scope=").count() {
        1 => Reply::new(200, r#"{"token":"t","expires_in":300}"#),
        _ => Reply::new(403, ""),
    })
    .await;
    let shelf = Shelf { mounts: true, ..Shelf::default() };
    let server = guarded(&realm, |_, _| true, move |request| shelf.answer(request)).await;
    assert_eq!(mount(&client(), &server).await, BlobPush::Sent);
}
