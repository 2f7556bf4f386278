//! What a text must be.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::PolicyError;

/// A text that must be met exactly, or a pattern that must match all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Matcher {
    /// This text and no other.
    Exact(String),
    /// A regular expression that begins with `^` and ends with `$`.
    Pattern(Pattern),
}

impl Matcher {
    /// The matcher in the form that is used to match.
    pub fn compile(&self) -> Result<CompiledMatcher, PolicyError> {
        let Self::Pattern(Pattern { pattern }) = self else {
            return Some(self.to_string())
                .filter(|text| !text.is_empty())
                .map(CompiledMatcher::Exact)
                .ok_or(PolicyError::Empty(String::new()));
        };
        if !is_anchored(pattern) {
            return Err(PolicyError::Unanchored(pattern.clone()));
        }
        let build = |expression: &str| {
            let built = RegexBuilder::new(expression).size_limit(MAX_PATTERN_BYTES).build();
            built.map_err(|e| PolicyError::Pattern(pattern.clone(), e.to_string()))
        };
        // The group makes the anchors hold for alternations too: `^a|b$` alone matches `axx`. What is no
        // expression by itself could close the group: `^a)|(?:.*$`.
        build(pattern)?;
        build(&format!(r"\A(?:{pattern})\z")).map(CompiledMatcher::Pattern)
    }
}

/// Whether it begins with `^` and ends with a `$` that no backslash takes its meaning from.
fn is_anchored(pattern: &str) -> bool {
    let body = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$'));
    let escapes = |body: &str| body.len() - body.trim_end_matches('\\').len();
    body.is_some_and(|body| escapes(body).is_multiple_of(2))
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => f.write_str(text),
            Self::Pattern(Pattern { pattern }) => f.write_str(pattern),
        }
    }
}

/// A regular expression, in a mapping of its own so that it is never taken for an exact text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The expression, anchored at both ends.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = ANCHORED)))]
    pub pattern: String,
}

/// A [`Matcher`] that is ready to match.
#[derive(Clone, Debug)]
pub enum CompiledMatcher {
    /// This text and no other.
    Exact(String),
    /// All of the text matches.
    Pattern(Regex),
}

impl CompiledMatcher {
    /// Whether the text is met.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Pattern(regex) => regex.is_match(text),
        }
    }
}

/// What every pattern looks like, for the schema; [`Matcher::compile`] knows better.
#[cfg(feature = "schema")]
const ANCHORED: &str = r"^\^.*\$$";
const MAX_PATTERN_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_backslash_escapes_no_anchor() {
        let anchored = |pattern: &str| Matcher::Pattern(Pattern { pattern: pattern.to_owned() }).compile();
        assert!(anchored(r"^a\\$").unwrap().matches(r"a\"));
        for pattern in [r"^a\$", r"^a\\\$", "^", "$"] {
            assert!(matches!(anchored(pattern), Err(PolicyError::Unanchored(_))), "{pattern}");
        }
    }

    #[test]
    fn an_alternation_does_not_escape_its_anchors() {
        let matcher = Matcher::Pattern(Pattern { pattern: "^a|b$".to_owned() }).compile().unwrap();
        assert!(matcher.matches("a") && matcher.matches("b"));
        assert!(!matcher.matches("axx") && !matcher.matches("xxb"));
    }
}
