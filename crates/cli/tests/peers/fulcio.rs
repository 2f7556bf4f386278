//! What certificates say of a token: fulcio and Signet, configured by the same file, are shown the same tokens.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use signet_crypto::{KeyAlgorithm, Scheme};
use signet_formats::jwt::{JwtAlgorithm, signing_input};
use signet_formats::x509::{Certificate, oid};
use signet_formats::{base64, pem};
use signet_keys::{Payload, PrivateKey, PublicFormat, encode_public};
use signet_testkit::{Peer, Program, Sandbox, Shelf, free_address, peers, request};

use crate::authorities::Authority;

#[test]
fn certificates_say_of_every_kind_of_token_what_fulcios_say_to_the_byte() {
    let Some([fulcio]) = peers(["fulcio"]) else { return };
    let setting = Setting::start(&fulcio);
    for (kind, claims) in tokens() {
        let token = setting.token(kind, &claims);
        let challenge =
            claims.get(if is_mail(kind) { "email" } else { "sub" }).and_then(Value::as_str).unwrap();
        let [ours, theirs] = setting.both(&token, challenge).map(|answer| said(&answer.unwrap()));
        let home = |value: &[u8]| setting.at_home_elsewhere(kind, value);
        let theirs: BTreeMap<u32, Vec<u8>> = theirs.into_iter().map(|(n, value)| (n, home(&value))).collect();
        assert!([0, 1, 8, 24].iter().all(|n| ours.contains_key(n)), "{kind}: {ours:?}");
        for n in [ours.keys(), theirs.keys()].into_iter().flatten() {
            let text =
                |said: &BTreeMap<u32, Vec<u8>>| said.get(n).map(|value| value.escape_ascii().to_string());
            assert_eq!(text(&ours), text(&theirs), "{kind}: {n} of {claims}");
        }
    }
}

#[test]
fn tokens_that_fulcio_refuses_get_no_certificate_here_either() {
    let Some([fulcio]) = peers(["fulcio"]) else { return };
    let setting = Setting::start(&fulcio);
    let email = |address: &str| json!({ "sub": "1", "email": address, "email_verified": true });
    let spiffe = |path: &str| json!({ "sub": format!("spiffe://127.0.0.1{path}") });
    let mut refused: Vec<(&str, Value)> =
        [".a@b.c", "a..b@c.d", "a(c)@b.c", "a:b@c.d", "a@b.c:1", "a@[1.2.3.4]", "a@b"]
            .map(|it| ("email", email(it)))
            .into();
    refused.extend(["/a/../b", "//a", "/a/", "/a?x", "/a#f", "/a%2fb"].map(|it| ("spiffe", spiffe(it))));
    refused.push(("email", json!({ "sub": "1", "email": "a@b.c", "email_verified": "no" })));
    refused.push(("gitlab-pipeline", with(gitlab(), "ref_type", json!("merge"))));
    for missing in ["job_workflow_ref", "sha", "repository_id", "run_attempt"] {
        refused.push(("github-workflow", with(github(), missing, Value::Null)));
    }
    for (kind, claims) in refused {
        let token = setting.token(kind, &claims);
        let challenge =
            claims.get(if is_mail(kind) { "email" } else { "sub" }).and_then(Value::as_str).unwrap();
        for answer in setting.both(&token, challenge) {
            assert!(answer.is_err(), "{kind}: {claims}");
        }
    }
}

