//! scrypt (RFC 7914) with its cost bounded before any memory is taken.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::password::Password;

/// scrypt parameters within the limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    log_n: u8,
    r: u32,
    p: u32,
}

impl Cost {
    /// Parameters from outside: at most [`MAX_MEMORY`] and `p` of [`MAX_P`].
    pub(super) fn new(n: u64, r: u64, p: u64) -> Result<Self, Error> {
        let refuse = |name, value, accepted| Error::KdfOutOfBounds { name, value, accepted };
        if !n.is_power_of_two() || !(2..=MAX_MEMORY / 128).contains(&n) {
            return Err(refuse("N", n, "a power of two, 2 to 1048576"));
        }
        if r == 0 || 128 * n * r.min(MAX_MEMORY) > MAX_MEMORY {
            return Err(refuse("r", r, "128 · N · r at most 128 MiB"));
        }
        if !(1..=MAX_P).contains(&p) {
            return Err(refuse("p", p, "1 to 4"));
        }
        let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Ok(Self { log_n: u8::try_from(n.ilog2()).unwrap_or(u8::MAX), r: narrow(r), p: narrow(p) })
    }

    /// Derives a key of `N` bytes.
    pub(super) fn derive<const N: usize>(
        self,
        password: &Password,
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; N]>, Error> {
        let failed = Error::Library { action: "derive a key with scrypt" };
        let Ok(params) = scrypt::Params::new(self.log_n, self.r, self.p) else { return Err(failed) };
        let mut key = Zeroizing::new([0; N]);
        match scrypt::scrypt(password.as_bytes(), salt, &params, key.as_mut_slice()) {
            Ok(()) => Ok(key),
            Err(_) => Err(failed),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scrypt N={} r={} p={}", 1u64 << self.log_n, self.r, self.p)
    }
}

/// What cosign's dearest parameters take: N = 131072, r = 8.
const MAX_MEMORY: u64 = 128 << 20;

/// Passes over that memory.
const MAX_P: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_accepted_up_to_the_limit_and_not_beyond() {
        for (n, r, p) in [(131_072, 8, 1), (2, 1, 1), (16_384, 8, 4), (1 << 20, 1, 1)] {
            assert!(Cost::new(n, r, p).is_ok(), "{n} {r} {p}");
        }
        for (n, r, p, name) in [
            (262_144, 8, 1, "r"),
            (65_535, 8, 1, "N"),
            (0, 8, 1, "N"),
            (1, 8, 1, "N"),
            (1 << 63, 8, 1, "N"),
            (65_536, 0, 1, "r"),
            (65_536, u64::MAX, 1, "r"),
            (65_536, 8, 0, "p"),
            (65_536, 8, 5, "p"),
            (2, 1, u64::MAX, "p"),
        ] {
            match Cost::new(n, r, p) {
                Err(Error::KdfOutOfBounds { name: found, .. }) => assert_eq!(found, name, "{n} {r} {p}"),
                other => panic!("{n} {r} {p}: {other:?}"),
            }
        }
    }

    /// RFC 7914 §12, third vector, which is the usual strength.
    #[test]
    fn the_rfc_vector_is_met() {
        let password = Password::new(b"pleaseletmein".to_vec());
        let key = Cost::new(16_384, 8, 1).unwrap().derive::<8>(&password, b"SodiumChloride").unwrap();
        assert_eq!(*key, [0x70, 0x23, 0xbd, 0xcb, 0x3a, 0xfd, 0x73, 0x48]);
    }
}
