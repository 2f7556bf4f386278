//! HTTP faces of the services. A face has no rules: it asks the stores and the deciders below it.

pub mod http;
pub mod registry;
pub mod rekor;
