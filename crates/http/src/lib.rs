//! What every HTTP client of Signet rests on: who is connected to and how ([`Connector`]), what a failure
//! means ([`Failure`]), bodies within bounds ([`collect`], [`collect_unpacked`]), and when to come back ([`retry_after`]).
//!
//! It knows no protocol above HTTP. Redirects are never followed here: whoever asks decides.

mod body;
mod connector;
mod failure;
mod pause;
mod place;
mod proxies;

pub use body::{CollectError, ENCODINGS, collect, collect_unpacked, printable};
pub use connector::{Connector, SetupError, Timeouts, TlsOptions};
pub use failure::Failure;
pub use pause::{backoff, jitter, retry_after};
pub use place::{host, is_loopback, same_origin, shown};
