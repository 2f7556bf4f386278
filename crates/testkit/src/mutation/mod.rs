//! Mutants of evidence and of what it is judged by: one to three changes to its structure, its encodings or its
//! bytes, the same for the same seed.

mod random;
mod text;
mod tree;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use signet_formats::base64::Base64;
use signet_verify::Content;

pub use random::Random;

/// A mutant of the content. Parts of `donors`, which are contents too, may be grafted into it.
pub fn mutate(content: &Content, donors: &[Content], random: &mut Random) -> Content {
    let mut content = content.clone();
    for _ in 0..=random.below(3) {
        content = once(&content, donors, random);
    }
    content
}

/// A mutant of a value by its JSON, of its tree alone; `None` if that does not read as such a value.
pub fn mutate_value<T: Serialize + DeserializeOwned>(value: &T, random: &mut Random) -> Option<T> {
    let mut tree = serde_json::to_value(value).ok()?;
    serde_json::from_str(&tree::mutate(&mut tree, None, random)).ok()
}

/// A mutant of a text.
pub fn mutate_text(text: &str, random: &mut Random) -> String {
    text::string(text, random)
}

fn once(content: &Content, donors: &[Content], random: &mut Random) -> Content {
    let donor = random.pick(donors);
    match content {
        Content::Bundle { bytes } => {
            let other = donor.and_then(|donor| match donor {
                Content::Bundle { bytes } => Some(&bytes.0),
                _ => None,
            });
            Content::Bundle { bytes: document(bytes, other, random) }
        }
        Content::CosignSignature { payload, annotations } => {
            let (mut payload, mut annotations) = (payload.clone(), annotations.clone());
            match (random.below(4), donor) {
                (0, _) => payload = document(&payload, None, random),
                (1, Some(Content::CosignSignature { payload: other, .. })) => payload = other.clone(),
                (2, Some(Content::CosignSignature { annotations: others, .. })) => {
                    text::graft_annotation(&mut annotations, others, random);
                }
                _ => text::annotation(&mut annotations, random),
            }
            Content::CosignSignature { payload, annotations }
        }
        Content::CosignAttestation { envelope, annotations } => {
            let (mut envelope, mut annotations) = (envelope.clone(), annotations.clone());
            match (random.below(4), donor) {
                (0 | 1, Some(Content::CosignAttestation { envelope: other, .. })) => {
                    envelope = document(&envelope, Some(&other.0), random);
                }
                (2, Some(Content::CosignAttestation { annotations: others, .. })) => {
                    text::graft_annotation(&mut annotations, others, random);
                }
                (3, _) => text::annotation(&mut annotations, random),
                _ => envelope = document(&envelope, None, random),
            }
            Content::CosignAttestation { envelope, annotations }
        }
    }
}

/// A mutant of a JSON document: of its tree three times in four, else of its bytes.
fn document(bytes: &Base64, donor: Option<&Vec<u8>>, random: &mut Random) -> Base64 {
    let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    match (parse(&bytes.0), random.below(4)) {
        (Some(mut tree), 1..) => {
            let donor = donor.and_then(|donor| parse(donor));
            Base64(tree::mutate(&mut tree, donor.as_ref(), random).into_bytes())
        }
        _ => Base64(text::bytes(&bytes.0, random)),
    }
}
