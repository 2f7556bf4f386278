//! One signature as evidence carries it, whatever the format, in one shape.

use std::collections::BTreeMap;
use std::rc::Rc;

use signet_crypto::{Digest, PublicKey};
use signet_formats::base64;
use signet_formats::bundle::{self, Bundle, BundleError};
use signet_formats::cosign::{LegacyAttestation, LegacyError, LegacyMaterial, LegacySignature, LocalBundle};
use signet_formats::dsse::{self, Envelope};
use signet_formats::in_toto::{self, Statement};
use signet_formats::json::JsonError;
use signet_formats::proto_json::FieldError;
use signet_formats::rekor::{TlogEntry, Verifier};
use signet_formats::simple_signing::SimpleSigning;
use signet_formats::x509::Certificate;

use super::signed_bytes::SignedBytes;
use crate::Code;
use crate::evidence::{Content, EvidenceItem};
use crate::subject::Subject;
use crate::verdict::{Check, Node};

/// One signature and everything that came with it.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) origin: &'a str,
    /// The format, in words.
    pub(crate) form: String,
    pub(crate) message: Message,
    pub(crate) signature: Vec<u8>,
    /// What stands beside it, which all signatures of one envelope share.
    pub(crate) beside: Rc<Beside>,
}

/// What supports a signature.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) material: Material,
    pub(crate) entries: Vec<TlogEntry>,
    /// RFC 3161 tokens or responses in DER.
    pub(crate) timestamps: Vec<Vec<u8>>,
}

/// What was signed.
#[derive(Debug)]
pub(crate) enum Message {
    /// The artifact itself; the evidence may state its digest.
    Artifact { stated: Option<Digest> },
    /// A simple-signing payload.
    Payload { signed: Box<SignedBytes>, payload: SimpleSigning },
    /// An in-toto statement in a DSSE envelope, which all signatures of the envelope share.
    Statement(Rc<SignedStatement>),
}

/// A statement, and the pre-authentication encoding that ends in it.
#[derive(Debug)]
pub(crate) struct SignedStatement {
    pub(crate) statement: Statement,
    pub(crate) signed: SignedBytes,
}

/// Whose signature it claims to be.
#[derive(Debug)]
pub(crate) enum Material {
    /// Of a key that the verifier must know; the evidence may hint at its id.
    Key { hint: Option<String> },
    /// Of the key in this certificate, with certificates that may lead to an authority.
    Certificate { leaf: Box<Certificate>, supplied: Vec<Certificate> },
}

impl Candidate<'_> {
    /// The same as a signature by the key that is hinted at, without its certificate.
    pub(crate) fn by_key(self, hint: String) -> Self {
        let Beside { entries, timestamps, .. } = &*self.beside;
        let beside = Beside {
            material: Material::Key { hint: Some(hint) },
            entries: entries.clone(),
            timestamps: timestamps.clone(),
        };
        Self { beside: Rc::new(beside), ..self }
    }

    /// The predicate type, if a statement was signed.
    pub(crate) fn predicate_type(&self) -> Option<&str> {
        match &self.message {
            Message::Statement(signed) => Some(&signed.statement.predicate_type),
            Message::Artifact { .. } | Message::Payload { .. } => None,
        }
    }

    /// The repository names that were signed for the subject: of each of the statement's subjects that is
    /// this one, or of the payload.
    pub(crate) fn repositories(&self, subject: &Subject) -> Vec<&str> {
        let mut names: Vec<&str> = match &self.message {
            Message::Payload { payload, .. } => vec![&payload.docker_reference],
            Message::Statement(signed) => {
                signed.subjects_that_are(subject).filter_map(|stated| stated.name.as_deref()).collect()
            }
            Message::Artifact { .. } => Vec::new(),
        };
        names.retain(|name| !name.is_empty());
        names
    }

    /// The annotations that were signed: of each of the statement's subjects that is this one, or the
    /// optional claims of the payload.
    pub(crate) fn annotations(&self, subject: &Subject) -> Vec<BTreeMap<String, String>> {
        match &self.message {
            Message::Artifact { .. } => Vec::new(),
            Message::Payload { payload, .. } => {
                // Values that are no texts cannot be asked for.
                let texts = payload.optional.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
                vec![texts.map(|(name, value)| (name.clone(), value.to_owned())).collect()]
            }
            Message::Statement(signed) => {
                signed.subjects_that_are(subject).map(|stated| stated.annotations.clone()).collect()
            }
        }
    }
}

