//! Platforms by name (`linux/arm64/v8`), and which of an index's images is for one.

use std::fmt;

use signet_formats::oci::{Descriptor, Manifest, Platform};

/// Reads `os/architecture[/variant]`.
pub fn parse_platform(text: &str) -> Result<Platform, PlatformError> {
    let mut parts = text.split('/');
    let (os, architecture, variant) = (parts.next(), parts.next(), parts.next());
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    match (os, architecture, parts.next()) {
        (Some(os), Some(architecture), None)
            if is_word(os) && is_word(architecture) && variant.is_none_or(is_word) =>
        {
            Ok(Platform {
                architecture: architecture.to_owned(),
                os: os.to_owned(),
                os_version: None,
                variant: variant.map(str::to_owned),
            })
        }
        _ => Err(PlatformError),
    }
}

/// The images of `index` for `wanted`, in the index's order.
///
/// A variant that is not asked for matches any; `arm64` is `arm64/v8` and `arm` is `arm/v7`, as
/// containerd normalises them. BuildKit's attestations, of platform `unknown/unknown`, never match.
pub fn select_platform<'a>(index: &'a Manifest, wanted: &Platform) -> Vec<&'a Descriptor> {
    let matches =
        |entry: &&Descriptor| entry.platform.as_ref().is_some_and(|found| is_platform(found, wanted));
    index.manifests().iter().filter(matches).collect()
}

/// Whether an entry of an index is for the `wanted` platform, by the rules of [`select_platform`].
pub fn is_platform(found: &Platform, wanted: &Platform) -> bool {
    let version = wanted.os_version.is_none() || wanted.os_version == found.os_version;
    let variant = wanted.variant.is_none() || variant(found) == variant(wanted);
    found.os != "unknown"
        && found.os == wanted.os
        && found.architecture == wanted.architecture
        && version
        && variant
}

fn variant(platform: &Platform) -> Option<&str> {
    let implied = match platform.architecture.as_str() {
        "arm64" => Some("v8"),
        "arm" => Some("v7"),
        _ => None,
    };
    platform.variant.as_deref().or(implied)
}

/// The text is not `os/architecture[/variant]` in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformError;

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a platform: expected `os/architecture[/variant]`, such as `linux/arm64`")
    }
}

impl std::error::Error for PlatformError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(platforms: &[&str]) -> Manifest {
        let entry = |(i, text): (usize, &&str)| {
            let mut descriptor = Descriptor::of("m", &[u8::try_from(i).unwrap()]);
            descriptor.platform = Some(parse_platform(text).unwrap());
            descriptor
        };
        let entries: Vec<_> = platforms.iter().enumerate().map(entry).collect();
        let text = serde_json::json!({"schemaVersion": 2, "manifests": entries}).to_string();
        Manifest::parse(text.as_bytes()).unwrap()
    }

    fn found(index: &Manifest, wanted: &str) -> Vec<String> {
        let wanted = parse_platform(wanted).unwrap();
        let found = select_platform(index, &wanted);
        found.iter().map(|entry| entry.platform.as_ref().unwrap().to_string()).collect()
    }

    #[test]
    fn platforms_are_selected_with_their_implied_variants() {
        let index = index(&["linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7", "unknown/unknown"]);
        assert_eq!(found(&index, "linux/amd64"), ["linux/amd64"]);
        assert_eq!(found(&index, "linux/arm64/v8"), ["linux/arm64"]);
        assert!(is_platform(
            &parse_platform("linux/arm64/v8").unwrap(),
            &parse_platform("linux/arm64").unwrap()
        ));
        assert_eq!(found(&index, "linux/arm"), ["linux/arm/v6", "linux/arm/v7"]);
        assert_eq!(found(&index, "linux/arm/v7"), ["linux/arm/v7"]);
        assert!(found(&index, "windows/amd64").is_empty());
        assert!(found(&index, "unknown/unknown").is_empty());
    }

    #[test]
    fn malformed_platforms_are_refused() {
        for text in ["", "linux", "linux/", "linux/arm/v7/x", "Linux/amd64", "linux/amd64/"] {
            assert_eq!(parse_platform(text), Err(PlatformError), "{text}");
        }
    }
}
