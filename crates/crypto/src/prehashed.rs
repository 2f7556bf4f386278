//! A SHA-512 that was computed elsewhere, in the form `ed25519-dalek` takes it.

use digest::typenum::U64;
use digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update};

use crate::{Digest, DigestAlgorithm};

/// A finished SHA-512 that passes for the hasher of an Ed25519ph message.
///
/// Only for handing to `ed25519-dalek`: whatever is added to it is ignored.
#[derive(Clone, Default)]
pub struct PrehashedSha512(Output<Self>);

impl PrehashedSha512 {
    /// Wraps a SHA-512; `None` for a digest of another algorithm.
    pub fn new(digest: &Digest) -> Option<Self> {
        match digest.algorithm() {
            DigestAlgorithm::Sha512 => Output::<Self>::try_from(digest.as_bytes()).ok().map(Self),
            _ => None,
        }
    }
}

impl OutputSizeUser for PrehashedSha512 {
    type OutputSize = U64;
}

impl HashMarker for PrehashedSha512 {}

impl Update for PrehashedSha512 {
    /// The message was hashed before: nothing is ever added to it.
    fn update(&mut self, _data: &[u8]) {}
}

impl FixedOutput for PrehashedSha512 {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}