/// Kinds of issuer as the configuration names them, and claims of tokens.
fn tokens() -> Vec<(&'static str, Value)> {
    let mut tokens = vec![
        ("email", json!({ "sub": "1", "email": "a.b+c@d.example", "email_verified": true })),
        ("email", json!({ "sub": "1", "email": "a@b.c", "email_verified": "true" })),
        ("kubernetes", kubernetes()),
        ("spiffe", json!({ "sub": "spiffe://127.0.0.1" })),
        ("spiffe", json!({ "sub": "spiffe://127.0.0.1/ns/a-b_c.d" })),
        ("uri", json!({ "sub": "http://127.0.0.1/users/\u{fc} b" })),
        ("gitlab-pipeline", gitlab()),
        ("gitlab-pipeline", with(gitlab(), "ci_config_sha", Value::Null)),
        ("gitlab-pipeline", with(gitlab(), "ref_type", json!("tag"))),
        ("codefresh-workflow", codefresh()),
        ("codefresh-workflow", with(codefresh(), "platform_url", json!("https://cf.example/x"))),
        ("codefresh-workflow", with(codefresh(), "pipeline_name", json!("a b/c#d"))),
        ("circleci", circleci()),
        ("buildkite", buildkite()),
        ("gitlab", with(gitlab(), "environment", json!("prod"))),
    ];
    for odd in [
        json!(123_456_789_012_345_u64),
        json!(12_345_678_901_234_567_890_u64),
        json!(1_000_000),
        json!(-0.25),
        json!(true),
        Value::Null,
        json!({ "b": [1, "x"], "a": null }),
    ] {
        tokens.push(("github", with(github(), "event_name", odd.clone())));
        tokens.push(("github", with(github(), "run_id", odd)));
    }
    // The claim inside counts, whatever flat one is beside it.
    let broker = json!({
        "sub": "1", "email": "a@b.c", "email_verified": true, "federated_claims.connector_id": "https://flat.example",
        "federated_claims": { "connector_id": "https://nested.example" },
    });
    tokens.push(("broker", broker));
    let odd = [
        "main",
        "feat#1",
        "a?b",
        "\u{fc}n\u{ef}",
        "it's (50+1)!",
        "a<b>\"c\"",
        "a{b}|c^`d`",
        "a%20b",
        "a&b;c,d=e$f@g:h",
    ];
    for name in odd {
        let job = format!("o/r/.github/workflows/my build.yml@refs/heads/{name}");
        let claims =
            with(with(github(), "job_workflow_ref", json!(job)), "ref", json!(format!("refs/heads/{name}")));
        tokens.push(("github-workflow", claims.clone()));
        tokens.push(("github", with(claims, "environment", json!("prod \u{fc}"))));
        let uri = format!("git.example/g/p//.gitlab-ci.yml@refs/heads/{name}");
        tokens.push(("gitlab-pipeline", with(gitlab(), "ci_config_ref_uri", json!(uri))));
    }
    tokens
}

fn github() -> Value {
    json!({
        "sub": "repo:o/r:ref:refs/heads/main", "repository": "o/r", "repository_owner": "o", "repository_id": "1",
        "repository_owner_id": "2", "repository_visibility": "public", "workflow": "Release \u{fc}", "ref": "refs/heads/main",
        "sha": "a".repeat(40), "event_name": "push", "runner_environment": "github-hosted", "run_id": "3", "run_attempt": "4",
        "workflow_ref": "o/r/.github/workflows/a b.yml@refs/heads/main", "workflow_sha": "a".repeat(40),
        "job_workflow_ref": "o/s/.github/workflows/b.yml@refs/tags/v1", "job_workflow_sha": "b".repeat(40),
    })
}

fn gitlab() -> Value {
    json!({
        "sub": "project_path:g/p:ref_type:branch:ref:v1", "project_path": "g/p", "project_id": "1", "namespace_path": "g",
        "namespace_id": "2", "ref": "v1", "ref_type": "branch", "sha": "c", "pipeline_source": "push", "pipeline_id": "8",
        "job_id": "9", "ci_config_ref_uri": "git.example/g/p//.gitlab-ci.yml@refs/heads/v1", "ci_config_sha": "d",
        "runner_id": 1, "runner_environment": "gitlab-hosted", "project_visibility": "private",
    })
}

