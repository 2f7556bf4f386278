//! Logging in at a fake provider.

use std::sync::{Arc, Mutex};

use reqwest::Url;
use serde_json::{Value, json};
use signet_clients::Error;
use signet_clients::oidc::{DeviceCode, Login, Randomness, Token, browser, device};
use signet_crypto::Digest;
use signet_formats::base64;

use crate::fake::{Asked, Fake, Says, says};
use crate::{token, web};

fn randomness() -> Randomness {
    Randomness { state: [1; 32], nonce: [2; 32], verifier: [3; 32] }
}

/// What an issuer says of itself.
fn discovery(url: &str) -> Says {
    says(
        200,
        json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/auth"),
            "token_endpoint": format!("{url}/token"),
            "device_authorization_endpoint": format!("{url}/device"),
            "jwks_uri": format!("{url}/keys"),
        }),
    )
}

fn claims(url: &str, nonce: [u8; 32]) -> Value {
    json!({"iss": url, "sub": "s", "email": "a@b.c", "nonce": base64::encode_url(nonce)})
}

/// A provider whose token endpoint says this.
async fn provider(redeem: impl Fn(&str, &Asked) -> Says + Send + Sync + 'static) -> Fake {
    Fake::start(move |url, asked| match asked.line.as_str() {
        "GET /.well-known/openid-configuration" => discovery(url),
        "POST /token" => redeem(url, asked),
        "POST /device" => says(
            200,
            json!({
                "device_code": "device-secret", "user_code": "ABCD-EFGH", "interval": 0,
                "verification_uri": format!("{url}/go"), "expires_in": 60,
            }),
        ),
        _ => says(404, "no"),
    })
    .await
}

/// A provider that tells who polls to wait, once with each status, and then gives a token.
async fn pending(statuses: &'static [u16]) -> Fake {
    let left = Mutex::new(statuses.iter());
    provider(move |url, _| match left.lock().unwrap().next() {
        Some(status) => says(*status, json!({"error": "authorization_pending"})),
        None => says(200, json!({"id_token": token(&claims(url, [0; 32]))})),
    })
    .await
}

/// Logs in with a browser that does `visit` with the URL it is given.
async fn with_browser<F>(fake: &Fake, visit: impl FnOnce(Url) -> F) -> Result<Token, Error>
where
    F: Future<Output = ()> + Send + 'static,
{
    let url = fake.url();
    let login = Login { issuer: &url, client_id: "sigstore" };
    let open = |page: &str| {
        tokio::spawn(visit(Url::parse(page).unwrap()));
    };
    browser(&web(), &login, &randomness(), open).await
}

fn parameter(page: &Url, name: &str) -> String {
    page.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned()
}

async fn come_back(page: &Url, query: &str) -> u16 {
    let back = parameter(page, "redirect_uri").replace("localhost", "127.0.0.1");
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls())
        .no_proxy()
        .build()
        .unwrap()
        .get(format!("{back}?{query}"))
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

/// reqwest insists on a TLS configuration, also for plain HTTP.
fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

#[tokio::test]
async fn a_browser_brings_the_code_that_the_verifier_redeems() {
    let fake = provider(|url, _| says(200, json!({"id_token": token(&claims(url, [2; 32]))}))).await;
    let state = base64::encode_url([1; 32]);
    let token = with_browser(&fake, |page| async move {
        assert_eq!((page.path(), parameter(&page, "response_type").as_str()), ("/auth", "code"));
        assert_eq!(parameter(&page, "scope"), "openid email");
        let verifier = base64::encode_url([3; 32]);
        let challenge = base64::encode_url(Digest::sha256(verifier.as_bytes()).as_bytes());
        assert_eq!(parameter(&page, "code_challenge"), challenge);
        assert_eq!(parameter(&page, "code_challenge_method"), "S256");
        // What browsers and others on this machine ask besides changes nothing.
        assert_eq!(come_back(&page, "code=theirs&state=theirs").await, 404);
        assert_eq!(come_back(&page, &format!("code=a%2Fb&state={}", parameter(&page, "state"))).await, 200);
    })
    .await
    .unwrap();
    assert_eq!(token.challenge(), Ok("a@b.c"));
    let asked = fake.asked();
    let redeemed = asked.last().unwrap();
    let field = |name: &str| redeemed.field(name).unwrap();
    assert_eq!((field("grant_type").as_str(), field("code").as_str()), ("authorization_code", "a/b"));
    assert_eq!(field("code_verifier"), base64::encode_url([3; 32]));
    assert!(field("redirect_uri").starts_with("http://localhost:"));
    assert!(!asked.iter().any(|asked| asked.line.contains(&state)), "the state stays between browser and us");
}

