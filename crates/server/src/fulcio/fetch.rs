//! Documents of issuers, over HTTPS.

use async_trait::async_trait;
use signet_services::oidc::{Fetch, FetchError};

use crate::outgoing::{Outgoing, document};

/// Gets documents. No redirects: one would let somebody else than the issuer say what its keys are.
#[derive(Default)]
pub struct HttpFetch(Outgoing);

#[async_trait]
impl Fetch for HttpFetch {
    async fn get(&self, url: &str, limit: usize) -> Result<Vec<u8>, FetchError> {
        document(self.0.get(url).await?, limit).await.map(Into::into)
    }
}
