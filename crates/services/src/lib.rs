//! The trust services. They have no HTTP and no global state: each is a handle that clones, built from
//! its data directory, its signer and its clock.
//!
//! - [`ca`]: a keyless certificate authority of Fulcio's kind, with [`oidc`] for whom it believes.
//! - [`ctlog`]: a log of certificates (RFC 6962, C2SP static-ct-api).
//! - [`log`]: a transparency log (C2SP tlog-tiles).
//! - [`monitor`]: follows logs, keeps them to one history, and watches who signs in them.
//! - [`quiet`]: lines of a log that others can cause at will.
//! - [`trust`]: the distribution of trust (TUF), client and publisher.
//! - [`tsa`]: a timestamp authority (RFC 3161) that knows how well it knows the time.
//! - [`witness`]: cosigns what logs publish, once and in one history (C2SP tlog-witness).

pub mod authority;
pub mod ca;
pub mod clock;
pub mod ctlog;
mod given_key;
pub mod journal;
pub mod key_files;
mod limit;
pub mod log;
pub mod monitor;
mod note_keys;
pub mod oidc;
mod own_key;
pub mod quiet;
mod root;
mod succession;
pub mod trust;
pub mod tsa;
pub mod witness;

pub use own_key::made_up_name;
