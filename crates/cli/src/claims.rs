//! What a signature claims about itself. Nothing of it is verified: that is [`signet_verify::decide`]'s to say.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::base64;
use signet_formats::bundle::{self, Bundle, Material, Version};
use signet_formats::cosign::{LegacyAttestation, LegacyMaterial, LegacySignature};
use signet_formats::dsse::Envelope;
use signet_formats::in_toto::{MAX_STATEMENT_BYTES, Statement};
use signet_formats::rekor::TlogEntry;
use signet_formats::simple_signing::SimpleSigning;
use signet_formats::time;
use signet_formats::x509::Certificate;
use signet_verify::{Content, EvidenceItem};

use crate::document::{ClaimsBody, LogClaim, SubjectClaim};
use crate::plain::brief;

/// The claims of one piece of evidence; of what cannot be read, why.
pub(crate) fn read(item: &EvidenceItem) -> Result<ClaimsBody, String> {
    match &item.content {
        Content::Bundle { bytes } => of_bundle(&bytes.0),
        Content::CosignSignature { payload, annotations } => {
            let signature = LegacySignature::read(payload.0.clone(), annotations).map_err(malformed)?;
            of_simple(&signature)
        }
        Content::CosignAttestation { envelope, annotations } => {
            let attestation = LegacyAttestation::read(&envelope.0, annotations).map_err(malformed)?;
            let mut claims = of_envelope("cosign attestation", &attestation.envelope)?;
            add_material(&mut claims, &attestation.material);
            Ok(claims)
        }
    }
}

fn of_bundle(bytes: &[u8]) -> Result<ClaimsBody, String> {
    let bundle = Bundle::parse(bytes).map_err(malformed)?;
    let form = match bundle.version {
        Version::V01 => "bundle v0.1",
        Version::V02 => "bundle v0.2",
        Version::V03 => "bundle v0.3",
    };
    let mut claims = match &bundle.content {
        bundle::Content::Dsse(envelope) => of_envelope(form, envelope)?,
        bundle::Content::MessageSignature { digest, .. } => {
            ClaimsBody { subjects: digest.iter().map(SubjectClaim::of).collect(), ..ClaimsBody::new(form) }
        }
    };
    claims.signer = Some(match &bundle.material {
        Material::PublicKeyHint(hint) => hinted(hint),
        material => signer(material.leaf().unwrap_or_default()),
    });
    claims.log_entries = bundle.tlog_entries.iter().map(log_claim).collect();
    claims.timestamps = bundle.timestamps.len();
    Ok(claims)
}

/// The key that a hint names, as keys are named elsewhere, if the hint is the digest of a key.
fn hinted(hint: &str) -> String {
    let id = base64::decode(hint).ok().and_then(|id| Digest::from_bytes(DigestAlgorithm::Sha256, &id).ok());
    id.map_or_else(|| format!("key with the hint `{}`", brief(hint)), |id| format!("key {id}"))
}

fn of_simple(signature: &LegacySignature) -> Result<ClaimsBody, String> {
    let claim = SimpleSigning::parse_lenient(&signature.payload).map_err(malformed)?;
    let name = Some(claim.docker_reference).filter(|name| !name.is_empty());
    let optional = claim.optional.iter().map(|(name, value)| match value.as_str() {
        Some(text) => (name.as_str(), Cow::Borrowed(text)),
        None => (name.as_str(), Cow::Owned(value.to_string())),
    });
    let subject = SubjectClaim {
        name: name.as_deref().map(brief),
        annotations: annotations(optional),
        ..SubjectClaim::of(&claim.manifest_digest)
    };
    let mut claims = ClaimsBody { subjects: vec![subject], ..ClaimsBody::new("cosign signature") };
    add_material(&mut claims, &signature.material);
    Ok(claims)
}

fn of_envelope(form: &str, envelope: &Envelope) -> Result<ClaimsBody, String> {
    let statement = Statement::parse(&envelope.payload, MAX_STATEMENT_BYTES).map_err(malformed)?;
    let subjects = statement.subjects.iter().flat_map(|subject| {
        let stated = subject.annotations.iter().map(|(name, value)| (name.as_str(), value.into()));
        let (name, annotations) = (subject.name.as_deref().map(brief), annotations(stated));
        subject.digests.iter().map(move |digest| SubjectClaim {
            name: name.clone(),
            annotations: annotations.clone(),
            ..SubjectClaim::of(digest)
        })
    });
    Ok(ClaimsBody {
        predicate_type: Some(brief(&statement.predicate_type)),
        subjects: subjects.take(MAX_SUBJECTS).collect(),
        ..ClaimsBody::new(form)
    })
}

fn annotations<'a>(stated: impl Iterator<Item = (&'a str, Cow<'a, str>)>) -> BTreeMap<String, String> {
    stated.take(MAX_ANNOTATIONS).map(|(name, value)| (brief(name), brief(&value))).collect()
}

fn malformed(error: impl Display) -> String {
    brief(&error.to_string())
}

fn add_material(claims: &mut ClaimsBody, material: &LegacyMaterial) {
    claims.signer = material.certificate.as_deref().map(signer);
    claims.log_entries = material.entry.iter().map(log_claim).collect();
    claims.timestamps = usize::from(material.timestamp.is_some());
}

/// The names in a certificate and the issuer that it says vouched for them.
fn signer(certificate: &[u8]) -> String {
    let Ok(certificate) = Certificate::from_der(certificate) else {
        return "a certificate that cannot be read".to_owned();
    };
    let names: Vec<&str> = certificate.subject_alt_names().iter().filter_map(|name| name.text()).collect();
    let claims = certificate.fulcio().unwrap_or_default();
    let issuer = claims.issuer().unwrap_or("none");
    brief(&format!("{} (issuer {issuer})", names.join(", ")))
}

fn log_claim(entry: &TlogEntry) -> LogClaim {
    LogClaim {
        index: entry.log_index,
        kind: brief(&format!("{} {}", entry.kind.kind, entry.kind.version)),
        integrated_time: entry.integrated_time.and_then(|at| time::format(at).ok()),
    }
}

/// More subjects of one statement are not shown.
const MAX_SUBJECTS: usize = 64;
/// More annotations of one subject are not shown.
const MAX_ANNOTATIONS: usize = 64;
