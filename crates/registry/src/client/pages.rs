//! Lists that come in pages (distribution-spec, "Listing Tags", "Listing Referrers"; RFC 8288).

use std::collections::HashSet;

use bytes::Bytes;
use http::header::LINK;
use http::{HeaderMap, Method};
use reqwest::Url;
use signet_formats::oci::Repository;

use super::call::{Access, Call};
use super::{Client, url};
use crate::{Error, Result};
use signet_http::same_origin;

/// The pages of one list, fetched as they are asked for.
pub(super) struct Pages<'a> {
    client: &'a Client,
    repository: &'a Repository,
    what: String,
    first: Url,
    next: Option<Url>,
    read: HashSet<Url>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(
        client: &'a Client,
        repository: &'a Repository,
        rest: &str,
        what: String,
    ) -> Result<Self> {
        let first = url(client.transport(), repository, rest)?;
        let read = HashSet::new();
        Ok(Self { client, repository, what, next: Some(first.clone()), first, read })
    }

    /// The next page's body; none after the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(page) = self.next.take() else { return Ok(None) };
        let limits = self.client.limits();
        if self.read.len() >= limits.pages {
            return Err(Error::LimitHit {
                what: format!("pages of {}", self.what),
                limit: limits.pages as u64,
            });
        }
        self.read.insert(page.clone());
        let call = Call::new(Method::GET, page.clone(), self.repository, Access::Pull, self.what.clone());
        let answer = self.client.transport().fetch(&call, limits.page_bytes).await?;
        self.next = self.linked(&page, &answer.headers)?;
        Ok(Some(answer.body))
    }

    /// The next page must be of the same list on the same host, and not one that has been read.
    fn linked(&self, page: &Url, headers: &HeaderMap) -> Result<Option<Url>> {
        let mut texts = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
        let Some(target) = texts.find_map(next_target) else { return Ok(None) };
        let refused =
            |target: String, reason| Error::RedirectRefused { what: self.what.clone(), target, reason };
        let url = page.join(target).map_err(|_| refused("?".to_owned(), "the next page is not a URL"))?;
        let shown = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
        if !same_origin(&url, page) {
            return Err(refused(shown, "the next page is on another host"));
        }
        if url.path() != self.first.path() {
            return Err(refused(shown, "the next page is of another list"));
        }
        match self.read.contains(&url) {
            true => Err(refused(shown, "the next page has been read")),
            false => Ok(Some(url)),
        }
    }
}

/// The target of `<target>; rel="next"` in one `Link` header.
fn next_target(header: &str) -> Option<&str> {
    header.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |p: &str| {
            p.trim().split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"') == "next"
            })
        };
        parameters.split(';').any(is_next).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::next_target;

    #[test]
    fn the_next_link_is_found_among_others() {
        assert_eq!(next_target("</v2/x?n=1>; rel=\"next\""), Some("/v2/x?n=1"));
        assert_eq!(next_target("<a>; rel=prev, <b>; title=x; rel=next"), Some("b"));
        assert_eq!(next_target("<a>; rel=prev"), None);
        assert_eq!(next_target("a; rel=next"), None);
    }
}