fn codefresh() -> Value {
    json!({
        "sub": "s", "account_name": "a", "pipeline_name": "p/n", "account_id": "1", "pipeline_id": "2",
        "workflow_id": "3", "scm_ref": "main", "scm_repo_url": "https://git.example/x",
    })
}

fn kubernetes() -> Value {
    let account = json!({ "namespace": "ns", "serviceaccount": { "name": "sa" } });
    json!({ "sub": "system:serviceaccount:ns:sa", "kubernetes.io": account })
}

fn circleci() -> Value {
    let names = ["project-id", "pipeline-definition-id", "pipeline-id", "workflow-id", "job-id", "vcs-ref"];
    let claims = names.map(|name| (format!("oidc.circleci.com/{name}"), json!(format!("id of {name}"))));
    let mut claims = Map::from_iter(claims);
    claims.insert("sub".to_owned(), json!("s"));
    Value::Object(claims)
}

fn buildkite() -> Value {
    json!({
        "sub": "s", "organization_slug": "o", "pipeline_slug": "p q", "build_number": 7, "job_id": "j",
        "build_commit": "c", "build_source": "ui", "runner_environment": "self-hosted",
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

struct Setting {
    issuer: Shelf,
    issuer_key: PrivateKey,
    client_key: PrivateKey,
    ours: Authority,
    fulcio: String,
    _fulcio: Program,
    /// Where both keep their files.
    _sandbox: Sandbox,
}

impl Setting {
    fn start(fulcio: &Peer) -> Self {
        let sandbox = Sandbox::new();
        let issuer_key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let issuer = Shelf::of_documents(|url| documents(url, &issuer_key));
        sandbox.write("issuers.yaml", configuration(&format!("http://{}", issuer.address())));
        let ours = Authority::start_with(&sandbox, "ca", "ca", &["--issuers", "issuers.yaml"]);
        let ports = [(); 3].map(|()| free_address());
        let port = |at: usize| ports[at].rsplit(':').next().unwrap();
        let mut command = sandbox.command(fulcio);
        command.args(["serve", "--ca=ephemeralca", "--ct-log-url=", "--config-path=issuers.yaml"]);
        command.args([
            "--host=127.0.0.1",
            "--grpc-host=127.0.0.1",
            "--legacy-unix-domain-socket=fulcio.socket",
        ]);
        let named = [("port", port(0)), ("grpc-port", port(1)), ("metrics-port", port(2))];
        command.args(named.map(|(name, port)| format!("--{name}={port}")));
        let running = Program::start(&mut command, &ports[0]);
        let client_key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let fulcio = ports[0].clone();
        Self { issuer, issuer_key, client_key, ours, fulcio, _fulcio: running, _sandbox: sandbox }
    }

    fn token(&self, kind: &str, claims: &Value) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let issuer = format!("http://{}/{kind}", self.issuer.address());
        let mut all = claims.as_object().unwrap().clone();
        let common = json!({ "iss": issuer, "aud": "sigstore", "iat": now, "exp": now + 300 });
        all.extend(common.as_object().unwrap().clone());
        let input = signing_input(JwtAlgorithm::Es256, "key", &all);
        let signature =
            self.issuer_key.sign(Scheme::EcdsaP256Sha256, Payload::Message(input.as_bytes())).unwrap();
        format!("{input}.{}", base64::encode_url(two_numbers(&signature)))
    }

    /// What Signet and fulcio answer to the token: the certificate in PEM, or what else they say.
    fn both(&self, token: &str, challenge: &str) -> [Result<String, String>; 2] {
        let public = encode_public(self.client_key.public_key(), PublicFormat::Pem).unwrap();
        let proof =
            self.client_key.sign(Scheme::EcdsaP256Sha256, Payload::Message(challenge.as_bytes())).unwrap();
        let body = json!({
            "credentials": { "oidcIdentityToken": token },
            "publicKeyRequest": {
                "publicKey": { "algorithm": "ECDSA", "content": String::from_utf8(public).unwrap() },
                "proofOfPossession": base64::encode(proof),
            },
        })
        .to_string();
        let ours = self.ours.url().strip_prefix("http://").unwrap();
        [ours, &self.fulcio].map(|address| {
            let headers = [("content-type", "application/json")];
            let answer = request(address, "POST", "/api/v2/signingCert", &headers, body.as_bytes()).unwrap();
            let text = String::from_utf8(answer.body).unwrap();
            let json: Value = serde_json::from_str(&text).unwrap_or_default();
            let kinds = ["signedCertificateEmbeddedSct", "signedCertificateDetachedSct"];
            let chain =
                kinds.into_iter().find_map(|kind| json.get(kind)?.get("chain")?.get("certificates")?.get(0));
            chain.and_then(Value::as_str).map(str::to_owned).ok_or(text)
        })
    }

    /// Fulcio takes every issuer of type `github-workflow` for github.com, and of `gitlab-pipeline` for gitlab.com; to
    /// us they are at home where they issue from.
    fn at_home_elsewhere(&self, kind: &str, value: &[u8]) -> Vec<u8> {
        let origin = format!("http://{}", self.issuer.address());
        let (theirs, ours) = match kind {
            "github-workflow" => ("https://github.com", origin),
            "gitlab-pipeline" => ("https://gitlab.com", format!("{origin}/{kind}")),
            _ => return value.to_vec(),
        };
        let Some(at) = value.windows(theirs.len()).position(|window| window == theirs.as_bytes()) else {
            return value.to_vec();
        };
        // The text is all that is in it, after one tag or several and their lengths.
        let text = [ours.as_bytes(), &value[at + theirs.len()..]].concat();
        let tag = if at == 2 || at == 3 { 0x0c } else { 0x86 };
        let element = asn1(tag, &text);
        if tag == 0x0c { element } else { asn1(0x30, &element) }
    }
}

fn asn1(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head, content.to_vec()].concat()
}

/// The subject alternative name (0), and 1.3.6.1.4.1.57264.1.N by N.
fn said(certificate: &str) -> BTreeMap<u32, Vec<u8>> {
    let certificate = Certificate::from_der(&pem::single(certificate.as_bytes()).unwrap().contents).unwrap();
    let fulcio = |n: u32| const_oid::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1").push_arc(n).unwrap();
    let name = certificate.extension(oid::SUBJECT_ALT_NAME).map(|value| (0, value.to_vec()));
    let values = (1..40).filter_map(|n| Some((n, certificate.extension(fulcio(n))?.to_vec())));
    name.into_iter().chain(values).collect()
}

/// Discovery documents of all issuers, which share one key.
fn documents(url: &str, key: &PrivateKey) -> Vec<(String, Vec<u8>)> {
    let jwk = encode_public(key.public_key(), PublicFormat::Jwk).unwrap();
    let mut jwk: Map<String, Value> = serde_json::from_slice(&jwk).unwrap();
    jwk.extend([
        ("kid".to_owned(), json!("key")),
        ("alg".to_owned(), json!("ES256")),
        ("use".to_owned(), json!("sig")),
    ]);
    let mut documents = vec![("/keys".to_owned(), json!({ "keys": [jwk] }).to_string().into_bytes())];
    for (kind, _) in KINDS {
        let discovery = json!({
            "issuer": format!("{url}/{kind}"), "jwks_uri": format!("{url}/keys"),
            "authorization_endpoint": format!("{url}/login"), "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256"],
        });
        documents
            .push((format!("/{kind}/.well-known/openid-configuration"), discovery.to_string().into_bytes()));
    }
    documents
}

