use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, json};
use signet_crypto::{KeyAlgorithm, Scheme};
use signet_formats::base64;
use signet_formats::jwt::{JwtAlgorithm, signing_input};
use signet_formats::x509::SubjectAltName;
use signet_keys::{Payload, PrivateKey, PublicFormat, encode_public};
use signet_store::fs::Disk;

use super::dev::{Bearer, DevIssuer};
use super::*;
use crate::clock::ManualClock;

const NOW: i64 = 1_795_000_000;
const URL: &str = "https://issuer.example";
const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// An issuer whose documents are in memory, and who counts how often they are fetched.
struct FalseIssuer {
    keys: Mutex<Vec<(String, PrivateKey)>>,
    documents: Mutex<HashMap<String, Vec<u8>>>,
    fetched: Mutex<Vec<String>>,
}

impl FalseIssuer {
    fn new() -> Arc<Self> {
        let issuer = Self { keys: Mutex::default(), documents: Mutex::default(), fetched: Mutex::default() };
        issuer.publish(
            "/.well-known/openid-configuration",
            &json!({ "issuer": URL, "jwks_uri": format!("{URL}/keys") }),
        );
        issuer.rotate("first");
        Arc::new(issuer)
    }

    fn publish(&self, path: &str, document: &Value) {
        self.documents.lock().unwrap().insert(format!("{URL}{path}"), document.to_string().into_bytes());
    }

    /// A new key in the place of all others.
    fn rotate(&self, key_id: &str) {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let mut jwk: Map<String, Value> =
            serde_json::from_slice(&encode_public(key.public_key(), PublicFormat::Jwk).unwrap()).unwrap();
        jwk.insert("kid".to_owned(), json!(key_id));
        self.publish("/keys", &json!({ "keys": [jwk, { "kty": "unknown" }] }));
        *self.keys.lock().unwrap() = vec![(key_id.to_owned(), key)];
    }

    fn token(&self, change: impl FnOnce(&mut Map<String, Value>)) -> String {
        let claims = json!({
            "iss": URL, "aud": "sigstore", "sub": "1", "email": "a@example.com", "email_verified": true,
            "iat": NOW, "exp": NOW + 300,
        });
        let Value::Object(mut claims) = claims else { unreachable!() };
        change(&mut claims);
        let keys = self.keys.lock().unwrap();
        let (key_id, key) = &keys[0];
        let input = signing_input(JwtAlgorithm::Es256, key_id, &claims);
        let der = key.sign(Scheme::EcdsaP256Sha256, Payload::Message(input.as_bytes())).unwrap();
        format!("{input}.{}", base64::encode_url(raw(&der)))
    }

    fn fetches(&self) -> usize {
        self.fetched.lock().unwrap().len()
    }
}

/// The two numbers of a DER signature, 32 bytes each.
fn raw(der: &[u8]) -> Vec<u8> {
    let number = |at: usize| {
        let length = usize::from(der[at + 1]);
        let number = &der[at + 2..at + 2 + length];
        let mut padded = vec![0; 32];
        padded.extend_from_slice(number);
        (padded[padded.len() - 32..].to_vec(), at + 2 + length)
    };
    let (r, next) = number(2);
    [r, number(next).0].concat()
}

#[async_trait]
impl Fetch for FalseIssuer {
    async fn get(&self, url: &str, _: Option<&str>, _: usize) -> Result<Vec<u8>, FetchError> {
        self.fetched.lock().unwrap().push(url.to_owned());
        self.documents.lock().unwrap().get(url).cloned().ok_or_else(|| FetchError("status 404".to_owned()))
    }
}

fn email_issuer() -> Issuer {
    Issuer {
        url: URL.to_owned(),
        is_matched: false,
        client_id: "sigstore".to_owned(),
        provider: Provider::Email { unverified: false },
        issuer_claim: None,
        challenge_claim: "email".into(),
        allowed: None,
        allowed_repositories: None,
        tls_authorities: None,
    }
}

fn verifier(issuer: &Arc<FalseIssuer>, clock: &Arc<ManualClock>, config: Issuer) -> Verifier {
    let mut issuers = Issuers::default();
    issuers.add(config).unwrap();
    let keys = KeySource::new(Arc::clone(issuer) as Arc<dyn Fetch>);
    Verifier::new(issuers, keys, Arc::clone(clock) as Arc<dyn Clock>)
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW as u64))
}

