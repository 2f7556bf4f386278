use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use signet_crypto::{Digest, PublicKey};
use signet_formats::base64::Base64;
use signet_formats::pem;
use signet_verify::{
    CertificateIdentity, Content, Evidence, EvidenceItem, KeyReference, Matcher, Policy, PredicateRule,
    Principal, Rule, Subject, TrustSnapshot,
};

use super::case::Case;

/// A directory of the Sigstore conformance corpus, and the decision that it asks for.
pub struct Vector {
    /// The decision; none where trust root or key is refused as it is read.
    pub case: Option<Case>,
    /// The directory's name; `_fail` at its end says what the answer has to be.
    pub name: String,
    /// The trust root, JSON.
    pub trusted_root: Vec<u8>,
    /// The bundle, JSON.
    pub bundle: Vec<u8>,
    /// The artifact.
    pub artifact: Vec<u8>,
    /// The key in PEM, where one signed.
    pub key: Option<String>,
    /// Who has to have signed, and whose word that is, where a certificate did.
    pub identity: (String, String),
}

impl Vector {
    /// The corpus in its folder `sigstore`, by name.
    ///
    /// # Panics
    /// If a directory cannot be read.
    pub fn all(sigstore: &Path) -> Vec<Self> {
        let entries = fs::read_dir(sigstore.join("bundle-verify")).expect("the corpus can be read");
        let mut folders: Vec<PathBuf> = entries
            .map(|entry| entry.expect("the corpus can be read").path())
            .filter(|p| p.is_dir())
            .collect();
        folders.sort();
        folders.iter().map(|folder| Self::read(sigstore, folder)).collect()
    }

    /// Whether the answer has to be yes.
    pub fn is_good(&self) -> bool {
        !self.name.ends_with("_fail")
    }

    /// The key, where one signed and it can be read.
    pub fn public_key(&self) -> Option<PublicKey> {
        pem::public_key(self.key.as_deref()?).ok()
    }

    fn read(sigstore: &Path, folder: &Path) -> Self {
        let own = |name: &str| fs::read(folder.join(name)).ok();
        let shared = |name: &str| fs::read(sigstore.join(name)).expect("the corpus can be read");
        let text = |name: &str, otherwise: &str| {
            own(name).map_or(otherwise.to_owned(), |b| String::from_utf8_lossy(&b).trim().to_owned())
        };
        let mut vector = Self {
            case: None,
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            trusted_root: own("trusted_root.json").unwrap_or_else(|| shared("public-good-trusted_root.json")),
            bundle: own("bundle.sigstore.json").expect("every directory has a bundle"),
            artifact: own("artifact").unwrap_or_else(|| shared("bundle-verify/a.txt")),
            key: own("key.pub").map(|pem| String::from_utf8_lossy(&pem).into_owned()),
            identity: (text("identity", IDENTITY), text("issuer", GITHUB)),
        };
        vector.case = vector.to_case();
        vector
    }

    fn to_case(&self) -> Option<Case> {
        let trust = TrustSnapshot::from_trusted_root(&self.trusted_root).ok()?;
        let key = match &self.key {
            Some(_) => Some(self.public_key()?),
            None => None,
        };
        let principal = match &key {
            Some(key) => Principal::Key(KeyReference::id(key.id())),
            None => Principal::Certificate(CertificateIdentity {
                identity: Matcher::Exact(self.identity.0.clone()),
                issuer: Matcher::Exact(self.identity.1.clone()),
                claims: BTreeMap::new(),
            }),
        };
        let rule = Rule {
            predicate_type: PredicateRule::Any,
            log_entries: Some(1),
            ..Rule::any_of(["signer".to_owned()])
        };
        let principals = BTreeMap::from([("signer".to_owned(), principal)]);
        let content = Content::Bundle { bytes: Base64(self.bundle.clone()) };
        let item = EvidenceItem { origin: "bundle.sigstore.json".to_owned(), content };
        Some(Case {
            name: self.name.clone(),
            subject: Subject::of(Digest::sha256(&self.artifact)),
            evidence: Evidence { items: vec![item], ..Evidence::default() },
            trust: trust.with_keys(&key),
            policy: Policy::of_principals("conformance", principals, rule).expect("the policy is sound"),
            at: AT,
        })
    }
}

/// 2026-11-21T12:00:00Z: after every vector was made.
const AT: i64 = 1_795_262_400;
const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const GITHUB: &str = "https://token.actions.githubusercontent.com";
