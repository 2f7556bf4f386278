//! The key of the moment and its certificate, kept for all that one run signs while it is valid.

use std::sync::Arc;

use signet_clients::{Web, fulcio};
use signet_crypto::KeyAlgorithm;
use signet_keys::PrivateKey;
use tokio::sync::Mutex;

use super::config::Authority;
use super::signatory::Signatory;
use super::tokens::Tokens;
use crate::args::KeylessArgs;
use crate::error::{CliError, Stop};
use crate::face::Face;
use crate::signing::Signing;

/// Certified keys, one after another: the next when the certificate of the last is about to end.
pub(super) struct Identities {
    current: Mutex<Option<Arc<Signatory>>>,
    /// The base URL of the certificate authority.
    authority: String,
    tokens: Tokens,
}

impl Identities {
    /// None yet.
    pub(super) fn new(args: &KeylessArgs, authority: Authority, face: Face) -> Self {
        let Authority { url, issuer } = authority;
        Self { current: Mutex::new(None), authority: url, tokens: Tokens::new(args, issuer, face) }
    }

    /// The one to sign with now. Whoever asks at once waits for the one who is getting it.
    pub(super) async fn current(&self, web: &Web) -> Result<Arc<Signatory>, Stop> {
        let mut current = self.current.lock().await;
        if let Some(signatory) = current.as_ref().filter(|signatory| signatory.lasts()) {
            return Ok(Arc::clone(signatory));
        }
        let next = Arc::new(self.certify(web).await?);
        *current = Some(Arc::clone(&next));
        Ok(next)
    }

    async fn certify(&self, web: &Web) -> Result<Signatory, Stop> {
        let token = self.tokens.get(web).await?;
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(CliError::internal)?;
        let signing = Signing::new(Box::new(key), None)?;
        let proof = signing.proof(token.challenge()?).await?;
        let key = signing.public_key();
        let chain = fulcio::certify(web, &self.authority, &token, key, &proof).await?;
        let certificate = chain.into_iter().next();
        let certificate = certificate.ok_or_else(|| CliError::internal("a chain without certificates"))?;
        Ok(Signatory::certified(signing, certificate)?)
    }
}
