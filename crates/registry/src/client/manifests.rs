//! Manifests: resolve, read, push, delete.

use std::fmt;

use bytes::Bytes;
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::oci::{Descriptor, MAX_MANIFEST_BYTES, Manifest, Reference, Repository, Tag, media_type};

use super::call::{Access, Answer, Call, Payload};
use super::retry::Attempts;
use super::{Client, url};
use crate::{Error, Result};

/// By what a manifest is asked for or stored in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ManifestName {
    /// A tag, which can point elsewhere tomorrow.
    Tag(Tag),
    /// A digest.
    Digest(Digest),
}

impl fmt::Display for ManifestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// A manifest that was read and found to have its digest.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What it is; also what it is asked for by from now on.
    pub descriptor: Descriptor,
    /// Its bytes, as they came.
    pub bytes: Bytes,
    /// What they say.
    pub manifest: Manifest,
    /// The registry's `ETag`, where it sent one.
    pub etag: Option<String>,
    /// Whether the registry said (`Signet-Condition: checked`) that it checks conditions of writes. Others may or may
    /// not, also those that send an `ETag`.
    pub checks_conditions: bool,
}

impl Resolved {
    /// Reads a manifest; its media type is the one it states, else `media_type`.
    pub fn new(what: &str, bytes: Bytes, media_type: Option<&str>, digest: Digest) -> Result<Self> {
        let manifest = Manifest::parse(&bytes).map_err(|error| Error::malformed(what, error.to_string()))?;
        Ok(Self::of(manifest, bytes, media_type, digest))
    }

    /// A manifest that was read from these bytes.
    pub(crate) fn of(manifest: Manifest, bytes: Bytes, media_type: Option<&str>, digest: Digest) -> Self {
        let stated = manifest.media_type.as_deref().or(media_type);
        let media_type = stated.unwrap_or(media_type::OCI_MANIFEST).to_owned();
        let mut descriptor = Descriptor::new(&media_type, digest, bytes.len() as u64);
        descriptor.artifact_type.clone_from(&manifest.artifact_type);
        Self { descriptor, bytes, manifest, etag: None, checks_conditions: false }
    }

    /// The digest.
    pub fn digest(&self) -> Digest {
        self.descriptor.digest
    }
}

/// What a registry made of a pushed manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushOutcome {
    /// The digest of what was pushed.
    pub digest: Digest,
    /// Whether the registry said (`OCI-Subject`) that it lists the manifest among its subject's referrers.
    pub subject_accepted: bool,
    /// Whether the registry said (`Signet-Condition: held`) that it stored the manifest because its
    /// precondition held. Others may ignore conditions and say nothing of it.
    pub condition_held: bool,
}

/// What must hold for a manifest to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    None,
    /// The tag still has this `ETag`.
    Unchanged(String),
    /// The tag does not exist.
    Absent,
}

impl Precondition {
    /// That a tag still names what was read there, as far as the registry can tell.
    pub(super) fn unchanged(current: Option<&Resolved>) -> Self {
        match current {
            None => Self::Absent,
            Some(current) => current.etag.clone().map_or(Self::None, Self::Unchanged),
        }
    }
}

