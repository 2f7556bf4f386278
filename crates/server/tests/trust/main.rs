//! The faces of the trust services as clients see them: real HTTP on a free loopback port.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests are tests")]

mod ca;
mod ct;
mod harness;
#[path = "../shared/lines.rs"]
mod lines;
mod tsa;
mod tuf;
mod witness;
