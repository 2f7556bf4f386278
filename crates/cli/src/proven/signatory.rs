//! Whose signature it is, as logs, bundles and policies name them.

use std::collections::BTreeMap;

use signet_formats::bundle::Material;
use signet_formats::rekor::Verifier;
use signet_formats::x509::Certificate;
use signet_verify::{CertificateIdentity, Code, KeyReference, Matcher, Principal};

use crate::clock;
use crate::error::CliError;
use crate::signing::Signing;

/// A key that signs, and how verifiers know whose it is.
pub(super) struct Signatory {
    signing: Signing,
    certified: Option<Certified>,
}

/// What a certificate says about the key's holder.
struct Certified {
    certificate: Certificate,
    subject: String,
    issuer: String,
}

impl Signatory {
    /// A key that verifiers have to know.
    pub(super) fn of_key(signing: Signing) -> Self {
        Self { signing, certified: None }
    }

    /// A key whose certificate names an identity.
    pub(super) fn certified(signing: Signing, certificate: Certificate) -> Result<Self, CliError> {
        let unusable =
            |what: &str| CliError::new(Code::TrustServiceMalformed, format!("the certificate {what}"));
        let subject = certificate.subject_alt_names().iter().find_map(|name| name.text()).map(str::to_owned);
        let claims = certificate.fulcio().map_err(|error| unusable(&format!("cannot be read: {error}")))?;
        let issuer = claims.issuer().map(str::to_owned);
        let certified = Certified {
            subject: subject.ok_or_else(|| unusable("names nobody"))?,
            issuer: issuer.ok_or_else(|| unusable("does not say who vouches for its holder"))?,
            certificate,
        };
        Ok(Self { signing, certified: Some(certified) })
    }

    /// The key, as it signs.
    pub(super) fn signing(&self) -> &Signing {
        &self.signing
    }

    /// The identity and who vouches for it, if it is not a key that signs.
    pub(super) fn identity(&self) -> Option<String> {
        self.certified
            .as_ref()
            .map(|Certified { subject, issuer, .. }| format!("{subject} (issuer {issuer})"))
    }

    /// What a log is told to verify the signature with.
    pub(super) fn verifier(&self) -> Verifier {
        match &self.certified {
            Some(certified) => Verifier::Certificate(certified.certificate.der().to_vec()),
            None => Verifier::PublicKey(self.signing.public_key().spki_der().to_vec()),
        }
    }

    /// What the bundle names the signer by.
    pub(super) fn material(&self) -> Material {
        match &self.certified {
            Some(certified) => Material::Certificate(certified.certificate.der().to_vec()),
            None => self.signing.hint(),
        }
    }

    /// The signer as a policy names it.
    pub(super) fn principal(&self) -> Principal {
        match &self.certified {
            Some(Certified { subject, issuer, .. }) => Principal::Certificate(CertificateIdentity {
                identity: Matcher::Exact(subject.clone()),
                issuer: Matcher::Exact(issuer.clone()),
                claims: BTreeMap::new(),
            }),
            None => Principal::Key(KeyReference::id(self.signing.public_key().id())),
        }
    }

    /// Whether there is time enough to sign with it, and to have that logged and stamped.
    pub(super) fn lasts(&self) -> bool {
        let until = clock::now() + MARGIN;
        self.certified.as_ref().is_none_or(|certified| certified.certificate.is_valid_at(until))
    }
}

/// In seconds; logs and timestamp authorities have a minute to answer.
const MARGIN: i64 = 75;
