//! Names of roles and targets as names of files and parts of URLs.

use signet_crypto::Digest;

use super::TufError;

/// The longest name of a file that is asked for or written, in bytes; file systems take 255.
pub const MAX_FILE_NAME: usize = 240;

/// The name of a role or target as one path segment: all but unreserved characters percent-encoded, so that no
/// name leaves its directory (CVE-2021-41131, CVE-2026-6968). An error if it is empty, `.`, `..` or too long.
pub fn file_name(name: &str) -> Result<String, TufError> {
    let encoded = encode(name);
    match encoded.as_str() {
        "" | "." | ".." => Err(TufError::Name(name.to_owned())),
        _ if encoded.len() > MAX_FILE_NAME => Err(TufError::Name(name.to_owned())),
        _ => Ok(encoded),
    }
}

/// The name of a role's file in the repository: `ROLE.json`, with a version `N.ROLE.json`.
pub fn versioned(role: &str, version: Option<u64>) -> Result<String, TufError> {
    let name = file_name(role)?;
    Ok(version.map_or_else(|| format!("{name}.json"), |version| format!("{version}.{name}.json")))
}

/// Where a target is below the targets' URL; with a hash it stands before the last segment. An error if the
/// path is not one of plain relative segments.
pub fn target_url(path: &str, hash: Option<&Digest>) -> Result<String, TufError> {
    let segments: Vec<String> = path.split('/').map(file_name).collect::<Result<_, _>>()?;
    let (last, folders) = segments.split_last().ok_or_else(|| TufError::Name(path.to_owned()))?;
    let last = hash.map_or_else(|| last.clone(), |hash| format!("{}.{last}", hash.hex()));
    Ok(folders.iter().cloned().chain([last]).collect::<Vec<_>>().join("/"))
}

fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                encoded.push_str(&hex::encode_upper([byte]));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_directory() {
        assert_eq!(versioned("targets", Some(3)).unwrap(), "3.targets.json");
        assert_eq!(versioned("../delegated role", Some(1)).unwrap(), "1...%2Fdelegated%20role.json");
        assert_eq!(versioned("?#é", None).unwrap(), "%3F%23%C3%A9.json");
        for name in ["", ".", "..", &"x".repeat(241)] {
            assert_eq!(file_name(name), Err(TufError::Name(name.to_owned())));
        }
    }

    #[test]
    fn a_target_path_is_of_plain_segments() {
        let hash = Digest::sha256(b"");
        assert_eq!(target_url("a b/c", None).unwrap(), "a%20b/c");
        assert_eq!(target_url("a/c", Some(&hash)).unwrap(), format!("a/{}.c", hash.hex()));
        for path in ["/etc/passwd", "../x", "a/../b", "a//b", "a/"] {
            assert!(target_url(path, None).is_err(), "{path}");
        }
    }
}
