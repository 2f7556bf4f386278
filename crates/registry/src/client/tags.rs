//! The tags of a repository.

use serde::Deserialize;
use signet_formats::oci::{Repository, Tag};

use super::Client;
use super::pages::Pages;
use crate::{Error, Result};

impl Client {
    /// Every tag of a repository, in the registry's order.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>> {
        let what = format!("the tags of {repository}");
        let mut pages = Pages::new(self, repository, "tags/list", what.clone())?;
        let mut tags = Vec::new();
        while let Some(body) = pages.next().await? {
            let list: TagList = serde_json::from_slice(&body)
                .map_err(|_| Error::malformed(&what, "it is not a list of tags"))?;
            for tag in list.tags.unwrap_or_default() {
                tags.push(tag.parse().map_err(|_| Error::malformed(&what, "a tag has a forbidden form"))?);
            }
            if tags.len() > self.limits().tags {
                return Err(Error::LimitHit { what, limit: self.limits().tags as u64 });
            }
        }
        Ok(tags)
    }
}

#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}
