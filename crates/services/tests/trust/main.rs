//! The distribution of trust: repositories that Signet makes, and the home of a client that follows one.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests")]

mod home;
mod memory;
mod publisher;
