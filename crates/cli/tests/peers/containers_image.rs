//! The signature attachments of containers/image, read in place and served from a shelf: their layers
//! are not among the fixtures, so no real registry would take them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use signet_crypto::Digest;
use signet_testkit::{OCI_MANIFEST, Outcome, Sandbox, Shelf, vectors};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{denied, signet, verify};

const SCHEMA2: &str = "application/vnd.docker.distribution.manifest.v2+json";

#[test]
fn attachments_by_cosign_and_skopeo_are_accepted() {
    let Some(fixtures) = vectors("containers-image/signature/fixtures") else { return };
    let valid = fixtures.join("dir-img-cosign-valid");
    let signatures = [
        "dir-img-cosign-valid/signature-1",
        "dir-img-cosign-valid-2/signature-2",
        "dir-img-cosign-valid-with-tag/signature-1",
    ];
    for signature in signatures {
        with_key(&fixtures, &valid, &[signature], "cosign.pub").succeeds();
        denied(&with_key(&fixtures, &valid, &[signature], "cosign2.pub"));
        denied(&with_key(&fixtures, &valid, &[signature], "some-rsa-key.pub"));
    }
    with_key(&fixtures, &valid, &signatures, "cosign.pub").succeeds();
}

/// Its payload and its log entry are good; with a key alone no log is asked for.
#[test]
fn an_attachment_with_a_log_entry_is_accepted_by_its_key() {
    let Some(fixtures) = vectors("containers-image/signature/fixtures") else { return };
    let image = fixtures.join("dir-img-cosign-key-rekor-valid");
    let signature = ["dir-img-cosign-key-rekor-valid/signature-1"];
    with_key(&fixtures, &image, &signature, "cosign2.pub").succeeds();
}

#[test]
fn a_changed_manifest_no_signature_and_another_attachment_are_refused() {
    let Some(fixtures) = vectors("containers-image/signature/fixtures") else { return };
    let valid = fixtures.join("dir-img-cosign-valid");
    let modified = fixtures.join("dir-img-cosign-modified-manifest");
    let good = "dir-img-cosign-valid/signature-1";
    let other = "dir-img-cosign-other-attachment/signature-1";
    denied(&with_key(&fixtures, &modified, &[good], "cosign.pub"));
    denied(&with_key(&fixtures, &valid, &[], "cosign.pub"));
    denied(&with_key(&fixtures, &valid, &[other], "cosign.pub"));
}

#[test]
fn another_attachment_does_not_hide_a_good_signature() {
    let Some(fixtures) = vectors("containers-image/signature/fixtures") else { return };
    let valid = fixtures.join("dir-img-cosign-valid");
    let both = ["dir-img-cosign-other-attachment/signature-1", "dir-img-cosign-valid/signature-1"];
    with_key(&fixtures, &valid, &both, "cosign.pub").succeeds();
}

/// Signed with a certificate of the public-good Fulcio, logged in its Rekor (SET only).
#[test]
fn a_certificate_of_the_public_good_instance_is_accepted() {
    let Some(fixtures) = vectors("containers-image/signature/fixtures") else { return };
    let Some(sigstore) = vectors("sigstore") else { return };
    let root = sigstore.join("public-good-trusted_root.json").display().to_string();
    let image = fixtures.join("dir-img-cosign-fulcio-rekor-valid");
    let (shelf, reference) = shelf(&fixtures, &image, &["dir-img-cosign-fulcio-rekor-valid/signature-1"]);
    let image = format!("{}/{reference}", shelf.address());
    let verify = |identity: &str| {
        let issuer = "https://github.com/login/oauth";
        let identity = ["--certificate-identity", identity, "--certificate-oidc-issuer", issuer];
        let root = ["--trusted-root", &root, &image];
        Sandbox::new().run(signet(), &[&["verify"][..], &identity, &root].concat())
    };
    verify("mitr@redhat.com").succeeds();
    denied(&verify("someone@redhat.com"));
}

fn with_key(fixtures: &Path, image: &Path, signatures: &[&str], key: &str) -> Outcome {
    let (shelf, reference) = shelf(fixtures, image, signatures);
    let key = fixtures.join(key).display().to_string();
    verify(&Sandbox::new(), &key, &format!("{}/{reference}", shelf.address()))
}

/// Serves the image with these signatures as cosign would have attached them.
fn shelf(fixtures: &Path, image: &Path, signatures: &[&str]) -> (Shelf, String) {
    let manifest = fs::read(image.join("manifest.json")).expect("a fixture has a manifest");
    let digest = Digest::sha256(&manifest);
    let config = b"{}";
    let parsed: Vec<Attachment> =
        signatures.iter().map(|name| Attachment::read(&fixtures.join(name))).collect();
    let attached = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": parsed.iter().map(Attachment::layer).collect::<Vec<_>>(),
    })
    .to_string();
    let tag = format!("{}.sig", digest.to_string().replace(':', "-"));
    let mut entries = vec![("image", "1", SCHEMA2, manifest.as_slice()), ("image", "config", "", config)];
    if !parsed.is_empty() {
        entries.push(("image", &tag, OCI_MANIFEST, attached.as_bytes()));
    }
    entries.extend(parsed.iter().map(|one| ("image", "payload", "", one.payload.as_slice())));
    (Shelf::serve(&entries), format!("image@{digest}"))
}

/// A file `signature-N`: NUL, `sigstore-json`, LF, and JSON.
struct Attachment {
    media_type: String,
    payload: Vec<u8>,
    annotations: Value,
}

impl Attachment {
    fn read(file: &PathBuf) -> Self {
        let bytes = fs::read(file).expect("a fixture has a signature");
        let json = bytes.strip_prefix(b"\0sigstore-json\n").expect("a Sigstore signature");
        let value: Value = serde_json::from_slice(json).expect("a Sigstore signature is JSON");
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            media_type: text("mimeType"),
            payload: STANDARD.decode(text("payload")).expect("a payload is base64"),
            annotations: value.get("annotations").cloned().unwrap_or_default(),
        }
    }

    fn layer(&self) -> Value {
        let mut layer = descriptor(&self.media_type, &self.payload);
        let fields = layer.as_object_mut().expect("a descriptor is an object");
        fields.insert("annotations".to_owned(), self.annotations.clone());
        layer
    }
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(content).to_string(), "size": content.len() })
}
