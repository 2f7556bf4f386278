//! What `index.json` of a layout lists.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Manifest, Tag};

use crate::Error;

/// The annotation that names an entry of `index.json`.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// `index.json` as it was read.
pub(super) struct Listed {
    /// Its bytes: while they are the same, nothing is read again.
    pub(super) bytes: Vec<u8>,
    pub(super) index: Manifest,
    kinds: OnceLock<Kinds>,
}

impl Listed {
    pub(super) fn new(bytes: Vec<u8>, index: Manifest) -> Self {
        Self { bytes, index, kinds: OnceLock::new() }
    }

    /// What the listed manifests are. `subject` reads one and says what it refers to; each digest is read once.
    pub(super) fn kinds(&self, subject: impl FnMut(&Descriptor) -> Result<Option<Digest>, Error>) -> &Kinds {
        self.kinds.get_or_init(|| Kinds::of(self.index.manifests(), subject))
    }
}

/// What the listed manifests are.
#[derive(Default)]
pub(super) struct Kinds {
    /// Those that refer to others, by what they refer to; each once.
    referrers: HashMap<Digest, Vec<Descriptor>>,
    /// Those that do not, without cosign's attachments.
    images: Vec<Descriptor>,
    /// Why one was not read.
    unread: Option<Error>,
    /// Why one was not read that may be an image.
    unread_image: Option<Error>,
}

impl Kinds {
    fn of(
        entries: &[Descriptor],
        mut subject: impl FnMut(&Descriptor) -> Result<Option<Digest>, Error>,
    ) -> Self {
        let (mut kinds, mut read) = (Self::default(), HashMap::new());
        for entry in entries {
            let is_new = !read.contains_key(&entry.digest);
            let subject = read.entry(entry.digest).or_insert_with(|| subject(entry));
            kinds.add(entry, subject, is_new);
        }
        kinds
    }

    fn add(&mut self, entry: &Descriptor, subject: &Result<Option<Digest>, Error>, is_new: bool) {
        let is_attachment = entry.annotations.get(REF_NAME).is_some_and(|name| name.starts_with("sha256-"));
        match subject {
            Ok(Some(subject)) if is_new => {
                self.referrers.entry(*subject).or_default().push(entry.clone());
            }
            Ok(Some(_)) => {}
            Ok(None) if is_attachment => {}
            Ok(None) => self.images.push(entry.clone()),
            Err(error) => {
                self.unread.get_or_insert_with(|| error.clone());
                if !is_attachment {
                    self.unread_image.get_or_insert_with(|| error.clone());
                }
            }
        }
    }

    /// What refers to `subject`, in the order of the digests, and why there may be more.
    pub(super) fn referrers(&self, subject: &Digest) -> (Vec<Descriptor>, Option<Error>) {
        let mut found = self.referrers.get(subject).cloned().unwrap_or_default();
        found.sort_by_key(|descriptor| descriptor.digest);
        (found, self.unread.clone())
    }

    /// The only image there is, in the layout that is shown as `place`.
    pub(super) fn only_image(&self, place: &str) -> Result<&Descriptor, Error> {
        if let Some(error) = &self.unread_image {
            return Err(error.clone());
        }
        let different: HashSet<Digest> = self.images.iter().map(|image| image.digest).collect();
        match (self.images.first(), different.len()) {
            (Some(image), 1) => Ok(image),
            (None, _) => Err(Error::NotFound { what: format!("an image in {place}") }),
            _ => Err(Error::SeveralImages { place: place.to_owned(), tags: self.some_tags() }),
        }
    }

    fn some_tags(&self) -> String {
        let named = self.images.iter().filter_map(|image| image.annotations.get(REF_NAME));
        let tags: Vec<Tag> = named.filter_map(|name| name.parse().ok()).take(SHOWN_TAGS).collect();
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        if tags.is_empty() { String::new() } else { format!(": {}", tags.join(", ")) }
    }
}

const SHOWN_TAGS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(content: &str, tag: &str) -> Descriptor {
        let mut entry = Descriptor::of("t", content.as_bytes());
        entry.annotations.insert(REF_NAME.to_owned(), tag.to_owned());
        entry
    }

    /// A thousand times the same manifest had been opened a thousand times, at each look again.
    #[test]
    fn a_manifest_that_is_listed_often_is_read_once() {
        let image = Digest::sha256(b"image");
        let entries: Vec<_> =
            (0..1_000).flat_map(|i| [entry("image", &format!("v{i}")), entry("signature", "s")]).collect();
        let mut read = Vec::new();
        let kinds = Kinds::of(&entries, |entry| {
            read.push(entry.digest);
            Ok((entry.digest != image).then_some(image))
        });
        assert_eq!(read, [image, entries[1].digest]);
        assert_eq!(kinds.referrers(&image).0, [entries[1].clone()]);
        assert_eq!(kinds.only_image("`x`").unwrap().digest, image, "by several tags");
    }

    #[test]
    fn the_only_image_is_found_or_it_is_said_why_not() {
        let found = |entries: &[Descriptor], fails: &str| {
            let kinds = Kinds::of(entries, |entry| match entry.digest == Digest::sha256(fails.as_bytes()) {
                true => Err(Error::NotFound { what: "a manifest".to_owned() }),
                false => Ok(None),
            });
            kinds.only_image("`x`").map(|image| image.digest).map_err(|error| error.to_string())
        };
        let attachment = entry("signatures", "sha256-1.sig");
        let images = [attachment.clone(), entry("a", "1"), entry("b", "2")];
        assert_eq!(found(&images[..2], "signatures"), Ok(images[1].digest));
        let several = "`x` holds several images, name one by its tag: 1, 2";
        assert_eq!(found(&images, ""), Err(several.to_owned()));
        assert_eq!(found(&[attachment], ""), Err("an image in `x` does not exist".to_owned()));
        assert_eq!(found(&images, "b"), Err("a manifest does not exist".to_owned()));
    }
}
