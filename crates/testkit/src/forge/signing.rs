use std::collections::BTreeMap;

use serde_json::json;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::base64::{self, Base64};
use signet_formats::bundle::{self, Bundle, Material, Version};
use signet_formats::cosign::{LegacyMaterial, LegacySignature};
use signet_formats::dsse::{Envelope, IN_TOTO_PAYLOAD_TYPE, Signature};
use signet_formats::in_toto::{Statement, Subject};
use signet_formats::pem;
use signet_formats::rekor::{EntrySignatureV002, HashedRekordV002, PublicKeyDetails, TlogEntry, Verifier};
use signet_formats::simple_signing::SimpleSigning;
use signet_verify::Content as EvidenceContent;

use super::certificate::Template;
use super::key::Key;
use super::log::Entry;
use super::world::{ARTIFACT, ISSUER, SIGNED_AT, SIGNER, World};

/// One act of signing [`ARTIFACT`]; sound as it is made, and every field may be bent.
#[derive(Clone)]
pub struct Signing<'a> {
    /// Where it happens.
    pub world: &'a World,
    /// The key.
    pub key: &'a Key,
    /// The certificate to have the authority issue for the key; none signs as the key alone.
    pub certificate: Option<Template>,
    /// What is signed.
    pub content: Content,
    /// Which log takes it.
    pub logging: Logging,
    /// When a timestamp is made over the signature, if one is.
    pub stamped: Option<i64>,
    /// Whether the witnesses cosign the log's checkpoint.
    pub witnessed: bool,
}

/// What is signed.
#[derive(Clone, Debug)]
pub enum Content {
    /// The artifact itself.
    Artifact,
    /// An in-toto statement of this predicate type about it.
    Statement(String),
}

/// Which log takes the signature, and at which index.
#[derive(Clone, Copy, Debug)]
pub enum Logging {
    /// None.
    None,
    /// Rekor v1, at a time.
    V1 {
        /// The index over all shards.
        index: u64,
        /// The integrated time.
        time: i64,
    },
    /// Rekor v2.
    V2 {
        /// The index, below 13.
        index: u64,
    },
}

impl<'a> Signing<'a> {
    /// The artifact signed by a bare key, without a log.
    pub fn by_key(world: &'a World, key: &'a Key) -> Self {
        Self {
            world,
            key,
            certificate: None,
            content: Content::Artifact,
            logging: Logging::None,
            stamped: None,
            witnessed: false,
        }
    }

    /// The artifact signed with a certificate of [`SIGNER`], logged in Rekor v1 at [`SIGNED_AT`].
    pub fn keyless_v1(world: &'a World, key: &'a Key) -> Self {
        Self {
            certificate: Some(Template::signer(SIGNER, ISSUER, (SIGNED_AT - 60, SIGNED_AT + 540))),
            logging: Logging::V1 { index: 7_000_005, time: SIGNED_AT },
            ..Self::by_key(world, key)
        }
    }

    /// The artifact signed with a certificate of [`SIGNER`], logged in Rekor v2, stamped at [`SIGNED_AT`].
    pub fn keyless_v2(world: &'a World, key: &'a Key) -> Self {
        Self { logging: Logging::V2 { index: 5 }, stamped: Some(SIGNED_AT), ..Self::keyless_v1(world, key) }
    }

    /// The same over a statement of this predicate type.
    #[must_use]
    pub fn over_statement(mut self, predicate_type: &str) -> Self {
        self.content = Content::Statement(predicate_type.to_owned());
        self
    }

