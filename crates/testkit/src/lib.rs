//! What Signet's tests share: peers found on `PATH`, vectors of other projects, registries on loopback,
//! images pushed without any tool of ours, sandboxes that run programs apart from the user's files, and
//! a forge of evidence under test keys ([`forge`]).
//!
//! Development only: crates name it under `[dev-dependencies]`. It panics with the whole story when
//! something that a test takes for granted does not hold.

pub mod certify;
pub mod forge;
mod http;
mod log;
pub mod mutation;
mod note_key;
mod peer;
mod program;
mod rekor_v1;
mod repository;
mod sandbox;
mod server;
mod service;
mod shelf;
mod stack;
mod tap;
mod vectors;

pub use http::{Response, request};
pub use log::{LogServer, log_request};
pub use note_key::NoteKey;
pub use peer::{Peer, peers};
pub use program::{Program, free_address};
pub use rekor_v1::{RekorV1Log, RekorV1Server};
pub use repository::{OCI_INDEX, OCI_MANIFEST, Repository};
pub use sandbox::{Outcome, PASSWORD, Sandbox};
pub use server::RegistryServer;
pub use service::Service;
pub use shelf::Shelf;
pub use stack::StackServer;
pub use tap::Tap;
pub use vectors::vectors;

/// Says in one line that a test did not run and why; fails instead if the variable `required` is 1.
#[expect(clippy::print_stderr, reason = "the one line that tells a skip from a pass")]
fn skip(what: &str, required: &str) {
    let demanded = std::env::var_os(required).is_some_and(|value| value == "1");
    assert!(!demanded, "{required}=1, but this test needs {what}");
    eprintln!("skipped: needs {what}");
}
