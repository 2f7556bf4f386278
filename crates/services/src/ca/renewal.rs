//! A CA that goes on for years: before an intermediate ends there is a next one, also without a restart.

use std::sync::{Arc, PoisonError};

use super::{Ca, Hierarchy};
use crate::authority::AuthorityError;
use crate::given_key::keep_asking;
use crate::key_files::refuse_moved;
use crate::succession::keep_renewed;

impl Ca {
    /// Makes the next intermediate if it is time, and says whether it did: verifiers have to learn of it before it is used. One
    /// whose certificates come from elsewhere makes none.
    pub async fn renew(&self) -> Result<bool, AuthorityError> {
        let inner = &self.inner;
        if inner.given {
            return Ok(false);
        }
        refuse_moved(&inner.dir)?;
        let renewed = Hierarchy::of_directory(&inner.dir, inner.clock.seconds(), inner.development).await?;
        let is_new = renewed.chains().count() > inner.hierarchy().chains().count();
        if is_new {
            *inner.hierarchy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(renewed);
        }
        Ok(is_new)
    }

    /// Renews for ever, and asks the key whether it signs; `then` is called with each new intermediate in place.
    pub async fn keep_renewed(self, then: impl Fn()) {
        tokio::join!(keep_renewed(|| self.renew(), then), self.keep_asking());
    }

    /// Asks the key that it was given.
    async fn keep_asking(&self) {
        let hierarchy = self.inner.hierarchy();
        if let Some(given) = hierarchy.first().filter(|_| self.inner.given) {
            keep_asking(given.signer()).await;
        }
    }
}
