//! The client against doubles of registries, token realms and proxies, truthful and not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the helpers of tests are tests, too, which clippy does not see"
)]

mod attachments;
mod auth;
mod child;
mod double;
mod lies;
mod memory;
mod proxy;
mod served;
mod shelf;
mod signers;
mod tags;
mod tls;
mod transfers;
mod uploads;