impl SignedStatement {
    /// The statement's subjects that are this one: they share a digest with it, and none that both have differs.
    pub(crate) fn subjects_that_are(&self, subject: &Subject) -> impl Iterator<Item = &in_toto::Subject> {
        self.statement.subjects.iter().filter(|stated| {
            stated.digests.iter().any(|digest| subject.has(digest))
                && !stated.digests.iter().any(|digest| subject.contradicts(digest))
        })
    }
}

/// What is wrong with the form of a piece of evidence.
#[derive(Debug)]
pub(crate) struct FormError {
    code: Code,
    found: String,
}

impl FormError {
    /// The decision has no work left to read it.
    pub(crate) fn budget_exhausted() -> Self {
        form(Code::BudgetExhausted, "not read")
    }
}

impl From<FormError> for Node {
    fn from(error: FormError) -> Self {
        Self::fail(Check::Form, error.code).found(error.found)
    }
}

/// Reads the signatures of one piece of evidence.
pub(crate) fn read(item: &EvidenceItem) -> Result<Vec<Candidate<'_>>, FormError> {
    match &item.content {
        Content::Bundle { bytes } => Ok(vec![read_bundle(&item.origin, &bytes.0)?]),
        Content::CosignSignature { payload, annotations } => {
            let layer = LegacySignature::read(payload.0.clone(), annotations).map_err(layer_malformed)?;
            let payload = SimpleSigning::parse(&layer.payload).map_err(statement_malformed)?;
            let message = Message::Payload { signed: Box::new(SignedBytes::plain(layer.payload)), payload };
            let (form, beside) = ("cosign simple signing".to_owned(), Rc::new(read_beside(layer.material)?));
            Ok(vec![Candidate { origin: &item.origin, form, message, signature: layer.signature, beside }])
        }
        Content::CosignAttestation { envelope, annotations } => {
            let layer = LegacyAttestation::read(&envelope.0, annotations).map_err(layer_malformed)?;
            let LegacyAttestation { mut envelope, material } = layer;
            let signatures = std::mem::take(&mut envelope.signatures);
            let (statement, beside) = (Rc::new(read_statement(envelope)?), Rc::new(read_beside(material)?));
            let each = signatures.into_iter().map(|signature| Candidate {
                origin: &item.origin,
                form: "cosign attestation".to_owned(),
                message: Message::Statement(Rc::clone(&statement)),
                signature: signature.sig,
                beside: Rc::clone(&beside),
            });
            Ok(each.collect())
        }
    }
}

fn read_bundle<'a>(origin: &'a str, bytes: &[u8]) -> Result<Candidate<'a>, FormError> {
    let bundle = match Bundle::parse(bytes) {
        Ok(bundle) => bundle,
        Err(error) => return read_local_bundle(origin, bytes, &error),
    };
    let (message, signature) = match bundle.content {
        bundle::Content::MessageSignature { digest, signature } => {
            (Message::Artifact { stated: digest }, signature)
        }
        bundle::Content::Dsse(envelope) => {
            let signature = envelope.signatures.first().map(|s| s.sig.clone()).unwrap_or_default();
            (Message::Statement(Rc::new(read_statement(envelope)?)), signature)
        }
    };
    let material = match bundle.material {
        bundle::Material::PublicKeyHint(hint) => Material::Key { hint: Some(hint).filter(|h| !h.is_empty()) },
        bundle::Material::Certificate(der) => certificates(&der, &[])?,
        bundle::Material::Chain(chain) => match chain.split_first() {
            Some((leaf, rest)) => chain_without_root(certificates(leaf, rest)?)?,
            None => return Err(form(Code::CertificateChainForm, "an empty chain")),
        },
    };
    Ok(Candidate {
        origin,
        form: format!("Sigstore bundle {}", version_text(bundle.version)),
        message,
        signature,
        beside: Rc::new(Beside { material, entries: bundle.tlog_entries, timestamps: bundle.timestamps }),
    })
}

/// What `cosign sign-blob --bundle` wrote before version 3; whatever is not that either is a Sigstore
/// bundle with an error. The key in it only says which one is meant.
fn read_local_bundle<'a>(
    origin: &'a str,
    bytes: &[u8],
    error: &BundleError,
) -> Result<Candidate<'a>, FormError> {
    let bundle = LocalBundle::parse(bytes).map_err(|local| match local {
        LegacyError::Json(_) => form(bundle_code(error), error),
        local => layer_malformed(local),
    })?;
    let material = match &bundle.verifier {
        Some(Verifier::Certificate(der)) => certificates(der, &[])?,
        Some(Verifier::PublicKey(spki)) => {
            let key = PublicKey::from_spki_der(spki).map_err(|e| form(Code::EvidenceMalformed, e))?;
            Material::Key { hint: Some(base64::encode(key.id().as_bytes())) }
        }
        None => Material::Key { hint: None },
    };
    Ok(Candidate {
        origin,
        form: "cosign local bundle".to_owned(),
        message: Message::Artifact { stated: None },
        signature: bundle.signature,
        beside: Rc::new(Beside {
            material,
            entries: bundle.entry.into_iter().collect(),
            timestamps: Vec::new(),
        }),
    })
}

