//! The JSON of RFC 6962 §4, for both sides.

use serde::{Deserialize, Serialize};
use signet_formats::base64::Base64;
use signet_formats::sct::Sct;
use signet_formats::static_ct::MAX_CHAIN;
use signet_formats::x509::Certificate;

/// A chain that is submitted, the certificate first.
#[derive(Deserialize, Serialize)]
pub(crate) struct Chain {
    chain: Vec<Base64>,
}

impl Chain {
    /// The chain of these certificates.
    pub(crate) fn of<'a>(certificates: impl Iterator<Item = &'a Certificate>) -> Self {
        Self { chain: certificates.map(|certificate| Base64(certificate.der().to_vec())).collect() }
    }

    /// The certificates; `None` if one is none, or there are more than any log takes.
    pub(super) fn certificates(&self) -> Option<Vec<Certificate>> {
        if self.chain.len() > MAX_CHAIN + 1 {
            return None;
        }
        self.chain.iter().map(|der| Certificate::from_der(&der.0).ok()).collect()
    }
}

/// A promise.
#[derive(Deserialize, Serialize)]
pub(crate) struct Promise {
    sct_version: u8,
    id: Base64,
    timestamp: u64,
    extensions: Base64,
    /// The `digitally-signed` structure.
    signature: Base64,
}

impl Promise {
    pub(super) fn of(sct: &Sct) -> Option<Self> {
        Some(Self {
            sct_version: 0,
            id: Base64(sct.log_id().to_vec()),
            timestamp: sct.timestamp(),
            extensions: Base64(sct.extensions().to_vec()),
            signature: Base64(sct.digitally_signed()?),
        })
    }

    /// The structure of which these are the fields.
    pub(crate) fn sct(&self) -> Option<Sct> {
        let extensions = u16::try_from(self.extensions.0.len()).ok()?.to_be_bytes();
        let head = [&[self.sct_version], self.id.0.as_slice(), &self.timestamp.to_be_bytes(), &extensions];
        let whole = [&head.concat(), self.extensions.0.as_slice(), &self.signature.0].concat();
        Sct::parse(&whole).ok().filter(|_| self.id.0.len() == 32)
    }
}

/// The roots that a log accepts.
#[derive(Serialize)]
pub(super) struct Roots {
    certificates: Vec<Base64>,
}

impl Roots {
    pub(super) fn of(roots: &[Certificate]) -> Self {
        Self { certificates: roots.iter().map(|root| Base64(root.der().to_vec())).collect() }
    }
}
