//! Evidence made under test keys: authorities, logs, timestamps and signatures that are all sound, and
//! whose parts a test may exchange, withhold or contradict before it asks for a decision.
//!
//! A [`World`] is everything outside the signer. A [`Signing`] is one act of signing in it; each of its
//! fields may be bent. A [`Case`] is the five inputs of one decision, which can be written to a file.

mod case;
mod certificate;
mod der;
mod key;
mod log;
mod meaning;
mod signing;
mod timestamp;
mod trust;
mod vector;
mod world;

pub use case::{Case, any_key, any_signer, bundle_item, one_bundle, samples};
pub use certificate::{Authority, CertificateLog, San, Template};
pub use key::Key;
pub use log::{Entry, Log, Witness, inclusion_proof};
pub use meaning::Meaning;
pub use signing::{Content, Logging, Signing};
pub use timestamp::Stamper;
pub use trust::TrustRepository;
pub use vector::Vector;
pub use world::{ARTIFACT, ISSUER, SIGNED_AT, SIGNER, World, YEAR};