    /// The bundle, v0.3.
    pub fn bundle(&self) -> Bundle {
        let (envelope, signature) = match &self.content {
            Content::Artifact => (None, self.key.sign(ARTIFACT)),
            Content::Statement(predicate_type) => {
                let envelope = self.envelope(predicate_type);
                let signature = envelope.signatures.first().map(|first| first.sig.clone());
                (Some(envelope), signature.unwrap_or_default())
            }
        };
        let verifier = self.verifier();
        let material = match &verifier {
            Verifier::Certificate(der) => Material::Certificate(der.clone()),
            Verifier::PublicKey(_) => {
                Material::PublicKeyHint(base64::encode(self.key.public().id().as_bytes()))
            }
        };
        let entries = self.log(envelope.as_ref(), ARTIFACT, &signature, &verifier);
        let stamp = self.stamped.map(|time| self.world.stamper.stamp(&signature, time));
        let digest = Some(Digest::of(self.digest_algorithm(), ARTIFACT));
        Bundle {
            version: Version::V03,
            content: envelope
                .map_or(bundle::Content::MessageSignature { digest, signature }, bundle::Content::Dsse),
            material,
            tlog_entries: entries.into_iter().collect(),
            timestamps: stamp.into_iter().collect(),
        }
    }

    /// The signature as a layer of cosign's `.sig` image, named `repository`; its log, if any, is v1.
    pub fn legacy(&self, repository: &str) -> LegacySignature {
        let claim = SimpleSigning::cosign(repository, Digest::sha256(ARTIFACT));
        let payload = claim.to_json().expect("a claim can be written").into_bytes();
        let (signature, verifier) = (self.key.sign(&payload), self.verifier());
        let material = self.legacy_material(None, &payload, &signature, verifier);
        LegacySignature { payload, signature, material }
    }

    /// The statement as a layer of cosign's `.att` image.
    pub fn legacy_attestation(&self, predicate_type: &str) -> EvidenceContent {
        let envelope = self.envelope(predicate_type);
        let signature = envelope.signatures.first().map(|first| first.sig.clone()).unwrap_or_default();
        let material = self.legacy_material(Some(&envelope), &[], &signature, self.verifier());
        let beside = LegacySignature { payload: Vec::new(), signature, material };
        let mut annotations: BTreeMap<String, String> =
            beside.annotations().expect("annotations can be written");
        annotations.insert(signet_formats::cosign::SIGNATURE.to_owned(), String::new());
        EvidenceContent::CosignAttestation {
            envelope: Base64(envelope.to_json().expect("an envelope can be written").into_bytes()),
            annotations,
        }
    }

    /// What verifies the signature.
    pub fn verifier(&self) -> Verifier {
        let (world, key) = (self.world, self.key.public());
        match &self.certificate {
            Some(template) => {
                let logs = [&world.certificate_log];
                Verifier::Certificate(world.authority.issue_logged(template, key, &logs))
            }
            None => Verifier::PublicKey(key.spki_der().to_vec()),
        }
    }

    /// A signed envelope with a statement about the artifact.
    pub fn envelope(&self, predicate_type: &str) -> Envelope {
        let statement = Statement {
            predicate_type: predicate_type.to_owned(),
            ..Statement::signed(vec![Subject::of(Digest::sha256(ARTIFACT))])
        };
        let mut envelope = Envelope {
            payload_type: IN_TOTO_PAYLOAD_TYPE.to_owned(),
            payload: statement.to_json().expect("a statement can be written").into_bytes(),
            signatures: Vec::new(),
        };
        let sig = self.key.sign(&envelope.pae());
        envelope.signatures.push(Signature { sig, keyid: None });
        envelope
    }

    fn legacy_material(
        &self,
        envelope: Option<&Envelope>,
        message: &[u8],
        signature: &[u8],
        verifier: Verifier,
    ) -> LegacyMaterial {
        let entry = self.log(envelope, message, signature, &verifier);
        let certified = |verifier| match verifier {
            Verifier::Certificate(der) => Some(der),
            Verifier::PublicKey(_) => None,
        };
        LegacyMaterial {
            certificate: certified(verifier),
            chain: Vec::new(),
            entry: entry.map(|entry| TlogEntry { proof: None, ..entry }),
            timestamp: self.stamped.map(|time| self.world.stamper.stamp(signature, time)),
        }
    }

