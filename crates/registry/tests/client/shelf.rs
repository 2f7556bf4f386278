//! A registry in memory, truthful, with the abilities that a test gives it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use signet_crypto::Digest;
use signet_formats::oci::Descriptor;

use crate::double::{Reply, Request};

#[derive(Default)]
pub(crate) struct Shelf {
    /// Honours `If-Match` and `If-None-Match` and sends an `ETag`.
    pub(crate) etags: bool,
    /// Says `OCI-Subject`, as if it listed referrers.
    pub(crate) subjects: bool,
    /// The status and message with which it refuses to move a tag.
    pub(crate) immutable: Option<(u16, &'static str)>,
    /// Mounts blobs of other repositories.
    pub(crate) mounts: bool,
    /// Refuses an index that lists what it does not have, as docker-registry 2.8 does.
    pub(crate) checks_indexes: bool,
    /// By repository and tag or digest.
    pub(crate) manifests: Mutex<HashMap<(String, String), Vec<u8>>>,
    /// How often a precondition did not hold.
    pub(crate) conflicts: AtomicUsize,
    pub(crate) blobs: Mutex<HashMap<(String, String), Vec<u8>>>,
}

impl Shelf {
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let query: HashMap<_, _> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let mut parts = path.trim_start_matches("/v2/").splitn(3, '/');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (repository, kind, name) = (part(), part(), part());
        match (request.method.as_str(), kind.as_str()) {
            ("PUT", "manifests") => self.put_manifest(repository, name, request),
            ("POST", "blobs") => self.start(&repository, &query),
            ("PUT", "blobs") => {
                let digest = query["digest"].replace("%3A", ":");
                self.blobs.lock().unwrap().insert((repository, digest), request.body.clone());
                Reply::new(201, "")
            }
            (_, "manifests") => self.found(self.manifests.lock().unwrap().get(&(repository, name))),
            (_, "blobs") => self.found(self.blobs.lock().unwrap().get(&(repository, name))),
            _ => Reply::new(404, ""),
        }
    }

    pub(crate) fn has_manifest(&self, name: &str) -> bool {
        self.manifests.lock().unwrap().contains_key(&("app".to_owned(), name.to_owned()))
    }

    /// Adds an entry to the list under the fallback tag of `subject` in `app`, as another client does.
    pub(crate) fn add_to_list(&self, subject: &Digest, entry: &Descriptor) {
        let mut manifests = self.manifests.lock().unwrap();
        let list = manifests.get_mut(&("app".to_owned(), format!("sha256-{}", subject.hex()))).unwrap();
        let mut json: serde_json::Value = serde_json::from_slice(list).unwrap();
        json["manifests"].as_array_mut().unwrap().push(serde_json::to_value(entry).unwrap());
        *list = serde_json::to_vec(&json).unwrap();
    }

    fn put_manifest(&self, repository: String, name: String, request: &Request) -> Reply {
        let mut manifests = self.manifests.lock().unwrap();
        let there = manifests.get(&(repository.clone(), name.clone()));
        let refused = |status, message| {
            Reply::new(status, format!(r#"{{"errors":[{{"code":"DENIED","message":"{message}"}}]}}"#))
        };
        if let (Some((status, message)), Some(_)) = (self.immutable, there) {
            return refused(status, message);
        }
        let changed = request
            .header("if-match")
            .is_some_and(|tag| there.map(|bytes| etag(bytes)).as_deref() != Some(tag));
        let absent = request.header("if-none-match").is_none() || there.is_none();
        if self.etags && (changed || !absent) {
            self.conflicts.fetch_add(1, Ordering::SeqCst);
            return refused(412, "the manifest has changed");
        }
        if self.checks_indexes && lists_missing(&request.body, &manifests, &repository) {
            let error =
                r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#;
            return Reply::new(400, error);
        }
        let digest = Digest::sha256(&request.body).to_string();
        manifests.insert((repository.clone(), digest.clone()), request.body.clone());
        manifests.insert((repository, name), request.body.clone());
        match self.subjects {
            true => Reply::new(201, "").with("OCI-Subject", digest),
            false => Reply::new(201, ""),
        }
    }

    fn start(&self, repository: &str, query: &HashMap<&str, &str>) -> Reply {
        let mut blobs = self.blobs.lock().unwrap();
        let wanted = query.get("mount").zip(query.get("from")).filter(|_| self.mounts);
        let source = wanted.map(|(digest, from)| ((*from).to_owned(), digest.replace("%3A", ":")));
        if let Some(bytes) = source.as_ref().and_then(|source| blobs.get(source)).cloned() {
            blobs.insert((repository.to_owned(), source.unwrap().1), bytes);
            return Reply::new(201, "");
        }
        Reply::new(202, "").with("Location", format!("/v2/{repository}/blobs/uploads/1"))
    }

    fn found(&self, content: Option<&Vec<u8>>) -> Reply {
        match content {
            None => Reply::new(404, ""),
            Some(bytes) if self.etags => Reply::new(200, bytes.clone()).with("ETag", etag(bytes)),
            Some(bytes) => Reply::new(200, bytes.clone()),
        }
    }
}

fn lists_missing(index: &[u8], manifests: &HashMap<(String, String), Vec<u8>>, repository: &str) -> bool {
    let index: serde_json::Value = serde_json::from_slice(index).unwrap();
    let entries = index["manifests"].as_array().into_iter().flatten();
    let mut digests = entries.map(|entry| entry["digest"].as_str().unwrap().to_owned());
    digests.any(|digest| !manifests.contains_key(&(repository.to_owned(), digest)))
}

fn etag(content: &[u8]) -> String {
    format!("\"{}\"", Digest::sha256(content).hex())
}
