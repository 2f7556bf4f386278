//! Identity tokens: where they come from.
//!
//! A token that stands ready is found by [`ambient`]; a person logs in with [`browser`] or [`device`].
//! Whether a token is any good is for the certificate authority to say: here it is read, and not believed.

mod ambient;
mod browser;
mod device;
mod login;
mod token;

pub use ambient::{Ambient, Surroundings, ambient};
pub use browser::browser;
pub use device::{DeviceCode, device};
pub use login::{Login, Randomness};
pub use token::Token;
