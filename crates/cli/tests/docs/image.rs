//! The images that pages find in their directory.

use serde_json::{Value, json};
use signet_crypto::Digest;
use signet_testkit::{OCI_INDEX, OCI_MANIFEST};

/// An OCI archive (a tar of an image layout) of an image for two platforms, with the tag `1`; `content`
/// makes its digest.
pub(crate) fn archive(content: &str) -> Vec<u8> {
    let mut layout = Layout(tar::Builder::new(Vec::new()));
    let platforms: Vec<Value> =
        ["amd64", "arm64"].map(|architecture| layout.platform(architecture, content)).into();
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": platforms });
    let descriptor = layout.blob(OCI_INDEX, index.to_string().as_bytes());
    let tagged = with(descriptor, "annotations", json!({ "org.opencontainers.image.ref.name": "1" }));
    let entry = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [tagged] });
    layout.file("index.json", entry.to_string().as_bytes());
    layout.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    layout.0.into_inner().expect("memory takes a tar")
}

fn with(mut descriptor: Value, name: &str, value: Value) -> Value {
    descriptor.as_object_mut().expect("a descriptor is an object").insert(name.to_owned(), value);
    descriptor
}

/// An image layout that is being written.
struct Layout(tar::Builder<Vec<u8>>);

impl Layout {
    fn platform(&mut self, architecture: &str, content: &str) -> Value {
        let mut files = Self(tar::Builder::new(Vec::new()));
        files.file("etc/motd", format!("{content} on {architecture}\n").as_bytes());
        let layer = files.0.into_inner().expect("memory takes a tar");
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(&layer).to_string()] },
        });
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes()),
            "layers": [self.blob("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        let descriptor = self.blob(OCI_MANIFEST, manifest.to_string().as_bytes());
        with(descriptor, "platform", json!({ "os": "linux", "architecture": architecture }))
    }

    fn blob(&mut self, media_type: &str, content: &[u8]) -> Value {
        let digest = Digest::sha256(content).to_string();
        self.file(&format!("blobs/{}", digest.replace(':', "/")), content);
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    }

    fn file(&mut self, path: &str, content: &[u8]) {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        self.0.append_data(&mut header, path, content).expect("memory takes a tar");
    }
}