impl Client {
    /// The manifest that `reference` names, by its digest if it has one. One request.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved> {
        let name = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => ManifestName::Digest(*digest),
            (None, Some(tag)) => ManifestName::Tag(tag.clone()),
            (None, None) => return Err(Error::NotFound { what: reference.to_string() }),
        };
        self.named(&reference.repository, &name).await
    }

    /// The manifest with this digest.
    pub async fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Resolved> {
        self.named(repository, &ManifestName::Digest(*digest)).await
    }

    /// The manifest with this name; the same one is fetched once at a time.
    pub async fn named(&self, repository: &Repository, name: &ManifestName) -> Result<Resolved> {
        let key = (repository.clone(), name.to_string());
        self.inner.manifests.run(key, || self.fetch_manifest(repository, name)).await
    }

    /// Whether the registry has this manifest.
    pub async fn has_manifest(&self, repository: &Repository, digest: &Digest) -> Result<bool> {
        let name = ManifestName::Digest(*digest);
        let call = self.manifest_call(Method::HEAD, repository, &name, Access::Pull)?;
        match self.transport().fetch(&call, 0).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Stores a manifest under a tag or its digest.
    ///
    /// Where the tag names another manifest and the registry does not let tags be moved, that is
    /// [`Error::TagImmutable`]; where it names this one, all is well.
    ///
    /// With `if_match`, an `ETag`, the tag must not have changed, as in [`Client::put_manifest`].
    pub async fn push_manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
        media_type: &str,
        bytes: Bytes,
        if_match: Option<&str>,
    ) -> Result<PushOutcome> {
        let precondition = if_match.map_or(Precondition::None, |tag| Precondition::Unchanged(tag.to_owned()));
        self.put_manifest(repository, name, media_type, bytes, &precondition).await
    }

    /// Deletes a manifest; a registry may refuse.
    pub async fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<()> {
        let name = ManifestName::Digest(*digest);
        let call = self.manifest_call(Method::DELETE, repository, &name, Access::Delete)?;
        self.transport().fetch(&call, self.limits().page_bytes).await.map(|_| ())
    }

    /// Stores a manifest under a tag or its digest, if `precondition` holds.
    ///
    /// A registry that honours conditions answers [`Error::Conflict`] where it does not hold; one that does
    /// not stores the manifest all the same. [`PushOutcome::condition_held`] tells where that is known.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
        media_type: &str,
        bytes: Bytes,
        precondition: &Precondition,
    ) -> Result<PushOutcome> {
        let digest = match name {
            ManifestName::Digest(digest) => Digest::of(digest.algorithm(), &bytes),
            ManifestName::Tag(_) => Digest::sha256(&bytes),
        };
        if let ManifestName::Digest(expected) = name
            && *expected != digest
        {
            return Err(Error::digest_mismatch(*expected, digest));
        }
        let call = self.manifest_call(Method::PUT, repository, name, Access::Push)?;
        let call = call.header(CONTENT_TYPE, media_type).body(Payload::Bytes(bytes));
        let call = match precondition {
            Precondition::None => call,
            Precondition::Unchanged(etag) => call.header(IF_MATCH, etag.as_str()),
            Precondition::Absent => call.header(IF_NONE_MATCH, "*"),
        };
        let answer = match self.send_manifest(&call).await {
            Ok(answer) => answer,
            Err(error) => return self.immovable(repository, name, digest, precondition, error).await,
        };
        check_stated(&answer, digest)?;
        let condition_held = says(&answer, "held");
        Ok(PushOutcome { digest, subject_accepted: answer.headers.contains_key(SUBJECT), condition_held })
    }

    /// Stores a manifest by its digest and points a tag at that (distribution-spec 1.2, "Pushing Manifests": `?tag=`).
    pub(crate) async fn tag_by_digest(
        &self,
        repository: &Repository,
        manifest: &Resolved,
        tag: &Tag,
    ) -> Result<()> {
        let digest = manifest.digest();
        let mut call =
            self.manifest_call(Method::PUT, repository, &ManifestName::Digest(digest), Access::Push)?;
        call.url.query_pairs_mut().append_pair("tag", tag.as_str());
        let media_type = manifest.descriptor.media_type.as_str();
        let call = call.header(CONTENT_TYPE, media_type).body(Payload::Bytes(manifest.bytes.clone()));
        let answer = self.send_manifest(&call).await?;
        check_stated(&answer, digest)?;
        match answer.headers.get(TAGS).is_some_and(|tags| tags == tag.as_str()) {
            true => Ok(()),
            false => Err(Error::TagNotSet { tag: format!("{repository}:{tag}"), digest: digest.into() }),
        }
    }

    /// Sends a manifest, again while the registry reads what other writers are just writing.
    async fn send_manifest(&self, call: &Call<'_>) -> Result<Answer> {
        let mut attempts = Attempts::new(self.limits());
        loop {
            match self.transport().fetch(call, self.limits().page_bytes).await {
                Err(error) if is_torn(&error) && attempts.once_more(&error).await => {}
                other => return other,
            }
        }
    }

    /// A tag that may not be moved need not be, where it names `digest` already.
    async fn immovable(
        &self,
        repository: &Repository,
        name: &ManifestName,
        digest: Digest,
        precondition: &Precondition,
        error: Error,
    ) -> Result<PushOutcome> {
        let (ManifestName::Tag(tag), Some(detail)) = (name, immovable(&error, precondition)) else {
            return Err(error);
        };
        match self.fetch_manifest(repository, name).await {
            Ok(found) if found.digest() == digest => {
                Ok(PushOutcome { digest, subject_accepted: false, condition_held: false })
            }
            Ok(_) => Err(Error::TagImmutable { tag: format!("{repository}:{tag}"), detail }),
            Err(_) => Err(error),
        }
    }

    /// What a tag names, if it does. Never from a fetch under way, which may have begun before the caller's own write.
    pub(super) async fn tagged(&self, repository: &Repository, tag: &Tag) -> Result<Option<Resolved>> {
        match self.fetch_manifest(repository, &ManifestName::Tag(tag.clone())).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn fetch_manifest(
        &self,
        repository: &Repository,
        name: &ManifestName,
    ) -> Result<Resolved> {
        let call = self.manifest_call(Method::GET, repository, name, Access::Pull)?;
        let answer = self.transport().fetch(&call, MAX_MANIFEST_BYTES).await?;
        let expected = match name {
            ManifestName::Digest(digest) => Some(*digest),
            ManifestName::Tag(_) => stated_digest(&answer)?,
        };
        let algorithm = expected.map_or(DigestAlgorithm::Sha256, |digest| digest.algorithm());
        let actual = Digest::of(algorithm, &answer.body);
        if let Some(expected) = expected.filter(|expected| *expected != actual) {
            return Err(Error::digest_mismatch(expected, actual));
        }
        let text = |name: HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let media_type = text(CONTENT_TYPE).and_then(|value| value.split(';').next()).map(str::trim);
        let etag = text(ETAG).map(str::to_owned);
        let resolved = Resolved::new(&call.what, answer.body.clone(), media_type, actual)?;
        Ok(Resolved { etag, checks_conditions: says(&answer, "checked"), ..resolved })
    }

    fn manifest_call<'a>(
        &self,
        method: Method,
        repository: &'a Repository,
        name: &ManifestName,
        access: Access,
    ) -> Result<Call<'a>> {
        let separator = if matches!(name, ManifestName::Tag(_)) { ':' } else { '@' };
        let what = format!("manifest {repository}{separator}{name}");
        let url = url(self.transport(), repository, &format!("manifests/{name}"))?;
        Ok(Call::new(method, url, repository, access, what).header(ACCEPT, ACCEPTED))
    }
}

