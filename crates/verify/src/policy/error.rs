//! Why a policy was refused.

use std::fmt;

use super::{API_VERSION, KIND};

/// Why a policy was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// The identity, the issuer or a claim of this principal is the empty text.
    Empty(String),
    /// The key of this principal is neither a PEM public key nor a key id.
    Key(String),
    /// It is not `signet.dev/v1alpha1 ImagePolicy`, but this.
    Kind(String),
    /// It has no rules, and so would demand nothing.
    NoRules,
    /// The pattern is no regular expression, and why.
    Pattern(String, String),
    /// This rule asks for a predicate type that is neither a keyword nor a URI.
    PredicateType(String, String),
    /// It is not YAML of the policy's shape: where and why.
    Syntax(String),
    /// The threshold of this rule is zero or more than its principals.
    Threshold(String),
    /// It is larger than 1 MiB, or has too many principals or rules.
    TooLarge,
    /// The pattern does not begin with `^` and end with `$`.
    Unanchored(String),
    /// A rule names this principal, which is not defined.
    UnknownPrincipal(String),
}

impl PolicyError {
    pub(crate) fn within(self, principal: &str) -> Self {
        match self {
            Self::Empty(_) => Self::Empty(principal.to_owned()),
            Self::Key(_) => Self::Key(principal.to_owned()),
            other => other,
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(name) => {
                write!(f, "principal `{name}`: an empty identity, issuer or claim is nobody's")
            }
            Self::Key(name) => write!(f, "principal `{name}`: the key is neither PEM nor an id `sha256:…`"),
            Self::Kind(found) => write!(f, "expected `{API_VERSION} {KIND}`, found `{found}`"),
            Self::NoRules => f.write_str("the policy has no rules"),
            Self::Pattern(pattern, why) => write!(f, "pattern `{pattern}`: {why}"),
            Self::PredicateType(rule, text) => {
                write!(
                    f,
                    "rule `{rule}`: `{text}` is none of `signature`, `any` and the URI of a predicate type"
                )
            }
            Self::Syntax(why) => f.write_str(why),
            Self::Threshold(rule) => write!(f, "rule `{rule}`: the threshold is not within its principals"),
            Self::TooLarge => f.write_str("the policy is too large"),
            Self::Unanchored(pattern) => {
                write!(f, "pattern `{pattern}` must begin with `^` and end with `$`")
            }
            Self::UnknownPrincipal(name) => write!(f, "principal `{name}` is not defined"),
        }
    }
}

impl std::error::Error for PolicyError {}
