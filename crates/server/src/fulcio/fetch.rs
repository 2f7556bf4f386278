//! Documents of issuers, over HTTPS.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use signet_services::oidc::{Fetch, FetchError};

use crate::outgoing::{Outgoing, document};

/// Gets documents. No redirects: one would let somebody else than the issuer say what its keys are.
#[derive(Default)]
pub struct HttpFetch {
    plain: Outgoing,
    /// By the authorities that they trust besides the system's; the configuration names them.
    trusting: Mutex<HashMap<String, Outgoing>>,
}

impl HttpFetch {
    fn client(&self, authorities: Option<&str>) -> Outgoing {
        let Some(authorities) = authorities else { return self.plain.clone() };
        let mut clients = self.trusting.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(authorities.to_owned());
        client.or_insert_with(|| Outgoing::trusting(authorities)).clone()
    }
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn get(&self, url: &str, authorities: Option<&str>, limit: usize) -> Result<Vec<u8>, FetchError> {
        document(self.client(authorities).get(url).await?, limit).await.map(Into::into)
    }
}
