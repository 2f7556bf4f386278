//! `sigstore-verify` behind one function.

use signet_testkit::forge::Vector;
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, DerPublicKey};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, verify};

/// Judges the bundle by the vector's artifact, trust root and identity; the reason of a no.
pub(crate) fn judge(vector: &Vector, bundle: &[u8]) -> Result<(), String> {
    let root = text(&vector.trusted_root)?;
    let root = TrustedRoot::from_json(root).map_err(|e| format!("trust root: {e}"))?;
    let bundle = Bundle::from_json(text(bundle)?).map_err(|e| format!("bundle unreadable: {e}"))?;
    let artifact = vector.artifact.as_slice();
    let result = match &vector.key {
        Some(pem) => {
            let key = DerPublicKey::from_pem(pem).map_err(|e| format!("key: {e}"))?;
            verify(artifact, &bundle, &PublicKeyVerificationPolicy::new(key), &root)
        }
        None => {
            let (identity, issuer) = vector.identity.clone();
            verify(artifact, &bundle, &VerificationPolicy::new(identity, issuer), &root)
        }
    };
    result.map(|_| ()).map_err(|e| e.to_string())
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}
