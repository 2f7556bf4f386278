//! The client of The Update Framework, against repositories that lie. What tuf-conformance and the published
//! defects of other clients taught is here by name.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests are tests")]

mod changed;
mod client;
mod defects;
mod delegations;
mod follow;
mod fresh;
mod signatures;
