//! What each fuzz target holds of any bytes: no panic, and the property of its format.
//!
//! What was read and written again reads as the same; where a format has one spelling only, the bytes
//! are the same. A yes of the decision means what the seed it came from means.

mod binary;
mod decision;
mod documents;
mod text;

pub use binary::{cms, sct, static_ct, timestamp, tlog, x509};
pub use decision::decide;
pub use documents::{
    bundle, canonical_json, cosign, dsse, evidence, in_toto, json, local_bundle, oci_manifest, policy,
    rekor_body, rekor_entry, rekor_request, rekor_v1, signing_config, simple_signing, trust_bundle,
    trusted_root, tuf,
};
pub use text::{base64, checkpoint, jwt, merkle, note, oci_reference, pem, time};
