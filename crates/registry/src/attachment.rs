//! cosign's tags (`.sig`, `.att`), under which signatures and attestations are the layers of one image.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use signet_crypto::Digest;
use signet_formats::oci::{Descriptor, Manifest, media_type};

use crate::client::Resolved;
use crate::{Error, Result};

/// What is to be found under such a tag, beside what is there.
#[derive(Clone, Copy)]
pub(crate) enum Added<'a> {
    /// One layer, whose content is there.
    Layer(&'a Descriptor),
    /// The layers of an image that is there.
    Image(&'a Resolved),
}

/// What the tag must name so that nothing is lost.
pub(crate) enum Joined {
    /// What it names: all is there.
    Same,
    /// This image: all that was there is in it.
    Image(Box<Resolved>),
    /// An image of these layers: those that were there, then those that were not.
    Layers(Vec<Descriptor>),
}

impl Added<'_> {
    pub(crate) fn joined_to(self, current: Option<&Resolved>) -> Joined {
        let there = current.map(|current| current.manifest.layers()).unwrap_or_default();
        let added = match self {
            Self::Layer(layer) => std::slice::from_ref(layer),
            Self::Image(image) => image.manifest.layers(),
        };
        let missing: Vec<_> = added.iter().filter(|layer| !there.contains(layer)).cloned().collect();
        match self {
            _ if current.is_some() && missing.is_empty() => Joined::Same,
            Self::Image(image) if there.iter().all(|layer| added.contains(layer)) => {
                Joined::Image(Box::new(image.clone()))
            }
            _ => Joined::Layers(there.iter().cloned().chain(missing).collect()),
        }
    }
}

/// The configuration of an image of these layers, as readers of the tag expect it.
pub(crate) fn config_of(layers: &[Descriptor]) -> Result<Bytes> {
    let diff_ids = layers.iter().map(|layer| layer.digest).collect();
    let rootfs = RootFs { kind: "layers", diff_ids };
    to_json(&Config { architecture: "", os: "", config: BTreeMap::new(), rootfs })
}

/// An image of these layers, in all else like the one that is there.
pub(crate) fn image_of(
    config: Descriptor,
    layers: Vec<Descriptor>,
    current: Option<&Resolved>,
) -> Result<Resolved> {
    let current = current.map(|current| &current.manifest);
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(media_type::OCI_MANIFEST.to_owned()),
        artifact_type: current.and_then(|current| current.artifact_type.clone()),
        config: Some(config),
        layers: Some(layers),
        manifests: None,
        subject: current.and_then(|current| current.subject.clone()),
        annotations: current.map(|current| current.annotations.clone()).unwrap_or_default(),
    };
    let bytes = to_json(&manifest)?;
    let digest = Digest::sha256(&bytes);
    Ok(Resolved::of(manifest, bytes, None, digest))
}

#[derive(Serialize)]
struct Config<'a> {
    architecture: &'a str,
    os: &'a str,
    config: BTreeMap<String, String>,
    rootfs: RootFs,
}

#[derive(Serialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: Vec<Digest>,
}

fn to_json(value: &impl Serialize) -> Result<Bytes> {
    let json = serde_json::to_vec(value).map(Bytes::from);
    json.map_err(|error| Error::malformed("an image of attachments", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> Descriptor {
        Descriptor::of(media_type::SIMPLE_SIGNING, text.as_bytes())
    }

    fn image(layers: &[&str]) -> Resolved {
        image_of(layer("config"), layers.iter().map(|text| layer(text)).collect(), None).unwrap()
    }

    fn joined(current: Option<&[&str]>, added: &[&str]) -> String {
        let shown = |layers: &[Descriptor]| {
            let names = ["a", "b", "c"].into_iter();
            let order = |name: &&str| layers.iter().position(|found| *found == layer(name));
            let mut found: Vec<_> = names.filter_map(|name| Some((order(&name)?, name))).collect();
            found.sort_unstable();
            found.into_iter().map(|(_, name)| name).collect::<String>()
        };
        let (current, added) = (current.map(image), image(added));
        match Added::Image(&added).joined_to(current.as_ref()) {
            Joined::Same => "same".to_owned(),
            Joined::Image(image) => format!("image {}", shown(image.manifest.layers())),
            Joined::Layers(layers) => format!("layers {}", shown(&layers)),
        }
    }

    #[test]
    fn nothing_that_is_there_goes() {
        assert_eq!(joined(None, &["a"]), "image a");
        assert_eq!(joined(Some(&["a"]), &["a"]), "same");
        assert_eq!(joined(Some(&["b", "a"]), &["a"]), "same");
        assert_eq!(joined(Some(&["a"]), &["b", "a"]), "image ba");
        assert_eq!(joined(Some(&["c", "a"]), &["a", "b"]), "layers cab");
        assert_eq!(joined(Some(&[]), &["a"]), "image a");
    }

    #[test]
    fn what_else_the_image_says_stays() {
        let mut current = image(&["a"]);
        current.manifest.annotations.insert("a".to_owned(), "note".to_owned());
        current.manifest.subject = Some(layer("an image"));
        let next = image_of(layer("config"), vec![layer("b")], Some(&current)).unwrap();
        assert_eq!(next.manifest.annotations, current.manifest.annotations);
        assert_eq!(next.manifest.subject, current.manifest.subject);
        assert_eq!(Manifest::parse(&next.bytes).unwrap(), next.manifest);
    }

    /// Two signatures over the same payload differ in their annotations.
    #[test]
    fn a_layer_is_another_one_with_another_signature() {
        let mut second = layer("a");
        second.annotations.insert("dev.cosignproject.cosign/signature".to_owned(), "second".to_owned());
        let current = image(&["a"]);
        let Joined::Layers(layers) = Added::Layer(&second).joined_to(Some(&current)) else {
            panic!("not added")
        };
        assert_eq!(layers, [layer("a"), second]);
    }
}
