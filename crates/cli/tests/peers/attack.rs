//! What someone who can write to the registry does with signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use signet_crypto::Digest;
use signet_testkit::{OCI_INDEX, OCI_MANIFEST, Repository};

/// Where a signature lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A bundle that refers to its subject.
    Bundle,
    /// cosign's `sha256-….sig`.
    Legacy,
}

impl Stored {
    /// Changes one byte of what was signed (white space at its end, so that the meaning stays and only
    /// the signature can tell), in place of the good signature.
    pub(crate) fn tamper(self, repository: &Repository, subject: &Digest) {
        let (old, mut manifest) = self.signature(repository, subject);
        let layer = manifest.pointer_mut("/layers/0").expect("a signature has a layer");
        let blob = repository.blob(text(layer, "/digest"));
        let changed = match self {
            Self::Bundle => tampered_bundle(&blob),
            Self::Legacy => [blob.as_slice(), b"\n"].concat(),
        };
        let stored = repository.put_blob(text(layer, "/mediaType"), &changed);
        for field in ["digest", "size"] {
            let new = stored.get(field).expect("a descriptor has all fields").clone();
            layer.as_object_mut().expect("a descriptor is an object").insert(field.to_owned(), new);
        }
        if self == Self::Bundle {
            repository.delete_manifest(&old);
        }
        self.attach(repository, subject, manifest);
    }

    /// Attaches the signature of `from` to another image of the same repository.
    pub(crate) fn swap(self, repository: &Repository, from: &Digest, to: &Digest) {
        let (_, mut manifest) = self.signature(repository, from);
        if let Some(subject) = manifest.pointer_mut("/subject") {
            let raw = repository.manifest(&to.to_string()).expect("the other image is there");
            let size = raw.to_string().len();
            *subject = json!({ "mediaType": OCI_MANIFEST, "digest": to.to_string(), "size": size });
        }
        self.attach(repository, to, manifest);
    }

    /// The blob of the one signature of an image.
    pub(crate) fn blob(self, repository: &Repository, subject: &Digest) -> Vec<u8> {
        let (_, manifest) = self.signature(repository, subject);
        repository.blob(text(&manifest, "/layers/0/digest"))
    }

    /// The digest and the content of the one signature manifest of an image.
    fn signature(self, repository: &Repository, subject: &Digest) -> (String, Value) {
        let digest = match self {
            Self::Legacy => format!("{}.sig", fallback_tag(subject)),
            Self::Bundle => {
                let index = repository
                    .referrers(subject)
                    .or_else(|| repository.manifest(&fallback_tag(subject)))
                    .expect("the image is signed");
                let listed = index.pointer("/manifests").and_then(Value::as_array);
                assert_eq!(listed.map(Vec::len), Some(1), "not one signature: {index}");
                text(&index, "/manifests/0/digest").to_owned()
            }
        };
        let manifest = repository.manifest(&digest).expect("a listed signature is there");
        (digest, manifest)
    }

    fn attach(self, repository: &Repository, subject: &Digest, manifest: Value) {
        let bytes = manifest.to_string().into_bytes();
        if self == Self::Legacy {
            let tag = format!("{}.sig", fallback_tag(subject));
            repository.put_manifest(&tag, OCI_MANIFEST, &bytes);
            return;
        }
        let digest = repository.put_manifest(&Digest::sha256(&bytes).to_string(), OCI_MANIFEST, &bytes);
        if repository.referrers(subject).is_none() {
            let entry = json!({
                "mediaType": OCI_MANIFEST,
                "digest": digest.to_string(),
                "size": bytes.len(),
                "artifactType": manifest.pointer("/artifactType").or(manifest.pointer("/config/mediaType")),
            });
            let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry] });
            repository.put_manifest(&fallback_tag(subject), OCI_INDEX, index.to_string().as_bytes());
        }
    }
}

fn tampered_bundle(bundle: &[u8]) -> Vec<u8> {
    let mut bundle: Value = serde_json::from_slice(bundle).expect("a bundle is JSON");
    let payload = bundle.pointer_mut("/dsseEnvelope/payload").expect("an image's bundle has an envelope");
    let signed = STANDARD.decode(payload.as_str().unwrap_or_default()).expect("a payload is base64");
    *payload = STANDARD.encode([signed.as_slice(), b"\n"].concat()).into();
    bundle.to_string().into_bytes()
}

fn fallback_tag(subject: &Digest) -> String {
    subject.to_string().replace(':', "-")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} missing in {value}"))
}
