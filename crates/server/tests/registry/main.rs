//! The distribution API over a real socket: what the conformance program taught, and what it does not ask.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests are tests")]

mod access;
mod damage;
mod gate;
mod harness;
mod hostile;
#[path = "../shared/lines.rs"]
mod lines;
mod log;
mod manifests;
mod memory;
mod tls;
mod uploads;
