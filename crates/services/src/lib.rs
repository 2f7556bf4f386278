//! The trust services. They have no HTTP and no global state: each is a handle that clones, built from
//! its data directory, its signer and its clock.
//!
//! - [`tsa`]: a timestamp authority (RFC 3161) that knows how well it knows the time.

pub mod authority;
pub mod clock;
pub mod oidc;
pub mod tsa;
