//! Every bound on what a registry, a helper or an archive may make us do.

use std::time::Duration;

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
    /// Manifests that one copy carries, and how deep one may refer to another.
    pub copy_manifests: usize,
    /// How deep manifests may refer to or contain one another.
    pub depth: usize,
    /// Entries of an archive.
    pub archive_entries: usize,
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
            depth: 16,
            archive_entries: 100_000,
        }
    }
}

impl Limits {
    /// The time that a blob of `size` bytes may take.
    pub(crate) fn transfer(&self, size: u64) -> Duration {
        self.request + Duration::from_secs(size / self.slowest.max(1))
    }
}
