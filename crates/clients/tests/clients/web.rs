//! Bounds: what a service can make the client do.

use std::time::Duration;

use signet_clients::oidc::{Login, Randomness, device};
use signet_clients::{Error, Limits, TlsOptions, Web};

use crate::fake::{Fake, Says, says};

/// The simplest read there is: the discovery of an issuer.
async fn read(web: &Web, issuer: &str) -> Error {
    let random = Randomness { state: [0; 32], nonce: [0; 32], verifier: [0; 32] };
    device(web, &Login { issuer, client_id: "x" }, &random, |_| {}).await.unwrap_err()
}

fn leads_to(target: &str) -> Says {
    (302, vec![("location", target.to_owned())], Vec::new())
}

#[tokio::test]
async fn plain_http_is_spoken_with_this_machine_only() {
    for url in ["http://example.com", "http://127.0.0.1.example.com", "ftp://127.0.0.1", "not a url"] {
        assert!(matches!(read(&crate::web(), url).await, Error::Url { .. }), "{url}");
    }
    let user = read(&crate::web(), "http://user:secret@example.com/x?y=secret").await;
    assert!(!user.to_string().contains("secret"), "{user}");
}

#[tokio::test]
async fn redirects_are_few_and_never_less_safe() {
    let looping = Fake::start(|url, _| leads_to(url)).await;
    assert!(matches!(read(&crate::web(), &looping.url()).await, Error::Redirected { .. }));
    assert_eq!(looping.lines().len(), 4, "the request and three redirects");
    for target in ["http://example.com/", "file:///etc/passwd", "http://[::2]/"] {
        let away = Fake::start(move |_, _| leads_to(target)).await;
        assert!(matches!(read(&crate::web(), &away.url()).await, Error::Redirected { .. }), "{target}");
        assert_eq!(away.lines().len(), 1);
    }
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_time() {
    let large = Fake::start(|_, _| says(200, "x".repeat(256 * 1024 + 1))).await;
    let error = read(&crate::web(), &large.url()).await;
    assert!(error.to_string().contains("it is too large"), "{error}");
    let limits = Limits { request: Duration::from_millis(200), ..Limits::default() };
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let error = read(&Web::new(TlsOptions::default(), limits), &url).await;
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_reached_is_tried_a_few_times() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    assert!(matches!(read(&crate::web(), &url).await, Error::Unreachable { .. }));
    let failing = Fake::start(|_, _| says(502, "<html>gateway</html>")).await;
    let error = read(&crate::web(), &failing.url()).await;
    assert_eq!(error.to_string(), format!("the login: {} failed with status 502", failing.address()));
    assert_eq!(failing.lines().len(), 4);
}
