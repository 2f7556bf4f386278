//! Every bundle of the Sigstore conformance corpus gets the right verdict, for the right reason.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test reads its vectors")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use signet_crypto::{Digest, PublicKey};
use signet_formats::base64::Base64;
use signet_verify::{
    CertificateIdentity, Content, Evidence, EvidenceItem, KeyReference, Matcher, Policy, PredicateRule,
    Principal, Rule, Subject, TrustSnapshot, Verdict, decide,
};

/// 2026-11-21T12:00:00Z: after every vector was made.
const AT: i64 = 1_795_262_400;

#[test]
fn every_vector_gets_its_verdict() {
    let Some(vectors) = signet_testkit::vectors("sigstore") else { return };
    let mut directories: Vec<PathBuf> = std::fs::read_dir(vectors.join("bundle-verify"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    directories.retain(|path| path.is_dir());
    directories.sort();
    assert_eq!(directories.len(), 70);
    let mut lines = String::new();
    let mut wrong = Vec::new();
    for directory in directories {
        let name = directory.file_name().unwrap().to_str().unwrap().to_owned();
        let answer = answer(&vectors, &directory);
        if answer.starts_with("allow") == name.ends_with("_fail") {
            wrong.push(name.clone());
        }
        lines.push_str(&format!("{name} {answer}\n"));
    }
    assert!(wrong.is_empty(), "wrong verdicts: {wrong:#?}\n{lines}");
    insta::assert_snapshot!(lines);
}

fn answer(vectors: &Path, directory: &Path) -> String {
    let root = directory.join("trusted_root.json");
    let root = if root.exists() { root } else { vectors.join("public-good-trusted_root.json") };
    let trust = match TrustSnapshot::from_trusted_root(&std::fs::read(root).unwrap()) {
        Ok(trust) => trust,
        Err(e) => return format!("unusable trust root: {e}"),
    };
    let key = match std::fs::read_to_string(directory.join("key.pub"))
        .ok()
        .map(|pem| signet_formats::pem::public_key(&pem))
    {
        Some(Err(e)) => return format!("unusable key: {e}"),
        Some(Ok(key)) => Some(key),
        None => None,
    };
    let verdict = verdict(vectors, directory, trust, key);
    match verdict.code {
        None => "allow".to_owned(),
        Some(code) => format!("{} {code} {}", verdict.outcome, code.title()),
    }
}

fn verdict(vectors: &Path, directory: &Path, trust: TrustSnapshot, key: Option<PublicKey>) -> Verdict {
    let read = |name: &str| std::fs::read(directory.join(name)).ok();
    let artifact =
        read("artifact").unwrap_or_else(|| std::fs::read(vectors.join("bundle-verify/a.txt")).unwrap());
    let item = EvidenceItem {
        origin: "bundle.sigstore.json".to_owned(),
        content: Content::Bundle { bytes: Base64(read("bundle.sigstore.json").unwrap()) },
    };
    let evidence = Evidence { items: vec![item], ..Evidence::default() };
    let text = |name: &str, default: &str| {
        read(name).map_or(default.to_owned(), |b| String::from_utf8(b).unwrap().trim().to_owned())
    };
    let principal = match &key {
        Some(key) => Principal::Key(KeyReference::id(key.id())),
        None => Principal::Certificate(CertificateIdentity {
            identity: Matcher::Exact(text("identity", IDENTITY)),
            issuer: Matcher::Exact(text("issuer", ISSUER)),
            claims: BTreeMap::new(),
        }),
    };
    let rule = Rule {
        predicate_type: PredicateRule::Any,
        log_entries: Some(1),
        ..Rule::any_of(["signer".to_owned()])
    };
    let policy =
        Policy::of_principals("conformance", BTreeMap::from([("signer".to_owned(), principal)]), rule)
            .unwrap();
    let subject = Subject::of(Digest::sha256(&artifact));
    decide(&subject, &evidence, &trust.with_keys(&key), &policy, AT)
}

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
