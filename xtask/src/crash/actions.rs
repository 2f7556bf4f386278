//! What clients do, with its effects in the ledger.
//!
//! An answer that is an error leaves the action where it is; only [`Gone`] ends the client.

use reqwest::Method;
use serde_json::{Value as Json, json};
use signet_crypto::Digest;

use super::client::{Answer, Client, Gone, header};
use super::ledger::{Key, Value};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A manifest as JSON, and what it is made of.
pub(super) struct Built {
    pub(super) json: Json,
    pub(super) digest: String,
    needs: Vec<Key>,
    subject: Option<String>,
}

/// An image manifest over those blobs; `note` makes it like no other.
pub(super) fn image(repository: &str, blobs: &[&[u8]], subject: Option<&str>, note: u64) -> Built {
    let descriptor =
        |bytes: &&[u8]| json!({"mediaType": LAYER, "digest": Digest::sha256(bytes), "size": bytes.len()});
    let descriptors: Vec<_> = blobs.iter().map(descriptor).collect();
    let mut json = json!({
        "schemaVersion": 2, "mediaType": IMAGE, "config": descriptors.first(),
        "layers": descriptors.get(1..), "annotations": {"note": note.to_string()},
    });
    if let (Some(subject), Some(object)) = (subject, json.as_object_mut()) {
        object.insert("subject".to_owned(), json!({"mediaType": IMAGE, "digest": subject, "size": 2}));
    }
    let needs = blobs.iter().map(|bytes| blob_key(repository, &Digest::sha256(bytes))).collect();
    built(json, needs, subject)
}

/// An index of those manifests.
pub(super) fn index(repository: &str, children: &[&str]) -> Built {
    let entries: Vec<_> =
        children.iter().map(|child| json!({"mediaType": IMAGE, "digest": child, "size": 2})).collect();
    let needs = children.iter().map(|child| manifest_key(repository, child)).collect();
    built(json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}), needs, None)
}

fn built(json: Json, needs: Vec<Key>, subject: Option<&str>) -> Built {
    let digest = Digest::sha256(json.to_string().as_bytes()).to_string();
    Built { json, digest, needs, subject: subject.map(str::to_owned) }
}

impl Client {
    pub(super) async fn push_blob(&self, repository: &str, bytes: &[u8]) -> Result<Answer, Gone> {
        let digest = Digest::sha256(bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let request = self.request(Method::POST, &path).body(bytes.to_vec());
        self.change(vec![(blob_key(repository, &digest), Value::There)], request).await
    }

    /// Begins an upload; its path.
    pub(super) async fn begin_upload(&self, repository: &str) -> Result<Option<String>, Gone> {
        let request = self.request(Method::POST, &format!("/v2/{repository}/blobs/uploads/"));
        match self.change(Vec::new(), request).await? {
            Answer::Done(response) => {
                let upload = header(&response, "location");
                self.learn(&vec![(Key::Upload(upload.clone()), Value::Bytes(0))]);
                Ok(Some(upload))
            }
            _ => Ok(None),
        }
    }

    /// Adds to an upload that has `offset` bytes.
    pub(super) async fn append(&self, upload: &str, offset: u64, bytes: &[u8]) -> Result<Answer, Gone> {
        let end = offset + u64::try_from(bytes.len()).unwrap_or(0);
        let range = format!("{offset}-{}", end.saturating_sub(1));
        let request = self.request(Method::PATCH, upload).header("content-range", range).body(bytes.to_vec());
        self.change(vec![(Key::Upload(upload.to_owned()), Value::Bytes(end))], request).await
    }

    /// Makes an upload a blob. It has `content` so far up to `offset`; the rest is sent along.
    pub(super) async fn finish(
        &self,
        repository: &str,
        upload: &str,
        offset: u64,
        content: &[u8],
    ) -> Result<Answer, Gone> {
        let digest = Digest::sha256(content);
        let rest = usize::try_from(offset).ok().and_then(|offset| content.get(offset..)).unwrap_or_default();
        let changes = vec![
            (Key::Upload(upload.to_owned()), Value::Absent),
            (blob_key(repository, &digest), Value::There),
        ];
        let request = self.request(Method::PUT, &format!("{upload}?digest={digest}"));
        // So that it is refused, and the upload kept, if an earlier part did not arrive.
        let range = format!("{offset}-{}", content.len().saturating_sub(1));
        let request = if rest.is_empty() { request } else { request.header("content-range", range) };
        self.change(changes, request.body(rest.to_vec())).await
    }

    /// Pushes a manifest, by a tag if one is given.
    pub(super) async fn push_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        manifest: &Built,
    ) -> Result<Answer, Gone> {
        let mut keys = vec![manifest_key(repository, &manifest.digest)];
        if let Some(subject) = &manifest.subject {
            keys.push(Key::Referrer(
                format!("/v2/{repository}/referrers/{subject}"),
                manifest.digest.clone(),
            ));
            self.ledger().refers(&manifest.digest, subject);
        }
        self.ledger().keep(&manifest.digest, keys.iter().chain(&manifest.needs).cloned().collect());
        let mut changes: Vec<_> = keys.into_iter().map(|key| (key, Value::There)).collect();
        if let Some(tag) = tag {
            changes.push((Key::Tag(tag_path(repository, tag)), Value::Names(manifest.digest.clone())));
        }
        let reference = tag.unwrap_or(&manifest.digest);
        let request = self.request(Method::PUT, &format!("/v2/{repository}/manifests/{reference}"));
        let media_type = manifest.json.get("mediaType").and_then(Json::as_str).unwrap_or_default();
        let request = request.header("content-type", media_type).body(manifest.json.to_string());
        self.change(changes, request).await
    }

