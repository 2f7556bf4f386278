//! The distribution API over a real socket: what the conformance program taught, and what it does not ask.

mod access;
mod harness;
mod hostile;
mod manifests;
mod uploads;
