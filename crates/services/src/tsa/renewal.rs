//! An authority that goes on for years: before its certificate ends there is a next one, also without a restart.

use std::sync::{Arc, PoisonError};

use super::{Identities, Tsa, TsaError};
use crate::given_key::keep_asking;
use crate::key_files::refuse_moved;
use crate::succession::keep_renewed;

impl Tsa {
    /// Makes the next key and certificate if it is time, and says whether it did: verifiers have to learn of them before they
    /// are used. One that was given its own makes none.
    pub async fn renew(&self) -> Result<bool, TsaError> {
        let inner = &self.inner;
        if inner.given {
            return Ok(false);
        }
        refuse_moved(&inner.dir)?;
        let (now, development) = (inner.config.clock.seconds(), inner.config.is_development());
        let renewed = Identities::of_directory(&inner.dir, now, development).await?;
        let is_new = renewed.chains().count() > inner.identities().chains().count();
        if is_new {
            *inner.identities.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(renewed);
        }
        Ok(is_new)
    }

    /// Renews for ever, makes up for what the disk refused, and asks the key whether it signs; `then` is called with each new
    /// certificate in place.
    pub async fn keep_renewed(self, then: impl Fn()) {
        let renewed = keep_renewed(|| self.renew(), then);
        tokio::join!(renewed, self.inner.serials.keep_reserved(), self.keep_asking());
    }

    /// Asks the key that it was given.
    async fn keep_asking(&self) {
        let identities = self.inner.identities();
        if let Some(given) = identities.first().filter(|_| self.inner.given) {
            keep_asking(given.signer()).await;
        }
    }
}
