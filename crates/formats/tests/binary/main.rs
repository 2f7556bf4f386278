//! The binary formats against vectors of other projects and against real peers.
#![expect(clippy::disallowed_methods, reason = "tests read vectors and run openssl")]

mod certificates;
mod logs;
mod never_panics;
mod peers;
mod timestamps;
mod vectors;
