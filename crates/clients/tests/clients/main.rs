//! The clients against fake services on loopback: what they send, and what they make of answers.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]

mod ambient;
mod fake;
mod login;
mod rekor;
mod services;
#[cfg(unix)]
mod spiffe;
mod web;

use std::time::Duration;

use serde_json::Value;
use signet_clients::{Limits, TlsOptions, Web};
use signet_formats::base64;

/// A way to services that gives up soon.
fn web() -> Web {
    let limits = Limits {
        request: Duration::from_secs(5),
        login: Duration::from_secs(5),
        poll: Duration::from_millis(10),
        helper: Duration::from_secs(5),
        ..Limits::default()
    };
    Web::new(TlsOptions::default(), limits)
}

/// A token that nobody signed.
fn token(claims: &Value) -> String {
    let header = base64::encode_url(r#"{"alg":"RS256"}"#);
    format!("{header}.{}.AAAA", base64::encode_url(claims.to_string()))
}
