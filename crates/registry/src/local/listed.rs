//! What `index.json` of a layout lists.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Manifest, Tag};

use super::docker::{CONTAINERD_NAME, same_name};
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

    /// The image that is called `name` in the layout that is shown as `place`.
    pub(super) fn called(&self, name: &str, place: &str) -> Result<Digest, Error> {
        let entries = self.index.manifests();
        let of = |is_it: &dyn Fn(&str) -> bool| -> Vec<&Descriptor> {
            entries.iter().filter(|entry| names(entry).any(is_it)).collect()
        };
        let mut found = of(&|own| own == name);
        if found.is_empty() {
            found = of(&|own| is_called(own, name));
        }
        let different: HashSet<Digest> = found.iter().map(|entry| entry.digest).collect();
        match (found.first(), different.len()) {
            (Some(entry), 1) => Ok(entry.digest),
            (None, _) => {
                let images = entries.iter().filter(|entry| !is_attachment(entry));
                Err(Error::NotFound {
                    what: format!("`{name}` in {place}{}", shown(" (there is ", images, ")")),
                })
            }
            _ => Err(several(place, found.into_iter())),
        }
    }

    /// One of cosign's attachments in what `cosign save` wrote. There they have no names: the entries say of what kind
    /// they are, and belong to the only image.
    pub(super) fn saved_by_cosign(&self, tag: &Tag) -> Option<&Descriptor> {
        let only = |kinds: &[&str]| {
            let mut found = self
                .index
                .manifests()
                .iter()
                .filter(|entry| kind(entry).is_some_and(|kind| kinds.contains(&kind)));
            found.next().filter(|_| found.next().is_none())
        };
        let image = only(&["image", "imageIndex"])?;
        let (_, kind) = COSIGN_ATTACHMENTS
            .into_iter()
            .find(|(suffix, _)| Tag::cosign_attachment(&image.digest, suffix).as_ref() == Some(tag))?;
        only(&[kind])
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
        let is_attachment = is_attachment(entry);
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
            _ => Err(several(place, self.images.iter())),
        }
    }
}

/// The names that an entry has: often a tag, with podman and docker the whole reference.
fn names(entry: &Descriptor) -> impl Iterator<Item = &str> {
    [REF_NAME, CONTAINERD_NAME].into_iter().filter_map(|key| entry.annotations.get(key)).map(String::as_str)
}

/// Whether a name that is not spelt so means the same: by Docker's normalisation, or by the tag in it.
fn is_called(own: &str, name: &str) -> bool {
    let tag = own.rsplit_once(':').map(|(_, tag)| tag);
    tag == Some(name) || (name.contains([':', '/']) && same_name(own, name))
}

/// What `cosign save` says that an entry is.
fn kind(entry: &Descriptor) -> Option<&str> {
    entry.annotations.get("kind")?.strip_prefix("dev.cosignproject.cosign/")
}

/// Whether an entry is of cosign's attachments, by its name or its kind.
fn is_attachment(entry: &Descriptor) -> bool {
    let is_kind = |kind| COSIGN_ATTACHMENTS.iter().any(|(_, known)| *known == kind);
    entry.annotations.get(REF_NAME).is_some_and(|name| name.starts_with("sha256-"))
        || kind(entry).is_some_and(is_kind)
}

fn several<'a>(place: &str, images: impl Iterator<Item = &'a Descriptor>) -> Error {
    Error::SeveralImages { place: place.to_owned(), names: shown(": ", images, "") }
}

/// What the first of some images are called, each once, between `before` and `after`; nothing if there are none.
fn shown<'a>(before: &str, images: impl Iterator<Item = &'a Descriptor>, after: &str) -> String {
    let mut called: Vec<String> = Vec::new();
    for image in images {
        let is_printable = |name: &&str| name.len() <= SHOWN_BYTES && !name.contains(char::is_control);
        let name =
            names(image).find(is_printable).map_or_else(|| format!("@{}", image.digest), str::to_owned);
        if called.len() < SHOWN_NAMES && !called.contains(&name) {
            called.push(name);
        }
    }
    if called.is_empty() { String::new() } else { format!("{before}{}{after}", called.join(", ")) }
}

