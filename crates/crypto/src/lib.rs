//! Digests, public keys and signature verification.
//!
//! Pure: no clock, no I/O, no randomness. Verification runs on aws-lc-rs; Ed25519ph, for which that
//! library has no safe interface, on `ed25519-dalek`. Private keys live in `signet-keys`.

mod digest;
mod key;
mod prehashed;
mod scheme;

pub use digest::{Digest, DigestAlgorithm, DigestParseError, Hasher};
pub use key::{KeyAlgorithm, KeyError, PublicKey, SignatureInvalid};
pub use prehashed::PrehashedSha512;
pub use scheme::Scheme;