    pub(super) async fn mount(&self, repository: &str, from: &str, bytes: &[u8]) -> Result<Answer, Gone> {
        let digest = Digest::sha256(bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
        let before = self.ledger().clone();
        let answer = self
            .change(vec![(blob_key(repository, &digest), Value::There)], self.request(Method::POST, &path));
        let answer = answer.await?;
        if let Answer::Done(response) = &answer
            && response.status() == reqwest::StatusCode::ACCEPTED
        {
            // Not found: an upload was begun instead.
            *self.ledger() = before;
        }
        Ok(answer)
    }

    pub(super) async fn delete_blob(&self, repository: &str, bytes: &[u8]) -> Result<Answer, Gone> {
        let digest = Digest::sha256(bytes);
        let request = self.request(Method::DELETE, &format!("/v2/{repository}/blobs/{digest}"));
        self.change(vec![(blob_key(repository, &digest), Value::Absent)], request).await
    }

    pub(super) async fn delete_tag(&self, repository: &str, tag: &str) -> Result<Answer, Gone> {
        let path = tag_path(repository, tag);
        let request = self.request(Method::DELETE, &path);
        self.change(vec![(Key::Tag(path), Value::Absent)], request).await
    }

    /// Deletes a manifest that refers to `subject`, and that no tag names.
    pub(super) async fn delete_referrer(
        &self,
        repository: &str,
        digest: &str,
        subject: &str,
    ) -> Result<Answer, Gone> {
        let listed = Key::Referrer(format!("/v2/{repository}/referrers/{subject}"), digest.to_owned());
        let changes = vec![(manifest_key(repository, digest), Value::Absent), (listed, Value::Absent)];
        let request = self.request(Method::DELETE, &format!("/v2/{repository}/manifests/{digest}"));
        self.change(changes, request).await
    }
}

pub(super) fn tag_path(repository: &str, tag: &str) -> String {
    format!("/v2/{repository}/manifests/{tag}")
}

fn blob_key(repository: &str, digest: &Digest) -> Key {
    Key::Content(format!("/v2/{repository}/blobs/{digest}"))
}

fn manifest_key(repository: &str, digest: &str) -> Key {
    Key::Content(format!("/v2/{repository}/manifests/{digest}"))
}
