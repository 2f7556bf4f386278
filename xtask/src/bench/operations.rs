//! The cryptographic operations that no verifier of a bundle can do without, ready to be run alone.

use signet_crypto::{Digest, PublicKey, Scheme};
use signet_formats::bundle::{Bundle, Content, Material};
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::rekor::TlogEntry;
use signet_formats::timestamp::TimestampToken;
use signet_formats::x509::Certificate;
use signet_verify::{TrustSnapshot, TrustedLog};

/// One signature to check: who over what.
pub(super) struct Operation {
    /// Whose signature it is, and its scheme.
    pub(super) name: String,
    check: Box<dyn Fn() -> bool>,
}

impl Operation {
    fn new(what: &str, key: PublicKey, scheme: Scheme, message: Vec<u8>, signature: Vec<u8>) -> Self {
        let name = format!("{what}, {scheme}");
        Self { name, check: Box::new(move || key.verify(scheme, &message, &signature).is_ok()) }
    }

    /// Does it.
    pub(super) fn holds(&self) -> bool {
        (self.check)()
    }
}

/// The operations of verifying `bundle` for `artifact`. `key` is the signer's where it has no certificate.
pub(super) fn of_bundle(
    bundle: &Bundle,
    artifact: &[u8],
    trust: &TrustSnapshot,
    key: Option<&PublicKey>,
) -> Vec<Operation> {
    let leaf = match &bundle.material {
        Material::Certificate(der) => Some(certificate(der)),
        Material::Chain(chain) => chain.first().map(|der| certificate(der)),
        Material::PublicKeyHint(_) => None,
    };
    let signer = leaf.as_ref().map(|leaf| leaf.public_key().expect("vectors have usable keys"));
    let signer = signer.or(key.cloned()).expect("a vector names its signer");
    let (message, signature) = match &bundle.content {
        Content::MessageSignature { signature, .. } => (artifact.to_vec(), signature.clone()),
        Content::Dsse(envelope) => {
            let signature = envelope.signatures.first().expect("a bundle's envelope has one signature");
            (envelope.pae(), signature.sig.clone())
        }
    };
    let mut operations =
        vec![Operation::new("signature", signer.clone(), scheme(&signer), message, signature.clone())];
    operations.extend(leaf.iter().flat_map(|leaf| of_certificate(leaf, trust)));
    operations.extend(bundle.tlog_entries.iter().flat_map(|entry| of_entry(entry, trust)));
    operations.extend(bundle.timestamps.iter().filter_map(|der| of_timestamp(der, trust)));
    operations.retain(Operation::holds);
    operations
}

/// The leaf under its issuer, and its embedded timestamps. What is above the issuer is the same for
/// every bundle and is checked once a trust snapshot.
fn of_certificate(leaf: &Certificate, trust: &TrustSnapshot) -> Vec<Operation> {
    let authorities = trust.certificate_authorities.iter().flat_map(|authority| &authority.certificates);
    let issuer = authorities
        .map(|der| certificate(&der.0))
        .find(|issuer| issuer.subject().der() == leaf.issuer().der())
        .expect("a vector's issuer is trusted");
    let key = issuer.public_key().expect("a trusted key is usable");
    let path_scheme = leaf.signature_algorithm().scheme(&key).expect("the algorithm fits the key");
    let signature = leaf.signature().to_vec();
    let path = Operation::new("certificate", key, path_scheme, leaf.tbs().to_vec(), signature);
    let (issuer_hash, tbs) = (Digest::sha256(issuer.spki()), leaf.precert_tbs());
    let scts = leaf.scts().expect("vectors have well-formed timestamps");
    let promises = scts.iter().filter_map(|sct| {
        let key = log_key(&trust.certificate_logs, sct.log_id())?;
        let data = sct.signed_data(&issuer_hash, &tbs);
        Some(Operation::new("SCT", key.clone(), scheme(&key), data, sct.signature().to_vec()))
    });
    std::iter::once(path).chain(promises).collect()
}

fn of_entry(entry: &TlogEntry, trust: &TrustSnapshot) -> Vec<Operation> {
    let Some(key) = log_key(&trust.logs, &entry.log_id) else { return Vec::new() };
    let mut operations = Vec::new();
    if let (Some(payload), Some(promise)) = (entry.set_payload(), &entry.promise) {
        let name = "signed entry timestamp";
        operations.push(Operation::new(name, key.clone(), scheme(&key), payload, promise.clone()));
    }
    let checkpoint = entry.proof.as_ref().and_then(|proof| proof.checkpoint.as_deref());
    if let Some(signed) = checkpoint.and_then(|text| SignedCheckpoint::parse(text.as_bytes()).ok()) {
        let note = signed.note();
        let lines = note.signatures().iter().map(|line| {
            let (text, signature) = (note.text().as_bytes().to_vec(), line.signature().to_vec());
            Operation::new("checkpoint", key.clone(), scheme(&key), text, signature)
        });
        operations.extend(lines);
    }
    operations
}

/// The token under its authority's certificate, with the digests that bind the two.
fn of_timestamp(der: &[u8], trust: &TrustSnapshot) -> Option<Operation> {
    let token = TimestampToken::from_response(der).ok()?;
    let known = trust.timestamp_authorities.iter().flat_map(|authority| &authority.certificates);
    let mut candidates: Vec<Certificate> = known.map(|der| certificate(&der.0)).collect();
    candidates.extend(token.certificates().iter().cloned());
    let signer = candidates.into_iter().find(|signer| token.verify(signer).is_ok())?;
    let name = format!("RFC 3161 token, {}", signer.public_key().ok()?.algorithm());
    Some(Operation { name, check: Box::new(move || token.verify(&signer).is_ok()) })
}

fn certificate(der: &[u8]) -> Certificate {
    Certificate::from_der(der).expect("vectors have well-formed certificates")
}

fn log_key(logs: &[TrustedLog], id: &[u8]) -> Option<PublicKey> {
    let log = logs.iter().find(|log| log.log_id.0 == id)?;
    PublicKey::from_spki_der(&log.key.0).ok()
}

fn scheme(key: &PublicKey) -> Scheme {
    *Scheme::for_key(key.algorithm()).first().expect("every key algorithm has a scheme")
}