/// The registry's words, if they can mean that tags are not moved. There is no code for that:
/// registries answer 400, 403, 405, 409 or 412, most of them with words like these.
fn immovable(error: &Error, precondition: &Precondition) -> Option<String> {
    let (detail, conflict) = match error {
        Error::Conflict { detail, .. } => (detail, true),
        Error::Forbidden { detail, .. } | Error::Refused { detail, .. } => (detail, false),
        _ => return None,
    };
    let words = detail.to_ascii_lowercase();
    let told = ["immutab", "overwrit", "already exist"].iter().any(|word| words.contains(word));
    (told || (conflict && *precondition == Precondition::None)).then(|| detail.clone())
}

/// docker-registry 2.8 answers so where it meets a link that another writer has created and not yet filled. It
/// cannot be about what was sent: the digest in the address was computed from it, and a tag states none.
fn is_torn(error: &Error) -> bool {
    matches!(error, Error::Refused { status: 400, detail, .. } if detail.contains("DIGEST_INVALID"))
}

/// A registry that states another digest than the content has is not to be believed in anything.
fn check_stated(answer: &Answer, actual: Digest) -> Result<()> {
    match stated_digest(answer)? {
        Some(stated) if stated.algorithm() == actual.algorithm() && stated != actual => {
            Err(Error::digest_mismatch(actual, stated))
        }
        _ => Ok(()),
    }
}

/// What a registry of Signet's says of conditions.
fn says(answer: &Answer, word: &str) -> bool {
    answer.headers.get(CONDITION).is_some_and(|value| value == word)
}

fn stated_digest(answer: &Answer) -> Result<Option<Digest>> {
    let Some(value) = answer.headers.get("docker-content-digest") else { return Ok(None) };
    let digest = value.to_str().ok().and_then(|text| text.parse().ok());
    digest.map(Some).ok_or_else(|| Error::malformed("`Docker-Content-Digest`", "it is not a digest"))
}

const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";
const SUBJECT: &str = "oci-subject";
/// The tags that a registry pointed at a manifest which was pushed by its digest.
const TAGS: &str = "oci-tag";
const CONDITION: &str = "signet-condition";
