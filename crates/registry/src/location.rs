//! The spellings of a source or target (containers/image's transports).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use signet_formats::oci::{Reference, Tag};

use crate::store::{ImageStore, RegistryStore};
use crate::{Client, DockerArchive, DockerSave, Error, Layout, ManifestName, OciArchive, Result};

/// Where an image is, or is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A registry: `host/repository[:tag][@digest]`, also led by `oci://` or `docker://`.
    Registry(Reference),
    /// An image layout: `oci:DIR[:tag]`.
    Layout(PathBuf, Option<Tag>),
    /// A tar of an image layout: `oci-archive:FILE[:tag]`.
    OciArchive(PathBuf, Option<Tag>),
    /// What `docker save` writes: `docker-archive:FILE[:reference]`.
    DockerArchive(PathBuf, Option<String>),
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        for scheme in ["oci://", "docker://"] {
            if let Some(reference) = text.strip_prefix(scheme) {
                return registry(text, reference);
            }
        }
        let (place, named): (fn(_, _) -> _, _) = match text.split_once(':') {
            Some(("oci", rest)) => (Self::Layout, rest),
            Some(("oci-archive", rest)) => (Self::OciArchive, rest),
            Some(("docker-archive", rest)) => {
                let (file, reference) = match rest.split_once(':') {
                    Some((file, reference)) => (file, Some(reference.to_owned())),
                    None => (rest, None),
                };
                return Ok(Self::DockerArchive(path(text, file)?, reference));
            }
            _ => return registry(text, text),
        };
        match named.rsplit_once(':').map(|(file, tag)| (file, tag.parse())) {
            Some((file, Ok(tag))) => Ok(place(path(text, file)?, Some(tag))),
            _ => Ok(place(path(text, named)?, None)),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path, name) = match self {
            Self::Registry(reference) => return reference.fmt(f),
            Self::Layout(path, tag) => ("oci", path, tag.as_ref().map(Tag::as_str)),
            Self::OciArchive(path, tag) => ("oci-archive", path, tag.as_ref().map(Tag::as_str)),
            Self::DockerArchive(path, name) => ("docker-archive", path, name.as_deref()),
        };
        write!(f, "{scheme}:{}", path.display())?;
        name.map_or(Ok(()), |name| write!(f, ":{name}"))
    }
}

/// A store and the name of an image in it.
#[derive(Clone)]
pub struct Endpoint {
    /// The store.
    pub store: Arc<dyn ImageStore>,
    /// The image; none is the only one in a source, and by digest alone in a target.
    pub name: Option<ManifestName>,
    /// Where else, in a source, what is attached to the image is kept.
    pub apart: Option<Arc<dyn ImageStore>>,
}

impl Location {
    /// Opens it to read from.
    pub fn source(&self, client: &Client) -> Result<Endpoint> {
        let limits = client.limits();
        Ok(match self {
            Self::Registry(reference) => on_registry(client, reference),
            Self::Layout(path, tag) => named(Arc::new(Layout::open(path, limits)?), tag),
            Self::OciArchive(path, tag) => named(Arc::new(OciArchive::open(path, limits)?), tag),
            Self::DockerArchive(path, name) => {
                named(Arc::new(DockerArchive::open(path, name.as_deref(), limits)?), &None)
            }
        })
    }

    /// Opens it to write to; a layout or archive is made if there is none, and one of `docker save` only then.
    pub fn target(&self, client: &Client) -> Result<Endpoint> {
        let limits = client.limits();
        Ok(match self {
            Self::Registry(reference) => on_registry(client, reference),
            Self::Layout(path, tag) => named(Arc::new(Layout::create(path, limits)?), tag),
            Self::OciArchive(path, tag) => named(Arc::new(OciArchive::create(path, limits)?), tag),
            Self::DockerArchive(path, name) => {
                let archive = DockerSave::create(path, name.as_deref(), limits)?;
                let tag = Some(archive.tag().clone());
                named(Arc::new(archive), &tag)
            }
        })
    }
}

fn on_registry(client: &Client, reference: &Reference) -> Endpoint {
    let name = match (&reference.digest, &reference.tag) {
        (Some(digest), _) => Some(ManifestName::Digest(*digest)),
        (None, tag) => tag.clone().map(ManifestName::Tag),
    };
    let store = RegistryStore::new(client.clone(), reference.repository.clone());
    Endpoint { store: Arc::new(store), name, apart: None }
}

fn named(store: Arc<dyn ImageStore>, tag: &Option<Tag>) -> Endpoint {
    Endpoint { store, name: tag.clone().map(ManifestName::Tag), apart: None }
}

fn registry(text: &str, reference: &str) -> Result<Location> {
    if let Some((transport, rest)) = text.split_once(':') {
        // A host may have such a name: then a port follows.
        let is_host = rest.split_once('/').is_some_and(|(port, _)| port.parse::<u16>().is_ok());
        if FOREIGN.contains(&transport) && !is_host {
            let reason = format!("`{transport}:` is not read or written here; {OURS} are");
            return Err(Error::Location { text: text.to_owned(), reason });
        }
    }
    let wrong = |error: signet_formats::oci::ReferenceError| Error::Location {
        text: text.to_owned(),
        reason: error.to_string(),
    };
    reference.parse().map(Location::Registry).map_err(wrong)
}

/// Transports of containers/image that are not ours: as references they would be images of Docker Hub.
const FOREIGN: [&str; 7] =
    ["containers-storage", "dir", "docker-daemon", "oci-dir", "ostree", "sif", "tarball"];

const OURS: &str = "registries, `oci:`, `oci-archive:` and `docker-archive:`";

fn path(text: &str, path: &str) -> Result<PathBuf> {
    match path.is_empty() {
        true => Err(Error::Location { text: text.to_owned(), reason: "it names no file".to_owned() }),
        false => Ok(path.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_containers_image_are_read() {
        let tag = |text: &str| Some(text.parse().unwrap());
        let reference = |text: &str| Location::Registry(text.parse().unwrap());
        let cases = [
            ("alpine", reference("alpine")),
            ("dir:5000/app:1", reference("dir:5000/app:1")),
            ("docker://alpine:3", reference("alpine:3")),
            ("oci://127.0.0.1:5000/a", reference("127.0.0.1:5000/a")),
            ("oci:dir", Location::Layout("dir".into(), None)),
            ("oci:/a/b:v1", Location::Layout("/a/b".into(), tag("v1"))),
            ("oci-archive:a.tar:v1", Location::OciArchive("a.tar".into(), tag("v1"))),
            ("docker-archive:a.tar:r/x:v1", Location::DockerArchive("a.tar".into(), Some("r/x:v1".into()))),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<Location>(), Ok(want), "{text}");
        }
        // As references they would be images of Docker Hub.
        let foreign = ["dir:some/where", "docker-daemon:app:1", "containers-storage:app"];
        for text in ["oci:", "oci-archive::v1", "a//b", ""].into_iter().chain(foreign) {
            assert!(matches!(text.parse::<Location>(), Err(Error::Location { .. })), "{text}");
        }
    }
}
