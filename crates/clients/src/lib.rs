//! Clients of the trust services: certificates ([`fulcio`]), log entries ([`rekor`]), timestamps ([`tsa`])
//! and the identity tokens behind them ([`oidc`]); and files of trust repositories ([`file`]).
//!
//! Trusted? Nothing that a service answers is believed here: it is read within bounds and handed on, and
//! whoever signs verifies the whole before it is used. Tokens go to the authority that was named, over HTTPS
//! or to this machine, never along a redirect, and are shown nowhere.

mod error;
pub mod file;
pub mod fulcio;
pub mod oidc;
pub mod rekor;
pub mod tsa;
mod web;

pub use error::{Error, Result};
pub use signet_http::TlsOptions;
pub use web::{Limits, Web};
