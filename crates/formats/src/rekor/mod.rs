//! Entries of Sigstore's transparency log, Rekor v1 and v2: where an entry stands, what it says, and
//! what the log signed.

mod api_v1;
mod body;
mod entry;
mod facts;
mod key_details;
mod log_v1;
mod request;
mod wire_v1;
mod wire_v2;

pub use api_v1::{
    EntryV1, MAX_ANSWER_V1_BYTES, MAX_ANSWERS_V1_BYTES, MAX_RETRIEVED_V1, read_answer_v1, read_answers_v1,
};
pub use body::{
    Body, DsseV001, DsseV002, EntrySignature, EntrySignatureV002, HashedRekordV001, HashedRekordV002,
    IntotoV001, IntotoV002, MAX_BODY_BYTES, RekorError, Verifier,
};
pub(crate) use entry::WireEntry;
pub use entry::{EntryKind, InclusionProof, LoggedEntry, MAX_PROOF_HASHES, TlogEntry};
pub use facts::EntryFacts;
pub use key_details::PublicKeyDetails;
pub use log_v1::{MAX_LOG_V1_BYTES, MAX_TREES_V1, TreeV1, read_consistency_v1, read_log_v1};
pub use request::{HashedRekordRequest, MAX_REQUEST_BYTES};

#[cfg(test)]
mod tests;