fn configuration(url: &str) -> String {
    let issuer = |(kind, more): &(&str, &str)| {
        let kind_of = match *kind {
            _ if more.starts_with("ci-provider") => "ci-provider",
            kind if is_mail(kind) => "email",
            kind => kind,
        };
        format!(
            "  {url}/{kind}: {{issuer-url: '{url}/{kind}', client-id: sigstore, type: {kind_of}, {more}}}\n"
        )
    };
    format!("oidc-issuers:\n{}{CI_PROVIDERS}", KINDS.iter().map(issuer).collect::<String>())
}

/// Whether it certifies an address, and has proofs made over it.
fn is_mail(kind: &str) -> bool {
    matches!(kind, "email" | "broker")
}

/// JOSE's form of a DER signature.
fn two_numbers(der: &[u8]) -> Vec<u8> {
    let number = |at: usize| {
        let end = at + 2 + usize::from(der[at + 1]);
        let padded = [vec![0; 32], der[at + 2..end].to_vec()].concat();
        (padded[padded.len() - 32..].to_vec(), end)
    };
    let (r, next) = number(2);
    [r, number(next).0].concat()
}

/// The path of an issuer, which is its type unless it is a `ci-provider`, and what else is said of it.
const KINDS: &[(&str, &str)] = &[
    ("email", ""),
    ("broker", "issuer-claim: $.federated_claims.connector_id"),
    ("kubernetes", ""),
    ("spiffe", "spiffe-trust-domain: 127.0.0.1"),
    ("uri", "subject-domain: 'http://127.0.0.1'"),
    ("github-workflow", ""),
    ("gitlab-pipeline", ""),
    ("codefresh-workflow", ""),
    ("github", "ci-provider: github"),
    ("gitlab", "ci-provider: gitlab"),
    ("buildkite", "ci-provider: buildkite"),
    ("circleci", "ci-provider: circleci"),
];