/// The suffixes of cosign's tags, and what `cosign save` calls the same.
const COSIGN_ATTACHMENTS: [(&str, &str); 2] = [("sig", "sigs"), ("att", "atts")];
const SHOWN_NAMES: usize = 10;
const SHOWN_BYTES: usize = 256;

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

    fn listed(entries: &[Descriptor]) -> Listed {
        let json = serde_json::json!({"schemaVersion": 2, "manifests": entries});
        let bytes = serde_json::to_vec(&json).unwrap();
        let index = Manifest::parse(&bytes).unwrap();
        Listed::new(bytes, index)
    }

    /// podman, skopeo and buildah write the whole reference; such an image could be named by nothing.
    #[test]
    fn an_image_is_named_by_all_of_its_name_or_by_its_tag() {
        let (arm, amd) = (entry("arm", "arm"), entry("amd", "127.0.0.1:5000/app:amd"));
        let mut docker = entry("saved", "latest");
        docker.annotations.insert(CONTAINERD_NAME.to_owned(), "docker.io/library/app:latest".to_owned());
        let other = entry("other", "registry.example/other:latest");
        let attachment = entry("signatures", "sha256-1.sig");
        let index = listed(&[arm.clone(), amd.clone(), docker.clone(), other.clone(), attachment]);
        let called = |name: &str| index.called(name, "`x`");
        let cases = [
            ("arm", &arm),
            ("127.0.0.1:5000/app:amd", &amd),
            ("amd", &amd),
            ("app:latest", &docker),
            ("latest", &docker),
            ("registry.example/other:latest", &other),
        ];
        for (name, wanted) in cases {
            assert_eq!(called(name), Ok(wanted.digest), "{name}");
        }
        let missing = called("arm64").unwrap_err().to_string();
        let all = "arm, 127.0.0.1:5000/app:amd, latest, registry.example/other:latest";
        assert_eq!(missing, format!("`arm64` in `x` (there is {all}) does not exist"));
        let twice = listed(&[entry("a", "h/a:1"), entry("b", "h/b:1")]);
        let several = twice.called("1", "`x`").unwrap_err().to_string();
        assert_eq!(several, "`x` holds several images, name one of them: h/a:1, h/b:1");
    }

    /// `cosign save` gives no names, and nothing in its layouts could be read.
    #[test]
    fn what_cosign_saved_is_an_image_with_its_attachments() {
        let of = |content: &str, kind: &str| {
            let mut entry = Descriptor::of("t", content.as_bytes());
            entry.annotations.insert("kind".to_owned(), format!("dev.cosignproject.cosign/{kind}"));
            entry
        };
        let [image, sigs, atts] =
            [("image", "imageIndex"), ("s", "sigs"), ("a", "atts")].map(|(c, k)| of(c, k));
        let saved = listed(&[image.clone(), sigs.clone(), atts.clone()]);
        assert_eq!(saved.kinds(|_| Ok(None)).only_image("`x`").unwrap().digest, image.digest);
        let tag = |digest: &Digest, suffix| Tag::cosign_attachment(digest, suffix).unwrap();
        assert_eq!(saved.saved_by_cosign(&tag(&image.digest, "sig")), Some(&sigs));
        assert_eq!(saved.saved_by_cosign(&tag(&image.digest, "att")), Some(&atts));
        assert_eq!(saved.saved_by_cosign(&tag(&sigs.digest, "sig")), None);
        let two = listed(&[image.clone(), of("another", "image"), sigs]);
        assert_eq!(two.saved_by_cosign(&tag(&image.digest, "sig")), None, "whose they are is not known");
        let several = two.kinds(|_| Ok(None)).only_image("`x`").unwrap_err().to_string();
        assert!(several.contains(&format!("@{}", image.digest)), "{several}");
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
        let several = "`x` holds several images, name one of them: 1, 2";
        assert_eq!(found(&images, ""), Err(several.to_owned()));
        assert_eq!(found(&[attachment], ""), Err("an image in `x` does not exist".to_owned()));
        assert_eq!(found(&images, "b"), Err("a manifest does not exist".to_owned()));
    }
}
