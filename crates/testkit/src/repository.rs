use serde_json::{Value, json};
use signet_crypto::Digest;

use crate::{Response, request};

/// Media type of an OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A repository of a registry on loopback, spoken to without any code that is under test.
#[derive(Clone, Debug)]
pub struct Repository {
    address: String,
    name: String,
}

impl Repository {
    /// The repository `name` of the registry at `address`.
    pub fn new(address: &str, name: &str) -> Self {
        Self { address: address.to_owned(), name: name.to_owned() }
    }

    /// `HOST:PORT/NAME:TAG`.
    pub fn tagged(&self, tag: &str) -> String {
        format!("{}/{}:{tag}", self.address, self.name)
    }

    /// `HOST:PORT/NAME@DIGEST`.
    pub fn at(&self, digest: &Digest) -> String {
        format!("{}/{}@{digest}", self.address, self.name)
    }

    /// Pushes an image of one layer that holds `content`, with a tag.
    pub fn push_image(&self, tag: &str, content: &str) -> Digest {
        let manifest = self.image_manifest("amd64", content);
        self.put_manifest(tag, OCI_MANIFEST, &manifest)
    }

    /// Pushes an index of an amd64 and an arm64 image, with a tag; answers the index and its images.
    pub fn push_index(&self, tag: &str, content: &str) -> (Digest, Vec<Digest>) {
        let mut images = Vec::new();
        let mut descriptors = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let manifest = self.image_manifest(architecture, &format!("{content} on {architecture}"));
            let digest = self.put_manifest(&Digest::sha256(&manifest).to_string(), OCI_MANIFEST, &manifest);
            descriptors.push(json!({
                "mediaType": OCI_MANIFEST,
                "digest": digest.to_string(),
                "size": manifest.len(),
                "platform": { "os": "linux", "architecture": architecture },
            }));
            images.push(digest);
        }
        (self.put_index(tag, &descriptors), images)
    }

    /// Pushes an index of manifests and indexes that are here, with a tag; it says nothing of platforms.
    pub fn push_index_of(&self, tag: &str, manifests: &[Digest]) -> Digest {
        let accept = format!("{OCI_MANIFEST}, {OCI_INDEX}");
        let described = manifests.iter().map(|digest| {
            let answer = self.send("GET", &format!("/manifests/{digest}"), &[("Accept", &accept)], &[]);
            descriptor(answer.header("content-type").expect("a manifest has a media type"), &answer.body)
        });
        self.put_index(tag, &described.collect::<Vec<_>>())
    }

    /// Pushes what refers to an image that is here: a manifest of one layer, found by the referrers API.
    pub fn push_referrer(&self, subject: &Digest, media_type: &str, content: &[u8]) -> Digest {
        let image = self.manifest(&subject.to_string()).expect("the image is there");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": media_type,
            "config": self.put_blob("application/vnd.oci.empty.v1+json", b"{}"),
            "layers": [self.put_blob(media_type, content)],
            "subject": {
                "mediaType": OCI_MANIFEST, "digest": subject.to_string(), "size": image.to_string().len(),
            },
        });
        let bytes = manifest.to_string().into_bytes();
        self.put_manifest(&Digest::sha256(&bytes).to_string(), OCI_MANIFEST, &bytes)
    }

    /// Stores a blob; answers its descriptor.
    pub fn put_blob(&self, media_type: &str, content: &[u8]) -> Value {
        let digest = Digest::sha256(content);
        let started = self.send("POST", "/blobs/uploads/", &[], &[]);
        let location = started.header("location").expect("an upload has a location");
        let path = location.strip_prefix(&format!("http://{}", self.address)).unwrap_or(location);
        let separator = if path.contains('?') { '&' } else { '?' };
        let target = format!("{path}{separator}digest={digest}");
        let headers = [("Content-Type", "application/octet-stream")];
        let stored = request(&self.address, "PUT", &target, &headers, content).expect("the registry answers");
        assert_eq!(stored.status, 201, "blob refused: {stored:?}");
        descriptor(media_type, content)
    }

    /// Stores a manifest under a tag or its digest; answers its digest.
    pub fn put_manifest(&self, reference: &str, media_type: &str, content: &[u8]) -> Digest {
        let path = format!("/manifests/{reference}");
        let stored = self.send("PUT", &path, &[("Content-Type", media_type)], content);
        assert_eq!(stored.status, 201, "manifest refused: {stored:?}");
        Digest::sha256(content)
    }

    /// Reads a manifest or index; `None` if there is none.
    pub fn manifest(&self, reference: &str) -> Option<Value> {
        let accept = format!("{OCI_MANIFEST}, {OCI_INDEX}");
        self.json(&format!("/manifests/{reference}"), &[("Accept", &accept)])
    }

    /// Reads a blob.
    pub fn blob(&self, digest: &str) -> Vec<u8> {
        let answer = self.send("GET", &format!("/blobs/{digest}"), &[], &[]);
        assert_eq!(answer.status, 200, "no blob {digest}: {answer:?}");
        answer.body
    }

    /// What the referrers API lists for a subject; `None` if the registry has no such API.
    pub fn referrers(&self, subject: &Digest) -> Option<Value> {
        self.json(&format!("/referrers/{subject}"), &[])
    }

    /// Deletes a manifest.
    pub fn delete_manifest(&self, digest: &str) {
        let answer = self.send("DELETE", &format!("/manifests/{digest}"), &[], &[]);
        assert_eq!(answer.status, 202, "manifest not deleted: {answer:?}");
    }

    fn put_index(&self, tag: &str, manifests: &[Value]) -> Digest {
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
        self.put_manifest(tag, OCI_INDEX, index.to_string().as_bytes())
    }

    fn image_manifest(&self, architecture: &str, content: &str) -> Vec<u8> {
        let layer = tar_of(content.as_bytes());
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(&layer).to_string()] },
        });
        let config_type = "application/vnd.oci.image.config.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.put_blob(config_type, config.to_string().as_bytes()),
            "layers": [self.put_blob("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        manifest.to_string().into_bytes()
    }

    fn json(&self, path: &str, headers: &[(&str, &str)]) -> Option<Value> {
        let answer = self.send("GET", path, headers, &[]);
        match answer.status {
            200 => Some(serde_json::from_slice(&answer.body).expect("the registry answers with JSON")),
            404 => None,
            _ => panic!("{path}: {answer:?}"),
        }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let target = format!("/v2/{}{path}", self.name);
        request(&self.address, method, &target, headers, body).expect("the registry answers")
    }
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(content).to_string(), "size": content.len() })
}

/// A tar archive of one file `content` (POSIX ustar).
fn tar_of(content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    let mut header = [0_u8; BLOCK];
    let size = format!("{:011o}", content.len());
    let fields: [(usize, &[u8]); 8] = [
        (0, b"content"),
        (100, b"0000644"),
        (108, b"0000000"),
        (116, b"0000000"),
        (124, size.as_bytes()),
        (136, b"00000000000"),
        (148, b"        "),
        (257, b"ustar\x0000"),
    ];
    for (at, value) in fields {
        header.iter_mut().skip(at).zip(value).for_each(|(byte, new)| *byte = *new);
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum::<u32>() + u32::from(b'0');
    let checksum = format!("{sum:06o}\0 0");
    header.iter_mut().skip(148).zip(checksum.bytes()).for_each(|(byte, new)| *byte = new);
    let padding = content.len().next_multiple_of(BLOCK) - content.len();
    [header.as_slice(), content, &vec![0; padding + 2 * BLOCK]].concat()
}
