//! Every byte format Signet reads or writes: decode, encode, keep the raw bytes.
//!
//! Pure: no clock, no I/O, no async, no threads, no randomness. A parser takes bytes and returns a
//! value or an error that says what was wrong; each bounds the sizes, counts and depths it accepts.

mod asn1;
pub mod checkpoint;
pub mod cms;
pub mod cosignature;
pub mod merkle;
pub mod note;
pub mod oci;
pub mod sct;
pub mod timestamp;
pub mod x509;
