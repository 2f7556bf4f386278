//! The trust services. They have no HTTP and no global state: each is a handle that clones, built from
//! its data directory, its signer and its clock.
//!
//! - [`log`]: a transparency log (C2SP tlog-tiles).

pub mod log;
