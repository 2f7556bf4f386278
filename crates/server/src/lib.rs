//! HTTP faces of the services. A face has no rules: it asks the stores and the deciders below it.

mod answer;
pub mod exposure;
pub mod fulcio;
pub mod host;
mod metrics;
pub mod monitor;
pub mod oidc_dev;
mod outgoing;
mod pieces;
pub mod registry;
pub mod rekor;
mod spare;
pub mod stack;
mod stamp;
pub mod static_ct;
pub mod tsa;
pub mod tuf;
pub mod turns;
pub mod witness;
