//! The binary formats against vectors of other projects and against real peers.
#![expect(clippy::disallowed_methods, reason = "tests read vectors and run openssl")]
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod certificates;
mod logs;
mod never_panics;
mod peers;
mod timestamps;
mod vectors;
mod written;
