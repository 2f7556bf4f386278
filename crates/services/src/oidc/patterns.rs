//! Patterns of identities and of issuers' URLs, always of the whole text.

/// A set of identities: text in which `*` stands for anything, or, where there is an `@` in the text, for anything without one.
///
/// An `@` ends what whoever builds can choose: `…/x.yml@refs/heads/a@refs/tags/v1` is a branch's, and of no set of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identities(String);

impl Identities {
    /// Identities of this shape, the whole of it.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_owned())
    }

    /// Whether the identity is one of them.
    pub fn contains(&self, identity: &str) -> bool {
        let parted = self.0.contains('@');
        glob(&self.0, identity, false, |byte| !parted || byte != b'@')
    }
}

/// A URL in which `*` stands for `[-_a-zA-Z0-9]+`, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(String);

impl Pattern {
    /// `None` for a pattern that a stranger's URL could match: not https, or without two fixed labels at
    /// the end of its host.
    pub(super) fn new(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("https://")?;
        let host = rest.split(['/', ':', '?', '#']).next()?;
        let fixed = host.rsplit('.').take(2).all(|label| !label.is_empty() && !label.contains('*'));
        (fixed && host.contains('.') && !host.contains('@')).then(|| Self(text.to_owned()))
    }

    pub(super) fn matches(&self, url: &str) -> bool {
        let in_class = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        url.len() <= MAX_URL && glob(&self.0, url, true, in_class)
    }
}

/// Whether `pattern` matches the whole of `text`, `*` standing for at least `least` bytes that `run`
/// accepts. In time that grows with the product of their lengths and no faster.
fn glob(pattern: &str, text: &str, least: bool, run: impl Fn(u8) -> bool) -> bool {
    let mut segments = pattern.split('*');
    let first = segments.next().unwrap_or_default();
    // At which places of the text what was read of the pattern can end.
    let mut ends = vec![false; text.len() + 1];
    if let Some(end) = ends.get_mut(first.len()).filter(|_| text.starts_with(first)) {
        *end = true;
    }
    for segment in segments {
        let starts = after_run(&ends, text.as_bytes(), least, &run);
        ends = after_segment(&starts, text.as_bytes(), segment.as_bytes());
    }
    ends.last().copied().unwrap_or(false)
}

/// Where a run that begins at one of `ends` can end.
fn after_run(ends: &[bool], text: &[u8], least: bool, run: impl Fn(u8) -> bool) -> Vec<bool> {
    let mut inside = false;
    let mut before = None;
    let bytes = std::iter::once(None).chain(text.iter().map(Some));
    let places = ends.iter().zip(bytes).map(|(end, byte)| {
        let goes_on = byte.is_some_and(|byte| run(*byte)) && (inside || before == Some(true));
        before = Some(*end);
        inside = goes_on || (*end && !least);
        inside
    });
    places.collect()
}

/// Where the segment can end if it begins at one of `starts`.
fn after_segment(starts: &[bool], text: &[u8], segment: &[u8]) -> Vec<bool> {
    let mut ends = vec![false; starts.len()];
    for (at, _) in starts.iter().enumerate().filter(|(_, start)| **start) {
        let matches = text.get(at..).is_some_and(|rest| rest.starts_with(segment));
        if let Some(end) = ends.get_mut(at + segment.len()).filter(|_| matches) {
            *end = true;
        }
    }
    ends
}

/// The longest URL of an issuer.
pub(super) const MAX_URL: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    /// GHSA-59jp-pj84-45mr: `https://*.example.com` matched `https://x.example.com.evil.net`.
    #[test]
    fn ghsa_59jp_pj84_45mr_patterns_of_meta_issuers_are_anchored() {
        let pattern = Pattern::new("https://oidc.eks.*.amazonaws.com/id/*").unwrap();
        assert!(
            pattern.matches("https://oidc.eks.eu-west-1.amazonaws.com/id/B02C93B6A2D30341AD01E1B6D48164CB")
        );
        for stranger in [
            "https://oidc.eks.eu-west-1.amazonaws.com/id/B02C/evil",
            "https://oidc.eks.evil.net/x.amazonaws.com/id/B02C",
            "https://evil.net/https://oidc.eks.eu.amazonaws.com/id/B",
            "https://oidc.eks..amazonaws.com/id/B",
            "https://oidc.eks.eu.amazonaws.com/id/",
            "http://oidc.eks.eu.amazonaws.com/id/B",
        ] {
            assert!(!pattern.matches(stranger), "{stranger}");
        }
        for open in [
            "https://*",
            "https://*.com",
            "https://x.*",
            "http://a.b.c/*",
            "https://u@*.b.c",
            "https://*.b.*/c",
        ] {
            assert_eq!(Pattern::new(open), None, "{open}");
        }
    }

    #[test]
    fn a_pattern_cannot_be_made_to_run_for_long() {
        let pattern =
            Pattern::new(&format!("https://{}.example.com/{}", "*".repeat(30), "*a".repeat(200))).unwrap();
        assert!(!pattern.matches(&format!("https://x.example.com/{}!", "a".repeat(2_000))));
        assert!(Identities::new(&"*".repeat(1_000)).contains(&"a".repeat(2_000)));
        assert!(!Identities::new(&"*a".repeat(1_000)).contains(&format!("{}b", "a".repeat(2_000))));
    }

    #[test]
    fn identities_are_matched_whole() {
        let ours = Identities::new("https://github.com/ours/*");
        assert!(ours.contains("https://github.com/ours/app/.github/workflows/x.yml@refs/heads/main"));
        assert!(!ours.contains("https://evil.net/https://github.com/ours/app"));
        assert!(Identities::new("*@example.com").contains("a@example.com"));
        assert!(!Identities::new("*@example.com").contains("a@example.com.evil.net"));
        assert!(!Identities::new("a@example.com").contains("ba@example.com"));
    }

    #[test]
    fn a_branch_that_is_called_like_a_tag_is_no_tag() {
        let job =
            |file: &str, reference: &str| format!("https://h/acme/app/.github/workflows/{file}@{reference}");
        let tags = Identities::new("https://h/acme/app/.github/workflows/*@refs/tags/*");
        assert!(tags.contains(&job("a.yml", "refs/tags/v1")));
        assert!(!tags.contains(&job("evil.yml", "refs/heads/x@refs/tags/v1")));
        assert!(!tags.contains(&job("evil.yml@refs/tags", "refs/heads/x")));
        let with_at = Identities::new("https://h/acme/app/.github/workflows/*@refs/tags/*@*");
        assert!(with_at.contains(&job("a.yml", "refs/tags/app@1.2.3")));
        assert!(!with_at.contains(&job("evil.yml", "refs/heads/x@refs/tags/v1")));
        assert!(Identities::new("https://h/acme/*").contains(&job("a.yml", "refs/tags/app@1.2.3")));
    }
}
