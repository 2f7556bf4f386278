//! What a path asks for.

use signet_crypto::Digest;
use signet_formats::oci::Tag;
use signet_store::{RepositoryName, UploadId};

use super::error::{self, ApiError};
use super::request;

/// A place of the API below `/v2/`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v2/`
    Base,
    /// `/v2/<name>/…`
    In(RepositoryName, Place),
}

/// A place below a repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `blobs/<digest>`
    Blob(Digest),
    /// `manifests/<tag or digest>`
    Manifest(ManifestName),
    /// `referrers/<digest>`
    Referrers(Digest),
    /// `tags/list`
    Tags,
    /// `blobs/uploads/<id>`
    Upload(UploadId),
    /// `blobs/uploads/`
    Uploads,
}

/// How a manifest is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ManifestName {
    /// By its digest.
    Digest(Digest),
    /// By a tag.
    Tag(Tag),
}

impl Route {
    /// Reads a path. Names have no character that would be percent-encoded, so nothing is decoded
    /// but the `:` of a digest.
    pub(super) fn parse(path: &str) -> Result<Self, ApiError> {
        let unknown = || ApiError::not_found(error::UNSUPPORTED, "there is nothing of the API at this path");
        if path == "/v2/" || path == "/v2" {
            return Ok(Self::Base);
        }
        let path = path.strip_prefix("/v2/").ok_or_else(unknown)?;
        let (path, last) = path.trim_end_matches('/').rsplit_once('/').ok_or_else(unknown)?;
        let last = last.replace("%3A", ":").replace("%3a", ":");
        let (name, kind) = path.rsplit_once('/').ok_or_else(unknown)?;
        let (name, place) = match (kind, last.as_str()) {
            ("blobs", "uploads") => (name, Place::Uploads),
            ("blobs", digest) => (name, Place::Blob(request::digest(digest)?)),
            ("uploads", id) => {
                let name = name.strip_suffix("/blobs").ok_or_else(unknown)?;
                (name, Place::Upload(id.parse().map_err(|_| unknown_upload())?))
            }
            ("manifests", reference) => (name, Place::Manifest(manifest_name(reference)?)),
            ("referrers", digest) => (name, Place::Referrers(request::digest(digest)?)),
            ("tags", "list") => (name, Place::Tags),
            _ => return Err(unknown()),
        };
        let name = name.parse().map_err(|_| invalid_name(name))?;
        Ok(Self::In(name, place))
    }
}

fn manifest_name(reference: &str) -> Result<ManifestName, ApiError> {
    if reference.contains(':') {
        return request::digest(reference).map(ManifestName::Digest);
    }
    let malformed = |_| ApiError::not_found(error::MANIFEST_UNKNOWN, format!("`{reference}` is not a tag"));
    reference.parse().map(ManifestName::Tag).map_err(malformed)
}

fn invalid_name(name: &str) -> ApiError {
    ApiError::bad_request(error::NAME_INVALID, format!("`{name}` is not a repository name"))
}

fn unknown_upload() -> ApiError {
    ApiError::not_found(error::BLOB_UPLOAD_UNKNOWN, "there is no such upload")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_their_places() {
        let digest = Digest::sha256(b"");
        let name: RepositoryName = "a/b".parse().unwrap();
        let cases = [
            (format!("/v2/a/b/blobs/{digest}"), Place::Blob(digest)),
            (format!("/v2/a/b/blobs/sha256%3A{}", digest.hex()), Place::Blob(digest)),
            ("/v2/a/b/blobs/uploads/".to_owned(), Place::Uploads),
            ("/v2/a/b/tags/list".to_owned(), Place::Tags),
            (format!("/v2/a/b/referrers/{digest}"), Place::Referrers(digest)),
            ("/v2/a/b/manifests/v1".to_owned(), Place::Manifest(ManifestName::Tag("v1".parse().unwrap()))),
            (format!("/v2/a/b/manifests/{digest}"), Place::Manifest(ManifestName::Digest(digest))),
        ];
        for (path, place) in cases {
            assert_eq!(Route::parse(&path).unwrap(), Route::In(name.clone(), place), "{path}");
        }
    }

    #[test]
    fn no_path_leaves_the_api() {
        for path in [
            "/",
            "/v3/",
            "/v2/a",
            "/v2/../manifests/v1",
            "/v2/a/../../manifests/v1",
            "/v2/%2e%2e/manifests/v1",
            "/v2/a/_tags/manifests/v1",
            "/v2/a/manifests/..%2f..",
            "/v2/a/blobs/uploads/not-a-uuid",
            "/v2/a/blobs/sha256:zz",
        ] {
            assert!(Route::parse(path).is_err(), "{path}");
        }
    }
}
