//! What refers to a manifest: the referrers API, and the tag that stands in for it.

use std::collections::HashSet;

use serde::Deserialize;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, ManifestKind, Repository, Tag};

use super::Client;
use super::pages::Pages;
use crate::{Error, Result};

/// The referrers of one manifest.
///
/// Nothing here is verified: a descriptor's `artifactType` and annotations are what the registry or
/// the last writer of the fallback tag claims (cosign#4641), so whoever needs them opens the manifest.
#[derive(Clone, Debug)]
pub struct Referrers {
    /// The manifests that refer to it, each once.
    pub descriptors: Vec<Descriptor>,
    /// Where they were listed.
    pub via: ReferrersVia,
    /// Why there may be more of them than listed here; none where the list is whole.
    pub incomplete: Option<Error>,
}

/// Where referrers were listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferrersVia {
    /// By the referrers API.
    Api,
    /// By the fallback tag; the registry has no referrers API.
    Tag,
    /// By the API, which knew of none, and then by the fallback tag.
    Both,
}

impl Referrers {
    /// The descriptors, or why they are not all.
    pub fn into_complete(self) -> Result<Vec<Descriptor>> {
        match self.incomplete {
            Some(error) => Err(error),
            None => Ok(self.descriptors),
        }
    }
}

impl Client {
    /// What refers to `subject`: by the API; where that is missing or lists nothing, also by the
    /// fallback tag, for a registry that gained the API after the tag was written.
    ///
    /// An error is returned only where nothing could be listed; what fails later, or is too much,
    /// leaves the list incomplete.
    pub async fn referrers(&self, repository: &Repository, subject: &Digest) -> Result<Referrers> {
        let api = match self.listed(repository, subject).await {
            Ok(found) if !found.descriptors.is_empty() || found.incomplete.is_some() => return Ok(found),
            Ok(_) => true,
            Err(error) if is_unsupported(&error) => false,
            Err(error) => return Err(error),
        };
        let via = if api { ReferrersVia::Both } else { ReferrersVia::Tag };
        let tagged = self.fallback_index(repository, subject).await?;
        let mut list = List::new(self.limits().referrers);
        let incomplete =
            tagged.and_then(|index| list.extend(subject, index.manifest.manifests().to_vec()).err());
        Ok(Referrers { descriptors: list.descriptors, via, incomplete })
    }

    /// The index under the fallback tag, if there is one.
    pub(super) async fn fallback_index(
        &self,
        repository: &Repository,
        subject: &Digest,
    ) -> Result<Option<super::Resolved>> {
        let tag = Tag::referrers_fallback(subject);
        let found = self.tagged(repository, &tag).await?;
        match found.as_ref().is_none_or(|found| found.manifest.kind() == ManifestKind::Index) {
            true => Ok(found),
            false => Err(Error::malformed(format!("{repository}:{tag}"), "it is not an index of referrers")),
        }
    }

    async fn listed(&self, repository: &Repository, subject: &Digest) -> Result<Referrers> {
        let what = format!("the referrers of {repository}@{subject}");
        let mut pages = Pages::new(self, repository, &format!("referrers/{subject}"), what.clone())?;
        let mut list = List::new(self.limits().referrers);
        let mut incomplete = None;
        let mut first = true;
        while incomplete.is_none() {
            let page = match pages.next().await {
                Ok(Some(body)) => read_page(&what, &body),
                Ok(None) => break,
                Err(error) => Err(error),
            };
            match page.and_then(|descriptors| list.extend(subject, descriptors)) {
                Ok(()) => first = false,
                Err(error) if first && list.descriptors.is_empty() => return Err(error),
                Err(error) => incomplete = Some(error),
            }
        }
        Ok(Referrers { descriptors: list.descriptors, via: ReferrersVia::Api, incomplete })
    }
}

struct List {
    descriptors: Vec<Descriptor>,
    seen: HashSet<Digest>,
    most: usize,
}

impl List {
    fn new(most: usize) -> Self {
        Self { descriptors: Vec::new(), seen: HashSet::new(), most }
    }

    fn extend(&mut self, subject: &Digest, more: Vec<Descriptor>) -> Result<()> {
        for descriptor in more {
            if self.seen.contains(&descriptor.digest) {
                continue;
            }
            if self.descriptors.len() >= self.most {
                let what = format!("referrers of {subject}");
                return Err(Error::LimitHit { what, limit: self.most as u64 });
            }
            self.seen.insert(descriptor.digest);
            self.descriptors.push(descriptor);
        }
        Ok(())
    }
}

fn read_page(what: &str, body: &[u8]) -> Result<Vec<Descriptor>> {
    let page: Page = serde_json::from_slice(body)
        .map_err(|_| Error::malformed(what, "it is not an index of descriptors"))?;
    Ok(page.manifests.unwrap_or_default())
}

/// 404 says that there is no API; registries of before the specification also use these others.
fn is_unsupported(error: &Error) -> bool {
    match error {
        Error::NotFound { .. } | Error::Server { status: 501, .. } => true,
        Error::Refused { status, detail, .. } => {
            *status == 405 || (*status == 400 && detail.contains("UNSUPPORTED"))
        }
        _ => false,
    }
}

#[derive(Deserialize)]
struct Page {
    // Go encodes an empty list as null.
    manifests: Option<Vec<Descriptor>>,
}
