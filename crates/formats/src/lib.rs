//! Every byte format Signet reads or writes: decode, encode, keep the raw bytes.
//!
//! Pure: no clock, no I/O, no async, no threads, no randomness. A parser takes bytes and returns a
//! value or an error that says what was wrong; each bounds the sizes, counts and depths it accepts.

mod asn1;
pub mod base64;
mod bounded;
pub mod bundle;
pub mod canonical_json;
pub mod checkpoint;
pub mod cms;
pub mod cosign;
pub mod cosignature;
pub mod dsse;
mod exact;
pub mod in_toto;
pub mod json;
pub mod jwt;
pub mod merkle;
pub mod note;
mod objects;
pub mod oci;
pub mod pem;
pub mod proto_json;
pub mod rekor;
pub mod sct;
pub mod signing_config;
pub mod simple_signing;
pub mod static_ct;
pub mod text;
pub mod time;
pub mod timestamp;
pub mod tlog;
pub mod trust_bundle;
pub mod trusted_root;
pub mod tuf;
pub mod x509;
