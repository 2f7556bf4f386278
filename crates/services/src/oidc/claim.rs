//! Where a claim is in a token, and what text it is.

use std::fmt;

use serde_json::Value;
use signet_formats::jwt::Claims;

/// The names on the way to a claim, each inside of the one before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// A claim as the configuration names it: `$.a.b` is `b` inside of `a`, anything else a name, whatever it is made of.
    /// `None` for what is neither.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('$') {
            Some(path) => Self::dotted(path.strip_prefix('.')?),
            None => (!text.is_empty()).then(|| text.into()),
        }
    }

    /// Names with dots between.
    pub(super) fn dotted(path: &str) -> Option<Self> {
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        };
        path.split('.').all(is_name).then(|| Self(path.split('.').map(str::to_owned).collect()))
    }

    /// The name, if there is only one.
    pub(super) fn name(&self) -> Option<&str> {
        match self.0.as_slice() {
            [name] => Some(name),
            _ => None,
        }
    }

    /// The claim, of any type.
    pub(super) fn of<'a>(&self, claims: &'a Claims) -> Option<&'a Value> {
        claims.at(&self.0)
    }

    /// The text of a claim: text itself, a number or a truth value; empty text is none.
    pub(super) fn text(&self, claims: &Claims) -> Option<String> {
        match self.of(claims)? {
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            value => Some(said(value)).filter(|text| !text.is_empty()),
        }
    }
}

impl From<&str> for ClaimPath {
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}

impl<const N: usize> From<[&str; N]> for ClaimPath {
    fn from(names: [&str; N]) -> Self {
        Self(names.map(str::to_owned).into())
    }
}

impl From<&ClaimPath> for ClaimPath {
    fn from(path: &ClaimPath) -> Self {
        path.clone()
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A value as Go's templates write it, which is how Fulcio certifies it.
pub(super) fn said(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.as_f64().map(go_float).unwrap_or_default(),
        Value::String(text) => text.clone(),
        Value::Array(values) => format!("[{}]", values.iter().map(said).collect::<Vec<_>>().join(" ")),
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            let members: Vec<_> =
                members.into_iter().map(|(name, value)| format!("{name}:{}", said(value))).collect();
            format!("map[{}]", members.join(" "))
        }
    }
}

/// Go knows numbers of JSON as `float64`, and writes them with the verb `%v`.
fn go_float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let exponent =
        scientific.split_once('e').and_then(|(digits, exponent)| Some((digits, exponent.parse().ok()?)));
    match exponent {
        Some((digits, exponent @ (..-4 | 6..))) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", i32::abs(exponent))
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A claim that a stranger may add beside does not stand for one inside of another.
    #[test]
    fn a_path_is_one_of_names_and_a_name_with_dots_is_another_claim() {
        let claims =
            json!({ "a.b": "flat", "a": { "b": "nested", "c": {} }, "$.a.b": "odd", "t": true, "e": "" });
        let Value::Object(claims) = claims else { unreachable!() };
        let claims = Claims::new(claims);
        let text = |path: &str| ClaimPath::parse(path).unwrap().text(&claims);
        assert_eq!(text("$.a.b").as_deref(), Some("nested"));
        assert_eq!(text("a.b").as_deref(), Some("flat"));
        assert_eq!(text("t").as_deref(), Some("true"));
        for missing in ["$.a", "$.a.c", "$.a.b.c", "$.x", "e"] {
            assert_eq!(text(missing), None, "{missing}");
        }
        for odd in ["", "$", "$.", "$.a.", "$..a", "$a", "$['a']", "$.a[0]", "$.a b"] {
            assert_eq!(ClaimPath::parse(odd), None, "{odd}");
        }
    }
    /// Seen from Go's `%v`.
    #[test]
    fn values_are_written_as_gos_templates_do() {
        let cases = [
            (json!(null), "<nil>"),
            (json!(7), "7"),
            (json!(999_999), "999999"),
            (json!(1_000_000), "1e+06"),
            (json!(123_456_789_012_345_u64), "1.23456789012345e+14"),
            (json!(12_345_678_901_234_567_890_u64), "1.2345678901234567e+19"),
            (json!(-1.5e300), "-1.5e+300"),
            (json!(0.0001), "0.0001"),
            (json!(0.00001), "1e-05"),
            (json!(true), "true"),
            (json!({ "b": [1, "x"], "a": null }), "map[a:<nil> b:[1 x]]"),
        ];
        for (value, wanted) in cases {
            assert_eq!(said(&value), wanted, "{value}");
        }
    }
}
