//! `sigstore-verify` behind one function.

use rustix::time::{ClockId, clock_gettime};
use signet_testkit::forge::Vector;
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, DerPublicKey};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, verify};

/// Judges the bundle by the vector's artifact, trust root and identity; the reason of a no.
pub(crate) fn judge(vector: &Vector, bundle: &[u8]) -> Result<(), String> {
    judge_by(&trusted_root(vector)?, vector, bundle)
}

/// The CPU time of reading and judging the vector's bundle, its trust root read before, as the mean of some.
pub(crate) fn microseconds(vector: &Vector) -> f64 {
    let root = trusted_root(vector).expect("a good vector");
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
    };
    let judged = || judge_by(&root, vector, &vector.bundle).expect("a good vector");
    judged();
    let start = now();
    (0..CALLS).for_each(|_| judged());
    (now() - start) / f64::from(CALLS)
}

fn trusted_root(vector: &Vector) -> Result<TrustedRoot, String> {
    TrustedRoot::from_json(text(&vector.trusted_root)?).map_err(|e| format!("trust root: {e}"))
}

fn judge_by(root: &TrustedRoot, vector: &Vector, bundle: &[u8]) -> Result<(), String> {
    let bundle = Bundle::from_json(text(bundle)?).map_err(|e| format!("bundle unreadable: {e}"))?;
    let artifact = vector.artifact.as_slice();
    let result = match &vector.key {
        Some(pem) => {
            let key = DerPublicKey::from_pem(pem).map_err(|e| format!("key: {e}"))?;
            verify(artifact, &bundle, &PublicKeyVerificationPolicy::new(key), root)
        }
        None => {
            let (identity, issuer) = vector.identity.clone();
            verify(artifact, &bundle, &VerificationPolicy::new(identity, issuer), root)
        }
    };
    result.map(|_| ()).map_err(|e| e.to_string())
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}

const CALLS: u32 = 50;
