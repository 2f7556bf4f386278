//! Credentials: where they come from, and what a registry's challenge makes of them.

mod challenge;
mod helper;
mod keychain;
mod token;

pub(crate) use challenge::Challenge;
pub use keychain::{Credentials, Found, Keychain, Origin};
pub(crate) use token::{Grant, TokenRequest, read_grant};
