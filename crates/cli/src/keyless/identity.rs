//! The key of the moment and its certificate, kept for all that one run signs while it is valid.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use signet_clients::fulcio;
use signet_crypto::KeyAlgorithm;
use signet_formats::x509::Certificate;
use signet_keys::PrivateKey;
use signet_verify::{CertificateIdentity, Code, Matcher, Principal};
use tokio::sync::Mutex;

use super::services::Services;
use super::tokens::Tokens;
use crate::args::KeylessArgs;
use crate::clock;
use crate::error::{CliError, Stop};
use crate::face::Face;
use crate::signing::Signing;

/// Identities, one after another: the next when the certificate of the last is about to end.
pub(super) struct Identities {
    current: Mutex<Option<Arc<Identity>>>,
    tokens: Tokens,
}

impl Identities {
    /// None yet.
    pub(super) fn new(args: &KeylessArgs, services: &Services, face: Face) -> Result<Self, CliError> {
        Ok(Self { current: Mutex::new(None), tokens: Tokens::new(args, services, face)? })
    }

    /// The identity to sign with now. Whoever asks at once waits for the one who is getting it.
    pub(super) async fn current(&self, services: &Services) -> Result<Arc<Identity>, Stop> {
        let mut current = self.current.lock().await;
        if let Some(identity) = current.as_ref().filter(|identity| identity.lasts()) {
            return Ok(Arc::clone(identity));
        }
        let next = Arc::new(self.certify(services).await?);
        *current = Some(Arc::clone(&next));
        Ok(next)
    }

    async fn certify(&self, services: &Services) -> Result<Identity, Stop> {
        let token = self.tokens.get(&services.web).await?;
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(CliError::internal)?;
        let signing = Signing::new(key, None)?;
        let proof = signing.proof(token.challenge()?).await?;
        let key = signing.public_key();
        let chain = fulcio::certify(&services.web, &services.authority, &token, key, &proof).await?;
        let certificate = chain.into_iter().next();
        let certificate = certificate.ok_or_else(|| CliError::internal("a chain without certificates"))?;
        Ok(Identity::of(signing, certificate)?)
    }
}

/// A key, and the certificate that says whose it is.
pub(super) struct Identity {
    signing: Signing,
    certificate: Certificate,
    subject: String,
    issuer: String,
}

impl Identity {
    fn of(signing: Signing, certificate: Certificate) -> Result<Self, CliError> {
        let unusable =
            |what: &str| CliError::new(Code::TrustServiceMalformed, format!("the certificate {what}"));
        let subject = certificate.subject_alt_names().iter().find_map(|name| name.text()).map(str::to_owned);
        let claims = certificate.fulcio().map_err(|error| unusable(&format!("cannot be read: {error}")))?;
        let issuer = claims.issuer().map(str::to_owned);
        Ok(Self {
            subject: subject.ok_or_else(|| unusable("names nobody"))?,
            issuer: issuer.ok_or_else(|| unusable("does not say who vouches for its holder"))?,
            signing,
            certificate,
        })
    }

    /// The key, as it signs.
    pub(super) fn signing(&self) -> &Signing {
        &self.signing
    }

    /// The certificate for the key.
    pub(super) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The identity as a policy names it.
    pub(super) fn principal(&self) -> Principal {
        Principal::Certificate(CertificateIdentity {
            identity: Matcher::Exact(self.subject.clone()),
            issuer: Matcher::Exact(self.issuer.clone()),
            claims: BTreeMap::new(),
        })
    }

    /// Whether there is time enough to sign with it, and to have that logged and stamped.
    fn lasts(&self) -> bool {
        self.certificate.is_valid_at(clock::now() + MARGIN)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (issuer {})", self.subject, self.issuer)
    }
}

/// In seconds; logs and timestamp authorities have a minute to answer.
const MARGIN: i64 = 75;
