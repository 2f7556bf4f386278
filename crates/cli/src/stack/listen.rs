//! Addresses to listen on, as configuration files write them.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::args::address;

/// An address and a port; a name is taken for an address when the file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Listen(pub(crate) SocketAddr);

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        address(&text).map(Self).map_err(|why| de::Error::custom(format!("`{text}`: {why}")))
    }
}