/// Templates of all the forms that Fulcio's public instance has.
const CI_PROVIDERS: &str = r#"
ci-issuer-metadata:
  github:
    default-template-values: { url: "https://github.com", environment: "" }
    extension-templates:
      github-workflow-trigger: event_name
      github-workflow-name: workflow
      github-workflow-ref: ref
      build-signer-uri: "{{ .url }}/{{ .job_workflow_ref }}"
      source-repository-ref: ref
      run-invocation-uri: "{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}"
      deployment-environment: environment
    subject-alternative-name-template: "{{ .url }}/{{ .job_workflow_ref }}"
  gitlab:
    default-template-values: { url: "https://gitlab.com", environment: "" }
    extension-templates:
      build-signer-uri: "https://{{ .ci_config_ref_uri }}"
      source-repository-ref: refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}
      deployment-environment: environment
    subject-alternative-name-template: "https://{{ .ci_config_ref_uri }}"
  buildkite:
    default-template-values: { url: "https://buildkite.com" }
    extension-templates:
      run-invocation-uri: "{{.url}}/{{.organization_slug}}/{{.pipeline_slug}}/builds/{{.build_number}}#{{.job_id}}"
      source-repository-digest: build_commit
    subject-alternative-name-template: "{{.url}}/{{.organization_slug}}/{{.pipeline_slug}}"
  circleci:
    default-template-values: { api_url: "https://circleci.com/api/v2", platform_url: "https://app.circleci.com/" }
    extension-templates:
      build-config-uri: '{{.api_url}}/pipeline/{{(index . "oidc.circleci.com/pipeline-id")}}/config'
      run-invocation-uri: '{{.platform_url}}/workflow/{{(index . "oidc.circleci.com/workflow-id")}}'
      runner-environment: '{{if eq (index . "oidc.circleci.com/ssh-rerun") "true"}}ssh-rerun{{ else }}""{{end}}'
      source-repository-ref: '{{index . "oidc.circleci.com/vcs-ref"}}'
      source-repository-uri: '{{index . "oidc.circleci.com/vcs-origin"}}'
    subject-alternative-name-template: '{{.api_url}}/projects/{{(index . "oidc.circleci.com/project-id")}}'
"#;