fn version_text(version: bundle::Version) -> &'static str {
    match version {
        bundle::Version::V01 => "v0.1",
        bundle::Version::V02 => "v0.2",
        bundle::Version::V03 => "v0.3",
    }
}

fn read_statement(envelope: Envelope) -> Result<SignedStatement, FormError> {
    if envelope.payload_type != dsse::IN_TOTO_PAYLOAD_TYPE {
        return Err(form(Code::PayloadTypeUnsupported, envelope.payload_type));
    }
    let statement = Statement::parse(&envelope.payload, in_toto::MAX_STATEMENT_BYTES);
    let statement = statement.map_err(statement_malformed)?;
    Ok(SignedStatement { statement, signed: SignedBytes::ending_in(envelope.pae(), envelope.payload.len()) })
}

fn read_beside(beside: LegacyMaterial) -> Result<Beside, FormError> {
    let material = match &beside.certificate {
        Some(leaf) => certificates(leaf, &beside.chain)?,
        None => Material::Key { hint: None },
    };
    Ok(Beside {
        material,
        entries: beside.entry.into_iter().collect(),
        timestamps: beside.timestamp.into_iter().collect(),
    })
}

fn certificates(leaf: &[u8], rest: &[Vec<u8>]) -> Result<Material, FormError> {
    let parse = |der: &[u8]| Certificate::from_der(der).map_err(|e| form(Code::CertificateMalformed, e));
    let leaf = parse(leaf)?;
    // What Fulcio wrote is read here once, so that a contradiction in it is a failure of form.
    leaf.fulcio().map_err(|e| form(Code::CertificateMalformed, e))?;
    let supplied = rest.iter().map(|der| parse(der)).collect::<Result<_, _>>()?;
    Ok(Material::Certificate { leaf: Box::new(leaf), supplied })
}

/// "The chain MUST NOT contain the root" (sigstore_bundle.proto, x509_certificate_chain).
fn chain_without_root(material: Material) -> Result<Material, FormError> {
    match &material {
        Material::Certificate { supplied, .. } if supplied.iter().any(Certificate::is_self_issued) => {
            Err(form(Code::CertificateChainForm, "a root certificate"))
        }
        _ => Ok(material),
    }
}

fn bundle_code(error: &BundleError) -> Code {
    match error {
        BundleError::CertificateBeforeV03 | BundleError::ChainInV03 | BundleError::EmptyChain => {
            Code::CertificateChainForm
        }
        BundleError::DuplicateEntry { .. }
        | BundleError::MissingCheckpoint { .. }
        | BundleError::MissingProof { .. }
        | BundleError::MissingPromise { .. } => Code::LogEntryForm,
        BundleError::OneOf { .. } => Code::AmbiguousContent,
        BundleError::UnknownVersion(_) => Code::BundleVersionUnsupported,
        BundleError::Json(error) => json_code(error),
        BundleError::Field(error) => field_code(error),
        _ => Code::EvidenceMalformed,
    }
}

fn field_code(error: &FieldError) -> Code {
    match error {
        FieldError::Base64 { .. } => Code::Base64Invalid,
        FieldError::Count { .. } => Code::EvidenceLimit,
        FieldError::Negative { .. } => Code::LogEntryForm,
        _ => Code::EvidenceMalformed,
    }
}

fn json_code(error: &JsonError) -> Code {
    match error {
        JsonError::DuplicateKey(_) => Code::DuplicateJsonKey,
        JsonError::TooDeep | JsonError::TooLarge { .. } => Code::EvidenceLimit,
        _ => Code::EvidenceMalformed,
    }
}

fn layer_malformed(error: LegacyError) -> FormError {
    let code = match &error {
        LegacyError::Signature(_) => Code::Base64Invalid,
        LegacyError::Certificate(_) | LegacyError::Chain(_) => Code::CertificateMalformed,
        LegacyError::AnnotationTooLarge(_) | LegacyError::ChainTooLong(_) => Code::EvidenceLimit,
        LegacyError::Entry(_) => Code::LogEntryForm,
        LegacyError::Json(error) => json_code(error),
        _ => Code::EvidenceMalformed,
    };
    form(code, error)
}

fn statement_malformed(error: impl std::fmt::Display) -> FormError {
    form(Code::StatementMalformed, error)
}

fn form(code: Code, found: impl std::fmt::Display) -> FormError {
    FormError { code, found: found.to_string() }
}
