//! Every bound on what a registry, a helper or an archive may make us do.
//!
//! What a hostile or broken registry can send, where it ends, and what is said then. Times and sizes are
//! those of [`Limits::default`]. `tests/client` holds each row to it, `lies.rs` most of them; `memory.rs`
//! measures a process that meets what is endless.
//!
//! | what comes | it ends after | memory held | said |
//! |---|---|---|---|
//! | content of another digest | the size in its descriptor | a chunk; what is asked for whole: its size | [`DigestMismatch`](E::DigestMismatch) |
//! | content of another size, a body without end, a chunk without end | the size in its descriptor, and one byte | the same | [`SizeMismatch`](E::SizeMismatch) |
//! | a manifest or list without end | 4 MiB ([`MAX_MANIFEST_BYTES`], [`Limits::page_bytes`]) | that | [`TooLarge`](E::TooLarge) |
//! | a token or a helper's answer without end | 256 KiB ([`Limits::small_bytes`]) | that | [`TooLarge`](E::TooLarge), [`CredentialHelper`](E::CredentialHelper) |
//! | an error page of 1 GiB | 64 KiB | that | what the status says |
//! | headers without end, in number or length | 100 headers, about 400 KiB | that | [`Malformed`](E::Malformed), not tried again |
//! | a wrong `Content-Length` | the stated or the described size, whichever is less | a chunk | [`SizeMismatch`](E::SizeMismatch), [`Unreachable`](E::Unreachable) where less comes than was stated, [`Malformed`](E::Malformed) where two are stated |
//! | a gzip bomb in `Content-Encoding` | as content: nothing is unpacked | as content | as content |
//! | silence | 30 s ([`Limits::idle`]), 10 s to connect ([`Limits::connect`]) | nothing | [`Timeout`](E::Timeout) |
//! | a manifest, list or token a byte at a time | 60 s ([`Limits::request`]) | at most its bound | [`Timeout`](E::Timeout) |
//! | a blob a byte at a time | 60 s and 1 s for each 16 KiB ([`Limits::slowest`]) | a chunk | [`Timeout`](E::Timeout) |
//! | redirects without end, in a loop or onwards | 5 ([`Limits::redirects`]) | nothing | [`RedirectRefused`](E::RedirectRefused) |
//! | a redirect, upload or page to plain HTTP or another protocol | it is not followed | nothing | [`RedirectRefused`](E::RedirectRefused) |
//! | 10,000 referrers and more | 10,000 ([`Limits::referrers`]) | those | [`LimitHit`](E::LimitHit) beside what was listed |
//! | 10,000 pages of referrers, full or empty | 1,000 ([`Limits::pages`]) | what they list | [`LimitHit`](E::LimitHit) beside what was listed |
//! | a next page on another host, of another list, or read before | it is not fetched | what was listed | [`RedirectRefused`](E::RedirectRefused), beside what was listed |
//! | 401 for ever | one new grant for a request, one more for an upload | nothing | [`Unauthorized`](E::Unauthorized) |
//! | 429 or 5xx for ever, but 501 and 507 | 4 attempts ([`Limits::attempts`]) or 20 s of waiting ([`Limits::retry_wait`]) | nothing | [`RateLimited`](E::RateLimited), [`Server`](E::Server) |
//! | a gzipped archive that unpacks without end | 16 GiB ([`Limits::unpacked_bytes`]) on the disk | a buffer | [`TooLarge`](E::TooLarge) |
//! | a layout or archive that lists manifests without end | 128 MiB of them ([`Limits::listed_bytes`]), each once | its list | [`LimitHit`](E::LimitHit) beside what was found |
//! | writers of one fallback tag for ever | 32 rounds ([`Limits::fallback_rounds`]) | the index | [`Conflict`](E::Conflict) |
//!
//! Times are for one attempt; a request that may be repeated takes [`Limits::attempts`] of them at most.
//! Content is carried in chunks as they come from the connection, some tens of KiB; a copy holds
//! [`CopyOptions::parallel`](crate::CopyOptions::parallel) of them.

use std::time::Duration;

use signet_formats::oci::MAX_MANIFEST_DEPTH;

#[cfg(doc)]
use signet_formats::oci::MAX_MANIFEST_BYTES;

#[cfg(doc)]
use crate::Error as E;

/// The bounds. [`Limits::default`] is what the command uses; tests shorten the times.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Descriptors in one list of referrers, all pages together.
    pub referrers: usize,
    /// Tags in one repository's list, all pages together.
    pub tags: usize,
    /// Pages of one list.
    pub pages: usize,
    /// Bytes of one page of a list.
    pub page_bytes: usize,
    /// Bytes of a token server's answer, a helper's output and a credentials file.
    pub small_bytes: usize,
    /// Redirects in a row.
    pub redirects: usize,
    /// Times a request is sent, the first included.
    pub attempts: u32,
    /// Time spent waiting between the attempts of one request; a longer `Retry-After` gives up at once.
    pub retry_wait: Duration,
    /// Time to reach a host.
    pub connect: Duration,
    /// Time without a byte arriving.
    pub idle: Duration,
    /// Time for one whole manifest, list or token, its attempts not counted together.
    pub request: Duration,
    /// Bytes a second below which a blob's transfer is given up; counted after [`Limits::request`].
    pub slowest: u64,
    /// Time for a credential helper.
    pub helper: Duration,
    /// Requests under way at once in one client.
    pub parallel: usize,
    /// Bytes of one chunk, where a registry wants uploads in chunks. A chunk is held in memory.
    pub chunk: usize,
    /// Rounds of read, change, write and read again on a fallback tag.
    pub fallback_rounds: u32,
    /// Manifests that one copy carries.
    pub copy_manifests: usize,
    /// How deep manifests may refer to or contain one another.
    pub depth: usize,
    /// Bytes of the manifests that a layout or archive lists, all that are opened to see what they are.
    pub listed_bytes: usize,
    /// Entries of an archive.
    pub archive_entries: usize,
    /// Bytes that a gzipped archive may unpack to.
    pub unpacked_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            referrers: 10_000,
            tags: 100_000,
            pages: 1_000,
            page_bytes: 4 * 1024 * 1024,
            small_bytes: 256 * 1024,
            redirects: 5,
            attempts: 4,
            retry_wait: Duration::from_secs(20),
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            request: Duration::from_secs(60),
            slowest: 16 * 1024,
            helper: Duration::from_secs(20),
            parallel: 8,
            chunk: 8 * 1024 * 1024,
            fallback_rounds: 32,
            copy_manifests: 20_000,
            depth: MAX_MANIFEST_DEPTH,
            listed_bytes: 128 << 20,
            archive_entries: 100_000,
            unpacked_bytes: 16 << 30,
        }
    }
}

impl Limits {
    /// The time that a blob of `size` bytes may take.
    pub(crate) fn transfer(&self, size: u64) -> Duration {
        self.request + Duration::from_secs(size / self.slowest.max(1))
    }
}
