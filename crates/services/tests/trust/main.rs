//! The distribution of trust: repositories that Signet makes, and the home of a client that follows one.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of tests are tests")]

mod golden;
mod home;
mod memory;
mod publisher;
mod refresh;