#[tokio::test]
async fn ghsa_hm8f_75xx_w2vr_a_token_of_another_login_is_refused() {
    for (nonce, issuer) in [([9; 32], None), ([2; 32], Some("https://other.example"))] {
        let fake = provider(move |url, _| {
            says(200, json!({"id_token": token(&claims(issuer.unwrap_or(url), nonce))}))
        })
        .await;
        let outcome = with_browser(&fake, |page| async move {
            come_back(&page, &format!("code=c&state={}", parameter(&page, "state"))).await;
        });
        assert!(matches!(outcome.await, Err(Error::Token { .. })));
    }
}

#[tokio::test]
async fn a_refusal_ends_the_login() {
    let fake =
        provider(|_, _| says(400, json!({"error": "invalid_grant", "error_description": "too late"}))).await;
    let refused = with_browser(&fake, |page| async move {
        let state = parameter(&page, "state");
        come_back(&page, &format!("error=access_denied&state={state}")).await;
    });
    assert_eq!(refused.await.unwrap_err(), Error::Login("access_denied".to_owned()));
    let late = with_browser(&fake, |page| async move {
        come_back(&page, &format!("code=c&state={}", parameter(&page, "state"))).await;
    });
    assert_eq!(late.await.unwrap_err(), Error::Login("too late".to_owned()));
    assert_eq!(fake.lines().iter().filter(|line| *line == "POST /token").count(), 1, "a code is sent once");
}

#[tokio::test]
async fn discovery_of_another_issuer_or_over_plain_http_is_refused() {
    let other = Fake::start(|_, _| discovery("https://other.example")).await;
    let outcome = with_browser(&other, |_| async {}).await;
    assert!(matches!(outcome, Err(Error::Malformed { .. })));
    let plain = Fake::start(|url, _| {
        says(
            200,
            json!({
                "issuer": url, "authorization_endpoint": format!("{url}/auth"),
                "token_endpoint": "http://example.com/token",
            }),
        )
    })
    .await;
    assert!(matches!(with_browser(&plain, |_| async {}).await, Err(Error::Url { .. })));
}

#[tokio::test]
async fn a_device_code_is_polled_until_somebody_has_logged_in() {
    let fake = pending(&[400, 400]).await;
    let url = fake.url();
    let login = Login { issuer: &url, client_id: "sigstore" };
    let mut shown = None;
    let token = device(&web(), &login, &randomness(), |code| shown = Some(code.clone())).await.unwrap();
    assert_eq!(token.challenge(), Ok("a@b.c"));
    let expected = DeviceCode { url: format!("{url}/go"), user_code: "ABCD-EFGH".to_owned() };
    assert_eq!(shown, Some(expected));
    let last = fake.asked().pop().unwrap();
    assert_eq!(last.field("device_code").as_deref(), Some("device-secret"));
    assert_eq!(last.field("code_verifier"), Some(base64::encode_url([3; 32])));
    assert_eq!(fake.lines().len(), 5, "discovery, device, two that wait, one that brings");
}

/// Sigstore's public instance logs in with Dex, which says 401.
#[tokio::test]
async fn whoever_has_not_logged_in_yet_is_waited_for_whatever_status_says_so() {
    let fake = pending(&[401, 428, 403]).await;
    let url = fake.url();
    let login = Login { issuer: &url, client_id: "sigstore" };
    device(&web(), &login, &randomness(), |_| {}).await.unwrap();
    assert_eq!(fake.lines().iter().filter(|line| *line == "POST /token").count(), 4);
}

#[tokio::test]
async fn a_token_endpoint_that_names_no_error_has_refused() {
    for (status, body) in [(401, "<h1>Unauthorized</h1>"), (403, "{}"), (500, r#"{"error": "slow_down"}"#)] {
        let fake = provider(move |_, _| says(status, body)).await;
        let url = fake.url();
        let login = Login { issuer: &url, client_id: "sigstore" };
        let refused = device(&web(), &login, &randomness(), |_| {}).await.unwrap_err();
        assert!(matches!(refused, Error::Refused { .. } | Error::Failed { .. }), "{refused:?}");
    }
}

#[tokio::test]
async fn a_device_login_that_is_refused_ends() {
    let fake = provider(|_, _| says(400, json!({"error": "access_denied"}))).await;
    let url = fake.url();
    let login = Login { issuer: &url, client_id: "sigstore" };
    let outcome = device(&web(), &login, &randomness(), |_| {}).await;
    assert_eq!(outcome.unwrap_err(), Error::Login("access_denied".to_owned()));
}
