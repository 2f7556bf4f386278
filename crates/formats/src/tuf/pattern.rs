//! Path patterns of delegations.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A shell-style pattern of target paths: `*` stands for any characters of one path segment, `?` for one.
///
/// The separator `/` is matched by itself only. Character classes (`[…]`) are refused when metadata is read:
/// clients differ in what they mean, and a delegation must mean one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern(String);

impl PathPattern {
    /// Reads a pattern.
    pub fn new(pattern: &str) -> Result<Self, ClassInPattern> {
        match pattern.contains(['[', ']']) {
            true => Err(ClassInPattern),
            false => Ok(Self(pattern.to_owned())),
        }
    }

    /// Whether the pattern stands for this target path.
    pub fn matches(&self, path: &str) -> bool {
        let (mut patterns, mut segments) = (self.0.split('/'), path.split('/'));
        loop {
            match (patterns.next(), segments.next()) {
                (None, None) => return true,
                (Some(pattern), Some(segment)) if segment_matches(pattern, segment) => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PathPattern {
    type Error = ClassInPattern;

    fn try_from(pattern: String) -> Result<Self, ClassInPattern> {
        Self::new(&pattern)
    }
}

impl From<PathPattern> for String {
    fn from(pattern: PathPattern) -> Self {
        pattern.0
    }
}

/// The pattern has a character class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassInPattern;

impl fmt::Display for ClassInPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path pattern has a character class, which clients understand differently")
    }
}

impl std::error::Error for ClassInPattern {}

/// Goes back to the last `*` only, so that the work is bounded by the product of the lengths.
fn segment_matches(pattern: &str, segment: &str) -> bool {
    let (mut pattern, mut rest) = (pattern.chars(), segment.chars());
    let mut star = None;
    loop {
        let here = rest.clone();
        match (pattern.next(), rest.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                rest = here;
                star = Some((pattern.clone(), rest.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            _ => {
                let Some((after, from)) = &mut star else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, rest) = (after.clone(), from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_and_a_question_mark_stay_within_a_segment() {
        let table = [
            ("*", "README.md", true),
            ("*", "", true),
            ("*", "releases/README.md", false),
            ("releases/*/*", "releases/x/x_v1", true),
            ("releases/*/*", "releases/x", false),
            ("foo-?.tgz", "foo-1.tgz", true),
            ("foo-?.tgz", "foo-12.tgz", false),
            ("foo-?.tgz", "foo-/.tgz", false),
            ("*.md", "README.MD", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
            ("é*", "éa", true),
            ("", "", true),
            ("a", "ab", false),
        ];
        for (pattern, path, expected) in table {
            assert_eq!(PathPattern::new(pattern).unwrap().matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_long_pattern_ends_soon() {
        let pattern = PathPattern::new(&"a*".repeat(500)).unwrap();
        assert!(!pattern.matches(&format!("{}b", "a".repeat(400))));
    }

    #[test]
    fn classes_are_refused() {
        assert_eq!(PathPattern::new("[ab]*"), Err(ClassInPattern));
    }
}
