//! The spellings of a source or target (containers/image's transports).

use std::fmt;
use std::iter::once;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use signet_crypto::Digest;
use signet_formats::oci::{Reference, ReferenceError, Tag};

use crate::store::{ImageStore, RegistryStore};
use crate::{Client, DockerArchive, DockerSave, Error, Layout, ManifestName, OciArchive, Result};

/// Where an image is, or is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A registry: `host/repository[:tag][@digest]`, also led by `oci://` or `docker://`.
    Registry(Reference),
    /// An image layout: `oci:DIR[:name][@digest]`.
    Layout(PathBuf, LocalName),
    /// A tar of an image layout: `oci-archive:FILE[:name][@digest]`.
    OciArchive(PathBuf, LocalName),
    /// What `docker save` writes: `docker-archive:FILE[:reference][@digest]`.
    DockerArchive(PathBuf, LocalName),
}

/// What an image in a layout or archive is called there. Where nothing is given, the only one is meant; a digest decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalName {
    /// A tag, or a whole reference as podman and docker give images.
    pub name: Option<String>,
    /// The digest.
    pub digest: Option<Digest>,
}

impl FromStr for Location {
    type Err = Error;

    /// The first colon ends the path, unless a path with colons exists.
    fn from_str(text: &str) -> Result<Self> {
        for scheme in ["oci://", "docker://"] {
            if let Some(reference) = text.strip_prefix(scheme) {
                return registry(text, reference);
            }
        }
        let (place, rest): (fn(_, _) -> _, _) = match text.split_once(':') {
            Some(("oci", rest)) => (Self::Layout, rest),
            Some(("oci-archive", rest)) => (Self::OciArchive, rest),
            Some(("docker-archive", rest)) => (Self::DockerArchive, rest),
            _ => return registry(text, text),
        };
        let (rest, digest) = match rest.rsplit_once('@').map(|(named, digest)| (named, digest.parse())) {
            Some((named, Ok(digest))) => (named, Some(digest)),
            _ => (rest, None),
        };
        let (path, name) = path_and_name(rest);
        match (path, name) {
            ("", _) => Err(wrong(text, "it names no file")),
            (_, Some("")) => Err(wrong(text, "the name after the colon is empty")),
            _ => Ok(place(path.into(), LocalName { name: name.map(str::to_owned), digest })),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path, name) = match self {
            Self::Registry(reference) => return reference.fmt(f),
            Self::Layout(path, name) => ("oci", path, name),
            Self::OciArchive(path, name) => ("oci-archive", path, name),
            Self::DockerArchive(path, name) => ("docker-archive", path, name),
        };
        write!(f, "{scheme}:{}", path.display())?;
        name.name.as_ref().map_or(Ok(()), |name| write!(f, ":{name}"))?;
        name.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
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
            Self::Layout(path, name) => {
                let layout = Layout::open(path, limits)?;
                let name = name.in_source(|name| layout.called(name))?;
                named(Arc::new(layout), name)
            }
            Self::OciArchive(path, name) => {
                let archive = OciArchive::open(path, limits)?;
                let name = name.in_source(|name| archive.called(name))?;
                named(Arc::new(archive), name)
            }
            Self::DockerArchive(path, LocalName { name, digest }) => {
                let archive = DockerArchive::open(path, name.as_deref(), limits)?;
                named(Arc::new(archive), digest.map(ManifestName::Digest))
            }
        })
    }

    /// Opens it to write to; a layout or archive is made if there is none, and one of `docker save` only then.
    pub fn target(&self, client: &Client) -> Result<Endpoint> {
        self.target_told(client, &|_| ())
    }

    /// The same, told if it waits for another writer of this file.
    pub fn target_told(&self, client: &Client, waiting: &(dyn Fn(&Path) + Sync)) -> Result<Endpoint> {
        let limits = client.limits();
        Ok(match self {
            Self::Registry(reference) => on_registry(client, reference),
            Self::Layout(path, name) => {
                let name = name.in_target(self)?;
                named(Arc::new(Layout::create(path, limits)?), name)
            }
            Self::OciArchive(path, name) => {
                let name = name.in_target(self)?;
                named(Arc::new(OciArchive::create(path, limits, waiting)?), name)
            }
            Self::DockerArchive(_, LocalName { digest: Some(_), .. }) => {
                return Err(wrong(&self.to_string(), "dockers have no names with digests; name a tag"));
            }
            Self::DockerArchive(path, LocalName { name, .. }) => {
                let archive = DockerSave::create(path, name.as_deref(), limits, waiting)?;
                let tag = ManifestName::Tag(archive.tag().clone());
                named(Arc::new(archive), Some(tag))
            }
        })
    }

    /// The manifest with this digest at the same place.
    #[must_use]
    pub fn by_digest(&self, digest: Digest) -> Self {
        let by = |name: &LocalName| LocalName { digest: Some(digest), ..name.clone() };
        match self {
            Self::Registry(reference) => Self::Registry(reference.by_digest(digest)),
            Self::Layout(path, name) => Self::Layout(path.clone(), by(name)),
            Self::OciArchive(path, name) => Self::OciArchive(path.clone(), by(name)),
            Self::DockerArchive(path, name) => Self::DockerArchive(path.clone(), by(name)),
        }
    }
}

impl LocalName {
    fn in_source(&self, called: impl FnOnce(&str) -> Result<Digest>) -> Result<Option<ManifestName>> {
        let named = match (self.digest, &self.name) {
            (None, Some(name)) => Some(called(name)?),
            (digest, _) => digest,
        };
        Ok(named.map(ManifestName::Digest))
    }