#[tokio::test]
async fn a_sound_token_is_its_bearers() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let identity = verifier(&issuer, &clock, email_issuer()).verify(&issuer.token(|_| {})).await.unwrap();
    assert_eq!(identity.name, SubjectAltName::Email("a@example.com".to_owned()));
    assert_eq!(identity.challenge, "a@example.com");
    let extensions = [(1, URL), (8, URL), (24, "1")].map(|(n, value)| (n, value.to_owned()));
    assert_eq!(identity.extensions, extensions.into());
}

#[tokio::test]
async fn errors_name_the_claim_and_what_was_wanted() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let verifier = verifier(&issuer, &clock, email_issuer());
    let set = |name: &'static str, value: Value| {
        issuer.token(|claims| {
            claims.insert(name.to_owned(), value);
        })
    };
    let cases = [
        (
            set("iss", json!("https://stranger.example")),
            "claim `iss` is `https://stranger.example`, which is not",
        ),
        (set("iss", json!(7)), "claim `iss` is `7`, wanted text"),
        (set("aud", json!("other")), r#"claim `aud` is `"other"`, wanted `sigstore`"#),
        (set("aud", json!(["a", "b"])), r#"claim `aud` is `["a","b"]`, wanted `sigstore`"#),
        (set("aud", Value::Null), "claim `aud` is missing or empty"),
        (set("email_verified", json!(false)), "claim `email_verified` is `false`, wanted `true`"),
        (set("email_verified", json!("yes")), r#"claim `email_verified` is `"yes"`, wanted `true`"#),
        (set("email_verified", Value::Null), "claim `email_verified` is missing or empty"),
        (set("email", json!("")), "claim `email` is missing or empty"),
        (set("email", Value::Null), "claim `email` is missing or empty"),
        (set("email", json!(["a@b.c"])), r#"claim `email` is `["a@b.c"]`, wanted text"#),
        (set("email", json!("a@b@c")), r#"claim `email` is `"a@b@c"`, wanted a plain e-mail address"#),
        (set("exp", json!(NOW - 30)), "claim `exp` is 1794999970, wanted a time after 1795000000"),
        (set("exp", Value::Null), "claim `exp` is missing or empty"),
        (set("exp", json!("1795000300")), r#"claim `exp` is `"1795000300"`, wanted a time in seconds"#),
        (set("exp", json!(1e300)), "claim `exp` is `1e+300`, wanted a time in seconds"),
        (set("nbf", json!(NOW + 31)), "claim `nbf` is 1795000031, wanted a time before 1795000000"),
        (set("iat", json!("soon")), r#"claim `iat` is `"soon"`, wanted a time in seconds"#),
        (set("sub", json!("")), "claim `sub` is missing or empty"),
    ];
    for (token, why) in cases {
        let error = verifier.verify(&token).await.unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
    }
    let within_skew = [set("exp", json!(NOW - 29)), set("nbf", json!(NOW + 30))];
    let as_providers_say_it = [set("email_verified", json!("true")), set("nbf", Value::Null)];
    for token in within_skew.into_iter().chain(as_providers_say_it) {
        verifier.verify(&token).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_of_another_key_or_with_other_claims_is_not_believed() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let verifier = verifier(&issuer, &clock, email_issuer());
    let token = issuer.token(|_| {});
    let parts: Vec<&str> = token.split('.').collect();
    let forged = base64::encode_url(
        String::from_utf8(base64::decode_url(parts[1]).unwrap()).unwrap().replace("a@example", "b@example"),
    );
    let forged = format!("{}.{forged}.{}", parts[0], parts[2]);
    assert_eq!(verifier.verify(&forged).await, Err(TokenError::Token(JwtError::SignatureInvalid)));
    issuer.rotate("first");
    let other_key = issuer.token(|_| {});
    assert_eq!(verifier.verify(&other_key).await, Err(TokenError::Token(JwtError::SignatureInvalid)));
}

/// Whoever may send a token writes no lines of his own into the authority's log.
#[tokio::test]
async fn what_a_stranger_wrote_is_said_in_short_and_on_one_line() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let verifier = verifier(&issuer, &clock, email_issuer());
    let odd = format!("a\n2026-11-22 ERROR forged \u{202e}{}", "a".repeat(9_000));
    let claims = json!({ "iss": odd }).to_string();
    let quoted = json!(odd).to_string();
    for (header, claims) in [
        (json!({ "alg": odd }).to_string(), "{}".to_owned()),
        (r#"{"alg":"ES256"}"#.to_owned(), claims),
        (r#"{"alg":"ES256"}"#.to_owned(), format!(r#"{{{quoted}:1,{quoted}:2}}"#)),
    ] {
        let token = format!("{}.{}.AAAA", base64::encode_url(header), base64::encode_url(claims));
        let said = verifier.verify(&token).await.unwrap_err().to_string();
        assert!(said.contains("forged") && said.len() < 300, "{said}");
        assert!(!said.contains(['\n', '\u{202e}']), "{said:?}");
    }
}

#[tokio::test]
async fn keys_are_fetched_once_an_hour_and_for_an_unknown_key_but_not_at_a_strangers_pace() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let verifier = verifier(&issuer, &clock, email_issuer());
    let token =
        |issuer: &FalseIssuer| issuer.token(|claims| drop(claims.insert("exp".into(), json!(NOW * 2))));
    for _ in 0..3 {
        verifier.verify(&token(&issuer)).await.unwrap();
    }
    assert_eq!(issuer.fetches(), 2, "one discovery document and one key set");
    issuer.rotate("second");
    let unknown = Err(TokenError::UnknownKey { key_id: "second".to_owned() });
    for _ in 0..5 {
        assert_eq!(verifier.verify(&token(&issuer)).await, unknown, "asked a moment ago");
    }
    assert_eq!(issuer.fetches(), 2);
    clock.advance(Duration::from_secs(15));
    verifier.verify(&token(&issuer)).await.unwrap();
    assert_eq!(issuer.fetches(), 4);
    clock.advance(Duration::from_secs(30 * 60));
    verifier.verify(&token(&issuer)).await.unwrap();
    // Nobody waits for it: it happens beside.
    while issuer.fetches() < 6 {
        tokio::task::yield_now().await;
    }
    verifier.verify(&token(&issuer)).await.unwrap();
    assert_eq!(issuer.fetches(), 6);
}

/// It may be the issuer's newest key: nobody can say that it has none of that name.
#[tokio::test]
async fn a_new_key_during_an_outage_is_one_that_cannot_be_had() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let verifier = verifier(&issuer, &clock, email_issuer());
    let old = issuer.token(|_| {});
    verifier.verify(&old).await.unwrap();
    issuer.rotate("second");
    issuer.documents.lock().unwrap().clear();
    clock.advance(Duration::from_secs(15));
    let error = verifier.verify(&issuer.token(|_| {})).await.unwrap_err();
    assert!(matches!(&error, TokenError::KeysUnavailable { why, .. } if why == "status 404"), "{error}");
    verifier.verify(&old).await.unwrap();
}

/// Who has no traffic for hours must not believe a key that was withdrawn meanwhile.
#[tokio::test]
async fn a_withdrawn_key_is_not_believed_after_an_hour() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let verifier = verifier(&issuer, &clock, email_issuer());
    let token = issuer.token(|claims| drop(claims.insert("exp".into(), json!(NOW * 2))));
    verifier.verify(&token).await.unwrap();
    issuer.rotate("second");
    clock.advance(Duration::from_secs(60 * 60));
    let unknown = Err(TokenError::UnknownKey { key_id: "first".to_owned() });
    assert_eq!(verifier.verify(&token).await, unknown);
}

/// Tokens that nobody signed, of issuers that match the pattern of a meta issuer.
#[tokio::test]
async fn strangers_do_not_push_out_the_keys_of_known_issuers_nor_have_us_ask_at_their_pace() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let mut issuers = Issuers::from_yaml(
        "meta-issuers:\n  https://*.meta.example:\n    client-id: sigstore\n    type: email\n",
    )
    .unwrap();
    issuers.add(email_issuer()).unwrap();
    let keys = KeySource::new(Arc::clone(&issuer) as Arc<dyn Fetch>);
    let verifier = Verifier::new(issuers, keys, Arc::clone(&clock) as Arc<dyn Clock>);
    let good = issuer.token(|_| {});
    verifier.verify(&good).await.unwrap();
    let before = issuer.fetches();
    for n in 0..2 * MAX_MATCHED {
        let stranger = format!("https://x{n}.meta.example");
        let token = issuer.token(|claims| drop(claims.insert("iss".into(), json!(stranger))));
        let error = verifier.verify(&token).await.unwrap_err();
        assert!(matches!(error, TokenError::KeysUnavailable { .. }), "{error}");
    }
    assert_eq!(issuer.fetches() - before, 120, "so many a minute");
    issuer.documents.lock().unwrap().clear();
    clock.advance(Duration::from_secs(61));
    verifier.verify(&good).await.unwrap();
}

#[tokio::test]
async fn an_outage_of_the_issuer_is_outlasted_for_a_day() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let verifier = verifier(&issuer, &clock, email_issuer());
    let token = issuer.token(|claims| drop(claims.insert("exp".into(), json!(NOW * 2))));
    verifier.verify(&token).await.unwrap();
    issuer.documents.lock().unwrap().clear();
    clock.advance(Duration::from_secs(23 * 60 * 60));
    verifier.verify(&token).await.unwrap();
    clock.advance(Duration::from_secs(60 * 60));
    let error = verifier.verify(&token).await.unwrap_err().to_string();
    assert_eq!(error, format!("the keys of issuer `{URL}` cannot be fetched: status 404"));
}

#[tokio::test]
async fn documents_of_somebody_else_are_not_believed() {
    let cases = [
        (
            json!({ "issuer": "https://other.example", "jwks_uri": format!("{URL}/keys") }),
            "is of issuer `https://other.example`",
        ),
        (json!({ "issuer": URL, "jwks_uri": "http://issuer.example/keys" }), "not at an https URL"),
        (json!({ "issuer": URL, "jwks_uri": "http://127.0.0.1:1/keys" }), "not at an https URL"),
        (json!({ "issuer": URL, "jwks_uri": "file:///etc/passwd" }), "not at an https URL"),
        (json!({ "issuer": URL, "jwks_uri": "https://:5000/keys" }), "not at an https URL"),
        (json!({ "issuer": URL }), "malformed JSON"),
    ];
    for (document, why) in cases {
        let (issuer, clock) = (FalseIssuer::new(), clock());
        issuer.publish("/.well-known/openid-configuration", &document);
        let verifier = verifier(&issuer, &clock, email_issuer());
        let error = verifier.verify(&issuer.token(|_| {})).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn key_sets_are_bounded_and_keys_for_other_uses_left_out() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let mut jwk: Map<String, Value> =
        serde_json::from_slice(&encode_public(key.public_key(), PublicFormat::Jwk).unwrap()).unwrap();
    let set = |keys: Vec<&Map<String, Value>>| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
    assert!(format!("{:?}", set(vec![&jwk]).unwrap()).contains("PublicKey"));
    assert!(set(vec![&jwk; 64]).is_ok());
    assert_eq!(set(vec![&jwk; 65]).unwrap_err(), "the key set has more than 64 keys");
    jwk.insert("use".into(), json!("enc"));
    assert!(!format!("{:?}", set(vec![&jwk]).unwrap()).contains("PublicKey"));
    assert!(KeySet::parse(&vec![b' '; 256 * 1024 + 1]).is_err());
}

#[tokio::test]
async fn only_identities_that_are_allowed_get_certificates() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let ours = Issuer { allowed: Some(vec![Identities::new("*@example.org")]), ..email_issuer() };
    let error = verifier(&issuer, &clock, ours).verify(&issuer.token(|_| {})).await.unwrap_err();
    assert_eq!(error, TokenError::NotAllowed { identity: "a@example.com".to_owned() });
    let theirs = Issuer { allowed: Some(vec![Identities::new("*@example.com")]), ..email_issuer() };
    verifier(&issuer, &clock, theirs).verify(&issuer.token(|_| {})).await.unwrap();
    let builds =
        Issuer { allowed_repositories: Some(vec![Identities::new("https://e.org/*")]), ..email_issuer() };
    let error = verifier(&issuer, &clock, builds).verify(&issuer.token(|_| {})).await.unwrap_err();
    assert_eq!(error, TokenError::RepositoryNotAllowed { repository: String::new() });
}

/// Who has just removed the last of them does not mean everybody.
#[tokio::test]
async fn a_list_without_identities_admits_nobody() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    for nobody in [
        Issuer { allowed: Some(Vec::new()), ..email_issuer() },
        Issuer { allowed_repositories: Some(Vec::new()), ..email_issuer() },
    ] {
        verifier(&issuer, &clock, nobody).verify(&issuer.token(|_| {})).await.unwrap_err();
    }
}

/// Dex says which provider it has asked. It is not to certify for another issuer whom this one would not.
#[tokio::test]
async fn a_broker_that_names_a_configured_issuer_does_not_get_past_its_rules() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let mail = |domain: &str| {
        format!(
            "  https://{domain}:\n    client-id: sigstore\n    type: email\n    allowed-identities: ['*@{domain}']\n"
        )
    };
    let yaml = format!(
        "oidc-issuers:\n{}{}  https://ci.example:\n    client-id: sigstore\n    type: github-workflow\n",
        mail("example.com"),
        mail("acme.example"),
    );
    let mut issuers = Issuers::from_yaml(&yaml).unwrap();
    let path = ["federated_claims", "connector_id"];
    issuers.add(Issuer { issuer_claim: Some(path.into()), ..email_issuer() }).unwrap();
    let keys = KeySource::new(Arc::clone(&issuer) as Arc<dyn Fetch>);
    let verifier = Verifier::new(issuers, keys, Arc::clone(&clock) as Arc<dyn Clock>);
    let behind = |named: &str| {
        let connector = json!({ "connector_id": named });
        issuer.token(|claims| {
            // A flat claim of the same name, which whoever can add claims may set, counts for nothing.
            claims.insert("federated_claims.connector_id".into(), json!("https://acme.example"));
            claims.insert("federated_claims".into(), connector);
        })
    };
    for named in ["https://example.com", "https://elsewhere.example", URL] {
        let identity = verifier.verify(&behind(named)).await.unwrap();
        assert_eq!(identity.extensions[&8], named);
    }
    let theirs = verifier.verify(&behind("https://acme.example")).await;
    assert_eq!(theirs, Err(TokenError::NotAllowed { identity: "a@example.com".to_owned() }));
    let other_kind = verifier.verify(&behind("https://ci.example")).await.unwrap_err().to_string();
    assert!(other_kind.starts_with("claim `federated_claims.connector_id` is"), "{other_kind}");
}

/// What people and rules read in a certificate is short, and shows as what it is.
#[tokio::test]
async fn text_that_shows_as_something_else_is_not_certified() {
    let (issuer, clock) = (FalseIssuer::new(), clock());
    let broker = Issuer { issuer_claim: Some("broker".into()), ..email_issuer() };
    let verifier = verifier(&issuer, &clock, broker);
    let token = |claim: &str, text: &str| {
        issuer.token(|claims| {
            claims.insert("broker".into(), json!("b"));
            claims.insert(claim.into(), json!(text));
        })
    };
    for claim in ["broker", "sub"] {
        verifier.verify(&token(claim, &"a".repeat(2_048))).await.unwrap();
        for text in ["a\nb", "a\0", "a\u{202e}b", "\u{2066}a", "a\u{200f}", &"a".repeat(2_049)] {
            let error = verifier.verify(&token(claim, text)).await.unwrap_err();
            assert!(matches!(error, TokenError::Unfit { .. }), "{claim}: {error}");
        }
    }
    let users = Provider::username("https://login.example.org", "example.org").unwrap();
    for user in ["a b", "a\u{202e}b", "a\tb", "a\u{a0}b"] {
        assert!(identity(users.clone(), json!({ "sub": user })).is_err(), "{user}");
    }
}

/// A workflow of ours that may be called from elsewhere names us, whoever calls it.
#[test]
fn who_calls_our_public_workflow_is_kept_out_by_the_repository() {
    let claims = json!({ "source": "evil/app", "sub": "s" });
    let yaml = r#"
oidc-issuers:
  https://ci.example:
    client-id: sigstore
    type: ci-provider
    ci-provider: ci
    allowed-identities: ["https://h/acme/*"]
    allowed-repositories: ["https://h/acme/*"]
ci-issuer-metadata:
  ci:
    extension-templates: { source-repository-uri: "https://h/{{ .source }}" }
    subject-alternative-name-template: "{{ if eq .sub \"s\" }}https://h/acme/shared{{ end }}"
"#;
    let issuer = Issuers::from_yaml(yaml).unwrap().find("https://ci.example").unwrap();
    let Value::Object(claims) = claims else { unreachable!() };
    let identity = Identity::of(&issuer, &Claims::new(claims)).unwrap();
    assert_eq!(identity.name, uri("https://h/acme/shared"));
    let refused = TokenError::RepositoryNotAllowed { repository: "https://h/evil/app".to_owned() };
    assert_eq!(issuer.admit(&identity), Err(refused));
}

/// The identity of a token with these claims of an issuer of this kind.
fn identity(provider: Provider, claims: Value) -> Result<Identity, TokenError> {
    identity_at(URL, provider, claims)
}

/// The same of an issuer with this URL.
fn identity_at(url: &str, provider: Provider, claims: Value) -> Result<Identity, TokenError> {
    let Value::Object(claims) = claims else { unreachable!() };
    let issuer = Issuer { url: url.to_owned(), provider, challenge_claim: "sub".into(), ..email_issuer() };
    Identity::of(&issuer, &Claims::new(claims))
}

fn uri(text: &str) -> SubjectAltName {
    SubjectAltName::Uri(text.to_owned())
}

#[test]
fn github_tokens_are_certified_as_fulcio_does() {
    let sha = "a".repeat(40);
    let claims = json!({
        "sub": "repo:o/r:ref:refs/heads/main", "repository": "o/r", "repository_owner": "o", "repository_id": "1",
        "repository_owner_id": "2", "repository_visibility": "public", "workflow": "Release", "ref": "refs/heads/main",
        "sha": sha, "event_name": "push", "runner_environment": "github-hosted", "run_id": "3", "run_attempt": "4",
        "workflow_ref": "o/r/.github/workflows/a.yml@refs/heads/main", "workflow_sha": sha,
        "job_workflow_ref": "o/s/.github/workflows/b.yml@refs/tags/v1", "job_workflow_sha": "b".repeat(40),
        // A claim of this name does not move the service elsewhere.
        "#base": "https://evil.example",
    });
    let provider = Provider::of_table("github-workflow").unwrap();
    let identity = identity_at(GITHUB, provider.clone(), claims.clone()).unwrap();
    assert_eq!(identity.name, uri("https://github.com/o/s/.github/workflows/b.yml@refs/tags/v1"));
    let wanted = [
        (1, GITHUB),
        (2, "push"),
        (3, sha.as_str()),
        (4, "Release"),
        (5, "o/r"),
        (6, "refs/heads/main"),
        (8, GITHUB),
        (9, "https://github.com/o/s/.github/workflows/b.yml@refs/tags/v1"),
        (10, &"b".repeat(40)),
        (11, "github-hosted"),
        (12, "https://github.com/o/r"),
        (13, &sha),
        (14, "refs/heads/main"),
        (15, "1"),
        (16, "https://github.com/o"),
        (17, "2"),
        (18, "https://github.com/o/r/.github/workflows/a.yml@refs/heads/main"),
        (19, &sha),
        (20, "push"),
        (21, "https://github.com/o/r/actions/runs/3/attempts/4"),
        (22, "public"),
        (24, "repo:o/r:ref:refs/heads/main"),
    ];
    assert_eq!(identity.extensions, wanted.map(|(n, value)| (n, value.to_owned())).into());
    for needed in ["job_workflow_ref", "sha", "repository_id", "run_attempt"] {
        let mut without = claims.clone();
        without.as_object_mut().unwrap().remove(needed);
        let missing = TokenError::MissingClaim { claim: needed.to_owned() };
        assert_eq!(identity_at(GITHUB, provider.clone(), without), Err(missing));
    }
    // A GitHub Enterprise Server has an `o/r` of its own.
    let enterprise =
        identity_at("https://git.example/_services/token", provider.clone(), claims.clone()).unwrap();
    assert_eq!(enterprise.name, uri("https://git.example/o/s/.github/workflows/b.yml@refs/tags/v1"));
    assert_eq!(enterprise.extensions[&12], "https://git.example/o/r");
    let slug = identity_at(&format!("{GITHUB}/acme"), provider.clone(), claims.clone()).unwrap();
    assert_eq!(slug.extensions[&16], "https://github.com/o");
    let mut odd = claims;
    odd["job_workflow_ref"] = json!("o/s/../../b");
    assert_eq!(
        identity_at(GITHUB, provider, odd).unwrap_err().to_string(),
        "what claim `job_workflow_ref` makes, `https://github.com/o/s/../../b`, is not a URL"
    );
}

#[test]
fn gitlab_tokens_are_certified_for_the_gitlab_that_issued_them() {
    let claims = json!({
        "sub": "project_path:g/p:ref_type:tag:ref:v1", "project_path": "g/p", "project_id": "1", "namespace_path": "g",
        "namespace_id": "2", "ref": "v1", "ref_type": "tag", "sha": "c", "pipeline_source": "push", "job_id": "9",
        "ci_config_ref_uri": "git.example/g/p//.gitlab-ci.yml@refs/tags/v1", "ci_config_sha": "d",
        "runner_environment": "gitlab-hosted", "project_visibility": "private", "environment": "prod",
    });
    // Known by the pattern of a meta issuer: it is the GitLab, not the pattern, that is at home.
    let yaml =
        "meta-issuers:\n  https://*.git.example:\n    client-id: sigstore\n    type: gitlab-pipeline\n";
    let issuer = Issuers::from_yaml(yaml).unwrap().find("https://a.git.example").unwrap();
    let Value::Object(object) = claims.clone() else { unreachable!() };
    assert_eq!(
        Identity::of(&issuer, &Claims::new(object)).unwrap().extensions[&12],
        "https://a.git.example/g/p"
    );

    let provider = Provider::of_table("gitlab-pipeline").unwrap();
    let identity = identity_at("https://git.example/", provider.clone(), claims.clone()).unwrap();
    assert_eq!(identity.name, uri("https://git.example/g/p//.gitlab-ci.yml@refs/tags/v1"));
    let says = |n: u8| identity.extensions[&n].as_str();
    assert_eq!(says(12), "https://git.example/g/p");
    assert_eq!(says(14), "refs/tags/v1");
    assert_eq!(says(16), "https://git.example/g");
    assert_eq!(says(21), "https://git.example/g/p/-/jobs/9");
    assert_eq!((says(22), says(23)), ("private", "prod"));
    let mut odd = claims;
    odd["ci_config_sha"] = Value::Null;
    let elsewhere = self::identity(provider.clone(), odd.clone()).unwrap();
    assert!(!elsewhere.extensions.contains_key(&10) && !elsewhere.extensions.contains_key(&19));
    odd["ref_type"] = json!("merge");
    let error = self::identity(provider, odd).unwrap_err().to_string();
    assert_eq!(error, r#"claim `ref_type` is `"merge"`, wanted `branch` or `tag`"#);
}

#[test]
fn kubernetes_spiffe_uri_and_user_names_are_checked_against_their_home() {
    let account = |sub: &str| json!({ "sub": sub, "kubernetes.io": { "namespace": "ns", "serviceaccount": { "name": "sa" } } });
    let good = identity(Provider::Kubernetes, account("system:serviceaccount:ns:sa")).unwrap();
    assert_eq!(good.name, uri("https://kubernetes.io/namespaces/ns/serviceaccounts/sa"));
    assert!(identity(Provider::Kubernetes, account("system:serviceaccount:other:sa")).is_err());

    let spiffe = Provider::Spiffe { trust_domain: "example.org".to_owned() };
    let of = |provider: &Provider, sub: &str| identity(provider.clone(), json!({ "sub": sub }));
    assert_eq!(of(&spiffe, "spiffe://example.org/a").unwrap().name, uri("spiffe://example.org/a"));
    for stranger in
        ["spiffe://example.org.evil/a", "spiffe://evil/example.org/", "spiffe://example.org/a/../b", "a"]
    {
        assert!(of(&spiffe, stranger).is_err(), "{stranger}");
    }
    let below = Provider::Uri { domain: "https://example.org".to_owned() };
    assert_eq!(of(&below, "https://example.org/users/1").unwrap().name, uri("https://example.org/users/1"));
    for stranger in ["https://example.org.evil/1", "http://example.org/1", "https://example.org@evil/1"] {
        assert!(of(&below, stranger).is_err(), "{stranger}");
    }
    let up = json!({
        "sub": "system:serviceaccount:..:sa",
        "kubernetes.io": { "namespace": "..", "serviceaccount": { "name": "sa" } },
    });
    assert!(identity(Provider::Kubernetes, up).is_err());
    let team = Provider::Uri { domain: "https://example.org/team".to_owned() };
    for out in ["https://example.org/team/../other", "https://example.org/team/%2E%2e/other"] {
        assert!(of(&team, out).is_err(), "{out}");
    }
    let users = Provider::username("https://login.example.org", "example.org").unwrap();
    let named = SubjectAltName::OtherName { username: "a!example.org".to_owned() };
    assert_eq!(of(&users, "a").unwrap().name, named);
    assert!(of(&users, "a!other").is_err() && of(&users, "a@b").is_err());
    assert!(Provider::username("https://login.example.org", "example.com").is_err());
}

#[test]
fn the_other_services_of_the_table_are_named() {
    let buildkite = json!({ "sub": "s", "organization_slug": "o", "pipeline_slug": "p", "build_number": 7, "job_id": "j" });
    let job = identity(Provider::of_table("buildkite-job").unwrap(), buildkite).unwrap();
    assert_eq!(job.name, uri("https://buildkite.com/o/p"));
    assert_eq!(job.extensions[&21], "https://buildkite.com/o/p/builds/7#j");
    let of = |name: &str| format!("oidc.circleci.com/{name}");
    let circle = json!({
        "sub": "s", of("project-id"): "p", of("pipeline-definition-id"): "d", of("pipeline-id"): "i",
        of("workflow-id"): "w", of("job-id"): "j",
    });
    let job = identity(Provider::of_table("circleci-job").unwrap(), circle).unwrap();
    assert_eq!(job.name, uri("https://circleci.com/api/v2/projects/p/pipeline-definitions/d"));
    assert_eq!((job.extensions[&11].as_str(), job.extensions.get(&12)), ("\"\"", None));
    let codefresh = json!({ "sub": "s", "account_name": "a", "pipeline_name": "n", "account_id": "1", "pipeline_id": "2", "workflow_id": "3" });
    let job = identity(Provider::of_table("codefresh-workflow").unwrap(), codefresh).unwrap();
    assert_eq!(job.name, uri("https://g.codefresh.io/a/n:1/2"));
    let own = json!({ "sub": "s", "account_name": "a", "pipeline_name": "n", "account_id": "1", "pipeline_id": "2", "workflow_id": "3", "platform_url": "https://cf.example/x" });
    let job = identity(Provider::of_table("codefresh-workflow").unwrap(), own).unwrap();
    assert_eq!(job.name, uri("https://cf.example/x/a/n:1/2"));
    assert!(Provider::of_table("none").is_none());
}

#[test]
fn claims_that_do_not_fit_a_certificate_are_refused() {
    let users = |sub: &str| identity(Provider::Uri { domain: "https://e.org".into() }, json!({ "sub": sub }));
    assert_eq!(users("https://e.org/a b\u{e9}").unwrap().name, uri("https://e.org/a%20b%C3%A9"));
    assert!(users("https://e.org/a?b c").is_err());
    assert!(users("https://e.org/%").is_err());
    assert!(users(&format!("https://e.org/{}", "a".repeat(2_048))).is_err());
}

#[tokio::test]
async fn the_development_issuers_tokens_are_believed_in_all_their_shapes() {
    let dir = tempfile::tempdir().unwrap();
    let dev = DevIssuer::open(&Disk::default(), dir.path(), "http://127.0.0.1:5000/oidc-dev").unwrap();
    let mut issuers = Issuers::default();
    dev.issuers().into_iter().for_each(|issuer| issuers.add(issuer).unwrap());
    let own = issuers.iter().map(|(issuer, _)| (issuer.url.clone(), dev.keys())).collect();
    let keys = KeySource::with_own(FalseIssuer::new(), own);
    let verifier = Verifier::new(issuers, keys, clock());
    let bearers = [
        (Bearer::Email("a@b.c".into()), "a@b.c"),
        (
            Bearer::GitHub {
                repository: "o/r".into(),
                workflow: "w.yml".into(),
                reference: "refs/heads/m".into(),
            },
            "https://github.com/o/r/.github/workflows/w.yml@refs/heads/m",
        ),
        (
            Bearer::GitLab { project: "g/p".into(), reference: "refs/tags/v".into() },
            "https://gitlab.com/g/p//.gitlab-ci.yml@refs/tags/v",
        ),
        (
            Bearer::Kubernetes { namespace: "n".into(), account: "s".into() },
            "https://kubernetes.io/namespaces/n/serviceaccounts/s",
        ),
    ];
    for (bearer, name) in bearers {
        let identity = verifier.verify(&dev.mint(&bearer, NOW).unwrap()).await.unwrap();
        assert_eq!(identity.name.text(), Some(name));
        assert!(identity.issuer.starts_with("http://127.0.0.1:5000/oidc-dev/"));
    }
    let again = DevIssuer::open(&Disk::default(), dir.path(), "http://127.0.0.1:5000/oidc-dev").unwrap();
    let token = again.mint(&Bearer::Email("a@b.c".into()), NOW).unwrap();
    verifier.verify(&token).await.unwrap();
    let documents = (again.key_set().unwrap().to_string(), again.discovery("email").unwrap());
    assert!(KeySet::parse(documents.0.as_bytes()).is_ok());
    assert_eq!(documents.1["issuer"], "http://127.0.0.1:5000/oidc-dev/email");
    assert_eq!(again.discovery("other"), None);
}

#[test]
fn a_development_issuer_is_on_loopback_only() {
    let dir = tempfile::tempdir().unwrap();
    for url in [
        "http://10.0.0.1/x",
        "https://127.0.0.1/x",
        "http://127.0.0.1.evil.net",
        "http://127.0.0.1:1@evil.net",
    ] {
        assert!(DevIssuer::open(&Disk::default(), dir.path(), url).is_err(), "{url}");
    }
    for url in ["http://localhost:1/x", "http://[::1]:5/x", "http://[::1]/x", "http://127.0.0.1"] {
        assert!(DevIssuer::open(&Disk::default(), dir.path(), url).is_ok(), "{url}");
    }
}
