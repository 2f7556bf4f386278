use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signet_crypto::PublicKey;
use signet_formats::base64::Base64;
use signet_formats::bundle::Bundle;
use signet_formats::cosign::LegacySignature;
use signet_verify::{
    CertificateIdentity, Content, Evidence, EvidenceItem, KeyReference, Matcher, Policy, PredicateRule,
    Principal, Rule, Subject, TrustSnapshot, Verdict, decide,
};

use super::key::Key;
use super::signing::{Logging, Signing};
use super::world::{ARTIFACT, ISSUER, SIGNED_AT, SIGNER, World};

/// The five inputs of one decision, and a name for them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is.
    pub name: String,
    /// What is decided about.
    pub subject: Subject,
    /// What there is to decide by.
    pub evidence: Evidence,
    /// Whom and what to trust.
    pub trust: TrustSnapshot,
    /// Who must have signed.
    pub policy: Policy,
    /// The time of the decision.
    pub at: i64,
}

impl Case {
    /// The decision.
    pub fn decide(&self) -> Verdict {
        decide(&self.subject, &self.evidence, &self.trust, &self.policy, self.at)
    }

    /// One item of evidence about [`ARTIFACT`], an hour after it was signed. Without a key the policy asks
    /// for [`SIGNER`], with keys for any of them.
    pub fn of(name: &str, world: &World, keys: &[&PublicKey], content: Content) -> Self {
        let policy = if keys.is_empty() { any_signer() } else { any_key(keys) };
        Self {
            name: name.to_owned(),
            subject: World::subject(),
            evidence: one(content),
            trust: world.trust().with_keys(keys.iter().copied()),
            policy,
            at: SIGNED_AT + 3600,
        }
    }
}

/// Evidence of one bundle.
pub fn one_bundle(bundle: &Bundle) -> Evidence {
    one(bundle_item(bundle))
}

/// A bundle as an item's content.
pub fn bundle_item(bundle: &Bundle) -> Content {
    Content::Bundle { bytes: Base64(bundle.to_json().expect("the bundle keeps the rules").into_bytes()) }
}

/// A policy that any of the keys satisfies with any predicate.
pub fn any_key(keys: &[&PublicKey]) -> Policy {
    let principals: BTreeMap<String, Principal> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| (format!("key-{n}"), Principal::Key(KeyReference::id(key.id()))))
        .collect();
    policy(principals)
}

/// A policy that [`SIGNER`] by [`ISSUER`] satisfies with any predicate, a log entry and an SCT.
pub fn any_signer() -> Policy {
    let signer = CertificateIdentity {
        identity: Matcher::Exact(SIGNER.to_owned()),
        issuer: Matcher::Exact(ISSUER.to_owned()),
        claims: BTreeMap::new(),
    };
    policy(BTreeMap::from([("signer".to_owned(), Principal::Certificate(signer))]))
}

/// One sound case of every format, every algorithm and every combination of proofs.
pub fn samples() -> Vec<Case> {
    let world = World::new();
    let mut cases: Vec<Case> =
        Key::of_every_kind().iter().flat_map(|key| samples_by_key(&world, key)).collect();
    cases.extend(samples_by_certificate(&world));
    cases
}

fn samples_by_key(world: &World, key: &Key) -> Vec<Case> {
    let scheme = key.scheme;
    let plain = Signing::by_key(world, key);
    let mut bundles = vec![
        (format!("key-{scheme}-artifact"), plain.clone()),
        (format!("key-{scheme}-statement"), plain.clone().over_statement(SPDX)),
    ];
    if key.scheme == signet_crypto::Scheme::EcdsaP256Sha256 {
        let logged = Logging::V1 { index: 3, time: SIGNED_AT };
        bundles.push(("key-logged-v1".to_owned(), Signing { logging: logged, ..plain.clone() }));
        let (logging, stamped) = (Logging::V2 { index: 12 }, Some(SIGNED_AT));
        bundles.push(("key-logged-v2".to_owned(), Signing { logging, stamped, ..plain.clone() }));
    }
    let by_bundle = bundles.into_iter().map(|(name, signing)| {
        let mut case = Case::of(&name, world, &[key.public()], bundle_item(&signing.bundle()));
        if scheme.digest().is_none() {
            case.evidence.artifact = Some(Base64(ARTIFACT.to_vec()));
        }
        case
    });
    let legacy = Case::of(
        &format!("legacy-{scheme}-signature"),
        world,
        &[key.public()],
        legacy_item(&plain.legacy("example.com/image")),
    );
    let attestation = plain.legacy_attestation(SPDX);
    let attestation = Case::of(&format!("legacy-{scheme}-attestation"), world, &[key.public()], attestation);
    by_bundle.chain([legacy, attestation]).collect()
}

fn samples_by_certificate(world: &World) -> Vec<Case> {
    let key = Key::p256();
    let (v1, v2) = (Signing::keyless_v1(world, &key), Signing::keyless_v2(world, &key));
    let stamped = Signing { stamped: Some(SIGNED_AT), ..v1.clone() };
    let witnessed = Signing { witnessed: true, ..v2.clone() };
    let case = |name: &str, content| Case::of(name, world, &[], content);
    vec![
        case("keyless-v1-artifact", bundle_item(&v1.bundle())),
        case("keyless-v2-artifact", bundle_item(&v2.bundle())),
        case("keyless-v2-witnessed", bundle_item(&witnessed.bundle())),
        case("keyless-v1-statement", bundle_item(&v1.clone().over_statement(SPDX).bundle())),
        case("keyless-v2-statement", bundle_item(&v2.over_statement(SPDX).bundle())),
        case("keyless-v1-stamped", bundle_item(&stamped.bundle())),
        case("keyless-legacy-signature", legacy_item(&stamped.legacy("example.com/image"))),
        case("keyless-legacy-attestation", v1.legacy_attestation(SPDX)),
    ]
}

fn legacy_item(layer: &LegacySignature) -> Content {
    let annotations = layer.annotations().expect("annotations can be written");
    Content::CosignSignature { payload: Base64(layer.payload.clone()), annotations }
}

fn one(content: Content) -> Evidence {
    let item = EvidenceItem { origin: "test".to_owned(), content };
    Evidence { items: vec![item], ..Evidence::default() }
}

fn policy(principals: BTreeMap<String, Principal>) -> Policy {
    let rule = Rule { predicate_type: PredicateRule::Any, ..Rule::any_of(principals.keys().cloned()) };
    Policy::of_principals("test", principals, rule).expect("the policy is sound")
}

const SPDX: &str = "https://spdx.dev/Document";