    fn in_target(&self, place: &Location) -> Result<Option<ManifestName>> {
        let no_tag =
            |_| wrong(&place.to_string(), "an image is put there under a tag; name one after the last colon");
        match (self.digest, &self.name) {
            (Some(digest), _) => Ok(Some(ManifestName::Digest(digest))),
            (None, Some(name)) => name.parse::<Tag>().map(ManifestName::Tag).map(Some).map_err(no_tag),
            (None, None) => Ok(None),
        }
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

fn named(store: Arc<dyn ImageStore>, name: Option<ManifestName>) -> Endpoint {
    Endpoint { store, name, apart: None }
}

fn registry(text: &str, reference: &str) -> Result<Location> {
    if let Some((transport, rest)) = text.split_once(':') {
        // A host may have such a name: then a port follows.
        let is_host = rest.split_once('/').is_some_and(|(port, _)| port.parse::<u16>().is_ok());
        if FOREIGN.contains(&transport) && !is_host {
            let reason = format!("`{transport}:` is not read or written here; {OURS} are");
            return Err(wrong(text, reason));
        }
    }
    reference.parse().map(Location::Registry).map_err(|error: ReferenceError| wrong(text, error))
}

/// Transports of containers/image that are not ours: as references they would be images of Docker Hub.
const FOREIGN: [&str; 7] =
    ["containers-storage", "dir", "docker-daemon", "oci-dir", "ostree", "sif", "tarball"];

const OURS: &str = "registries, `oci:`, `oci-archive:` and `docker-archive:`";

/// The longest path that exists and the name after it; else the first colon ends the path. No colon in directories that
/// exist does.
fn path_and_name(text: &str) -> (&str, Option<&str>) {
    let exists = |end: &usize| text.get(..*end).is_some_and(|path| Path::new(path).exists());
    let within = text.rmatch_indices('/').map(|(at, _)| at).find(exists);
    let may_end = |at: &usize| !is_drive(*at) && within.is_none_or(|within| *at > within);
    let colons: Vec<usize> = text.match_indices(':').map(|(at, _)| at).filter(may_end).collect();
    let existing = once(text.len()).chain(colons.iter().rev().copied()).find(exists);
    let end = existing.or(colons.first().copied()).unwrap_or(text.len());
    let (path, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (path, rest.strip_prefix(':'))
}

/// Whether a colon at this place is that of `C:`.
fn is_drive(at: usize) -> bool {
    signet_platform::has_drives() && at == 1
}

fn wrong(text: &str, reason: impl ToString) -> Error {
    Error::Location { text: text.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_containers_image_are_read() {
        let called = |name: &str| LocalName { name: Some(name.to_owned()), digest: None };
        let reference = |text: &str| Location::Registry(text.parse().unwrap());
        let digest = Digest::sha256(b"");
        let by_digest = LocalName { name: None, digest: Some(digest) };
        let in_dir = format!("oci:dir@{digest}");
        let cases = [
            ("alpine", reference("alpine")),
            ("dir:5000/app:1", reference("dir:5000/app:1")),
            ("docker://alpine:3", reference("alpine:3")),
            ("oci://127.0.0.1:5000/a", reference("127.0.0.1:5000/a")),
            ("oci:dir", Location::Layout("dir".into(), LocalName::default())),
            ("oci:/a/b:v1", Location::Layout("/a/b".into(), called("v1"))),
            (&in_dir, Location::Layout("dir".into(), by_digest)),
            ("oci-archive:a.tar:v1", Location::OciArchive("a.tar".into(), called("v1"))),
            ("oci-archive:a.tar:h:1/x:v1", Location::OciArchive("a.tar".into(), called("h:1/x:v1"))),
            ("docker-archive:a.tar:r/x:v1", Location::DockerArchive("a.tar".into(), called("r/x:v1"))),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<Location>(), Ok(want.clone()), "{text}");
            assert_eq!(want.to_string().parse(), Ok(want), "what is printed is read: {text}");
        }
        // As references they would be images of Docker Hub.
        let foreign = ["dir:some/where", "docker-daemon:app:1", "containers-storage:app"];
        for text in ["oci:", "oci-archive::v1", "oci:dir:", "a//b", ""].into_iter().chain(foreign) {
            assert!(matches!(text.parse::<Location>(), Err(Error::Location { .. })), "{text}");
        }
    }

    #[test]
    fn of_paths_with_colons_the_longest_that_exists_is_meant() {
        let directory = tempfile::tempdir().unwrap();
        let [short, long] = ["a", "a:b"].map(|name| directory.path().join(name));
        std::fs::create_dir(&short).unwrap();
        let read = |text: String| match text.parse() {
            Ok(Location::Layout(path, name)) => (path, name.name.unwrap_or_default()),
            other => panic!("{other:?}"),
        };
        assert_eq!(read(format!("oci:{}:1", long.display())), (short, "b:1".to_owned()));
        std::fs::create_dir(&long).unwrap();
        assert_eq!(read(format!("oci:{}:1", long.display())), (long.clone(), "1".to_owned()));
        assert_eq!(read(format!("oci:{}", long.display())), (long.clone(), String::new()));
        let new = long.join("new");
        assert_eq!(read(format!("oci:{}:h:1/x:2", new.display())), (new.clone(), "h:1/x:2".to_owned()));
        assert_eq!(read(format!("oci:{}", new.display())), (new, String::new()));
    }
}
