//! Image references: `[registry/]repository[:tag][@digest]` (distribution-spec, "Pulling manifests").

use std::fmt;
use std::str::FromStr;

use signet_crypto::Digest;

/// A name to find an image by. The digest, where there is one, decides; the tag only finds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Where the repository is.
    pub repository: Repository,
    /// The tag, if one was given.
    pub tag: Option<Tag>,
    /// The digest, if one was given.
    pub digest: Option<Digest>,
}

impl Reference {
    /// The same repository, by digest alone.
    pub fn by_digest(&self, digest: Digest) -> Self {
        Self { repository: self.repository.clone(), tag: None, digest: Some(digest) }
    }

    /// The same repository, by tag alone.
    pub fn by_tag(&self, tag: Tag) -> Self {
        Self { repository: self.repository.clone(), tag: Some(tag), digest: None }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// Reads a reference with Docker's normalisation: no registry means Docker Hub, no namespace
    /// there means `library/`, neither tag nor digest means the tag `latest`.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse().map_err(|_| ReferenceError::Digest)?)),
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.parse()?)),
            _ => (name, None),
        };
        let repository = name.parse()?;
        let tag = match (tag, digest) {
            (None, None) => Some(Tag("latest".to_owned())),
            (tag, _) => tag,
        };
        Ok(Self { repository, tag, digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// A repository on a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// The registry.
    pub registry: Registry,
    /// The path below it, such as `library/alpine`.
    pub path: String,
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(name: &str) -> Result<Self, ReferenceError> {
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if is_host(first) => (Registry::new(first)?, rest.to_owned()),
            _ => (Registry::docker_hub(), name.to_owned()),
        };
        let path = match registry.is_docker_hub() && !path.contains('/') {
            true => format!("library/{path}"),
            false => path,
        };
        check_path(&path)?;
        Ok(Self { registry, path })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// A registry's host and optional port, as references name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Registry(String);

/// Whether it is one of the parts between the dots of a host's name.
fn is_label(part: &str) -> bool {
    let ends = [part.bytes().next(), part.bytes().last()];
    ends.iter().all(|end| end.is_some_and(|b| b.is_ascii_alphanumeric()))
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

impl Registry {
    /// Reads `host[:port]`; the names of Docker Hub become one.
    pub fn new(host: &str) -> Result<Self, ReferenceError> {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
            _ => (host, None),
        };
        let bracketed = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
        let name_ok = match bracketed {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => name.split('.').all(is_label),
        };
        let port_ok = port.is_none_or(|p| p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok());
        if !name_ok || !port_ok || host.len() > MAX_HOST {
            return Err(ReferenceError::Registry);
        }
        let lower = host.to_ascii_lowercase();
        match lower.as_str() {
            "index.docker.io" | "registry-1.docker.io" => Ok(Self::docker_hub()),
            // Of one word only its capitals tell it from a path: in lower case it would name another repository.
            _ if is_host(host) && !is_host(&lower) => Ok(Self(host.to_owned())),
            _ => Ok(Self(lower)),
        }
    }

    /// Docker Hub, under the name references use.
    pub fn docker_hub() -> Self {
        Self("docker.io".to_owned())
    }

    /// Whether it is Docker Hub.
    pub fn is_docker_hub(&self) -> bool {
        self.0 == "docker.io"
    }

    /// The host that answers for it, with the port if one was given.
    pub fn endpoint(&self) -> &str {
        match self.is_docker_hub() {
            true => "registry-1.docker.io",
            false => &self.0,
        }
    }

    /// The name as references have it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is on this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        let host = match self.0.rsplit_once(':') {
            Some((host, _)) if !self.0.ends_with(']') => host,
            _ => &self.0,
        };
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

impl Tag {
    /// The tag that lists the referrers of `digest` on a registry without the referrers API
    /// (distribution-spec, "Referrers Tag Schema"): algorithm and value joined by `-`, each cut
    /// short as the specification says.
    pub fn referrers_fallback(digest: &Digest) -> Self {
        let hex = digest.hex();
        Self(format!("{}-{}", digest.algorithm(), hex.get(..64).unwrap_or(&hex)))
    }

    /// The tag under which cosign keeps what it attached to `digest`: `sha256-<hex>.<suffix>`. A sha512 digest has none:
    /// it would be longer than a tag may be.
    pub fn cosign_attachment(digest: &Digest, suffix: &str) -> Option<Self> {
        format!("{}-{}.{suffix}", digest.algorithm(), digest.hex()).parse().ok()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let mut bytes = text.bytes();
        let valid = bytes.next().is_some_and(word)
            && bytes.all(|b| word(b) || b == b'.' || b == b'-')
            && text.len() <= 128;
        match valid {
            true => Ok(Self(text.to_owned())),
            false => Err(ReferenceError::Tag),
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which part of a reference is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// The digest after `@`.
    Digest,
    /// The repository's path.
    Path,
    /// The registry's host or port.
    Registry,
    /// The tag after `:`.
    Tag,
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digest => "the digest after `@` is malformed",
            Self::Path => "the repository name is malformed (lower-case letters, digits, `.`, `_`, `-`, `/`)",
            Self::Registry => "the registry's host or port is malformed",
            Self::Tag => "the tag is malformed",
        })
    }
}

impl std::error::Error for ReferenceError {}

/// The first part of a name is a host if it could not be a repository's path component, or is
/// `localhost` (the rule of Docker's reference grammar).
fn is_host(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':', '[']) || first.bytes().any(|b| b.is_ascii_uppercase())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/…)*` (distribution-spec, "Pulling manifests").
fn check_path(path: &str) -> Result<(), ReferenceError> {
    let component_ok = |component: &str| {
        let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let edges =
            component.bytes().next().is_some_and(alnum) && component.bytes().last().is_some_and(alnum);
        let separators = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        edges
            && separators
                .into_iter()
                .all(|s| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
    };
    match path.len() <= MAX_PATH && path.split('/').all(component_ok) {
        true => Ok(()),
        false => Err(ReferenceError::Path),
    }
}

const MAX_HOST: usize = 255;
const MAX_PATH: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_as_docker_does() {
        let cases = [
            ("alpine", "docker.io/library/alpine:latest"),
            ("index.docker.io/alpine:3", "docker.io/library/alpine:3"),
            ("user/app:v1", "docker.io/user/app:v1"),
            ("localhost/app", "localhost/app:latest"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest"),
            ("[::1]:5000/a:t", "[::1]:5000/a:t"),
            ("Registry.Example.com/a", "registry.example.com/a:latest"),
            ("Index.Docker.io/alpine", "docker.io/library/alpine:latest"),
            ("LOCALHOST/a", "localhost/a:latest"),
            ("REGISTRY/a/b", "REGISTRY/a/b:latest"),
        ];
        for (text, normal) in cases {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(reference.to_string(), normal, "{text}");
            assert_eq!(normal.parse(), Ok(reference), "{text}");
        }
    }

    #[test]
    fn a_digest_needs_no_tag() {
        let digest = Digest::sha256(b"");
        let reference: Reference = format!("ghcr.io/a/b@{digest}").parse().unwrap();
        assert_eq!((reference.tag, reference.digest), (None, Some(digest)));
    }

    #[test]
    fn malformed_references_name_the_part() {
        let cases = [
            ("ghcr.io/Upper/case", ReferenceError::Path),
            ("ghcr.io/a//b", ReferenceError::Path),
            ("ghcr.io/a_-b", ReferenceError::Path),
            ("ghcr.io/../b", ReferenceError::Path),
            ("ghcr.io/a:", ReferenceError::Tag),
            ("ghcr.io/a:-x", ReferenceError::Tag),
            ("ghcr.io/a@sha256:zz", ReferenceError::Digest),
            ("host:99999/a", ReferenceError::Registry),
            ("exa mple.com/a", ReferenceError::Registry),
            ("", ReferenceError::Path),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Reference>(), Err(why), "{text}");
        }
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:1", "127.9.9.9", "[::1]:5000"] {
            assert!(Registry::new(host).unwrap().is_loopback(), "{host}");
        }
        for host in ["localhost.example.com", "128.0.0.1", "example.com:443", "docker.io"] {
            assert!(!Registry::new(host).unwrap().is_loopback(), "{host}");
        }
    }
}