    fn log(
        &self,
        envelope: Option<&Envelope>,
        message: &[u8],
        signature: &[u8],
        verifier: &Verifier,
    ) -> Option<TlogEntry> {
        let witnesses: Vec<_> = self.world.witnesses.iter().filter(|_| self.witnessed).collect();
        let digest = |over: &[u8]| Digest::of(self.digest_algorithm(), over);
        Some(match self.logging {
            Logging::None => return None,
            Logging::V1 { index, time } => {
                let (kind, body) = match envelope {
                    Some(envelope) => ("dsse", dsse_v1(envelope, verifier)),
                    None => ("hashedrekord", hashed_rekord_v1(&digest(message), signature, verifier)),
                };
                let kind = (kind, "0.0.1");
                let entry = Entry { kind, body, index, integrated: Some(time), with_proof: true };
                self.world.rekor_v1.add(&entry, &witnesses)
            }
            Logging::V2 { index } => {
                let digest = envelope.map_or_else(|| digest(message), |envelope| digest(&envelope.pae()));
                let body = self.hashed_rekord_v2(digest, signature, verifier);
                let kind = ("hashedrekord", "0.0.2");
                let entry = Entry { kind, body, index, integrated: None, with_proof: true };
                self.world.rekor_v2.add(&entry, &witnesses)
            }
        })
    }

    fn hashed_rekord_v2(&self, digest: Digest, signature: &[u8], verifier: &Verifier) -> Vec<u8> {
        let key_details = PublicKeyDetails::of(self.key.public().algorithm(), self.key.scheme)
            .expect("the protocol has a name for the key");
        let signature =
            EntrySignatureV002 { signature: signature.to_vec(), verifier: verifier.clone(), key_details };
        HashedRekordV002 { digest, signature }.to_body().expect("a body can be written")
    }

    /// The scheme's own hash; SHA-256 for those that have none.
    fn digest_algorithm(&self) -> DigestAlgorithm {
        self.key.scheme.digest().unwrap_or(DigestAlgorithm::Sha256)
    }
}

fn hashed_rekord_v1(digest: &Digest, signature: &[u8], verifier: &Verifier) -> Vec<u8> {
    let hash = json!({ "algorithm": digest.algorithm().to_string(), "value": digest.hex() });
    let key = json!({ "content": base64::encode(pem_of(verifier)) });
    let signature = json!({ "content": base64::encode(signature), "publicKey": key });
    body("hashedrekord", &json!({ "data": { "hash": hash }, "signature": signature }))
}

fn dsse_v1(envelope: &Envelope, verifier: &Verifier) -> Vec<u8> {
    let hash = |bytes: &[u8]| json!({ "algorithm": "sha256", "value": Digest::sha256(bytes).hex() });
    let signature = |signature: &Signature| {
        let verifier = base64::encode(pem_of(verifier));
        json!({ "signature": base64::encode(&signature.sig), "verifier": verifier })
    };
    let signatures: Vec<_> = envelope.signatures.iter().map(signature).collect();
    let whole = envelope.to_json().expect("an envelope can be written");
    let (envelope_hash, payload_hash) = (hash(whole.as_bytes()), hash(&envelope.payload));
    let spec =
        json!({ "envelopeHash": envelope_hash, "payloadHash": payload_hash, "signatures": signatures });
    body("dsse", &spec)
}

fn body(kind: &str, spec: &serde_json::Value) -> Vec<u8> {
    json!({ "apiVersion": "0.0.1", "kind": kind, "spec": spec }).to_string().into_bytes()
}

fn pem_of(verifier: &Verifier) -> String {
    match verifier {
        Verifier::Certificate(der) => pem::encode(pem::CERTIFICATE, der),
        Verifier::PublicKey(spki) => pem::encode(pem::PUBLIC_KEY, spki),
    }
}
