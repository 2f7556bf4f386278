//! Text with claims in it.

use serde_json::Value;
use signet_formats::jwt::Claims;

/// Text in which `{claim}` stands for the text of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A claim by its name, or by a path of names with dots between.
    Claim(String),
}

impl Template {
    /// Our own form, `https://{host}/{path}`.
    pub(super) fn new(text: &str) -> Self {
        Self(parts(text, "{", "}", str::to_owned))
    }

    /// Fulcio's form: a Go template of fields only, `https://{{ .host }}/{{ .path }}`; text without
    /// fields is the name of a claim. `None` for a template that does more.
    pub(super) fn of_fulcio(text: &str) -> Option<Self> {
        if !text.contains("{{") {
            return Some(Self(vec![Part::Claim(text.to_owned())]));
        }
        let template = Self(parts(text, "{{", "}}", |field| field.trim().trim_start_matches('.').to_owned()));
        let is_name = |name: &String| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
        };
        let plain = template.0.iter().all(|part| match part {
            Part::Claim(name) => is_name(name),
            Part::Text(text) => !text.contains("{{") && !text.contains("}}"),
        });
        plain.then_some(template)
    }

    /// The text; the error is the first claim that is missing or not text.
    pub(super) fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, &str> {
        self.0.iter().try_fold(String::new(), |mut filled, part| {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Claim(name) => filled.push_str(&value(name).ok_or(name.as_str())?),
            }
            Ok(filled)
        })
    }
}

/// The text of a claim: text itself, a number or a truth value; empty text is none.
pub(super) fn text_of(claims: &Claims, name: &str) -> Option<String> {
    match claims.at(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn parts(text: &str, open: &str, close: &str, name: impl Fn(&str) -> String) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, field, after)) = split_field(rest, open, close) {
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(Part::Claim(name(field)));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    parts
}

fn split_field<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, rest) = text.split_once(open)?;
    let (field, after) = rest.split_once(close)?;
    Some((before, field, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &Template) -> Result<String, &str> {
        template.fill(|name| match name {
            "host" => Some("h".to_owned()),
            "a.b" => Some("x".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn both_forms_are_filled() {
        assert_eq!(fill(&Template::new("https://{host}/{a.b}/y")).unwrap(), "https://h/x/y");
        assert_eq!(
            fill(&Template::of_fulcio("https://{{ .host }}/{{.a.b}}").unwrap()).unwrap(),
            "https://h/x"
        );
        assert_eq!(fill(&Template::of_fulcio("host").unwrap()).unwrap(), "h");
        assert_eq!(fill(&Template::new("{host}{missing}")), Err("missing"));
    }

    #[test]
    fn templates_that_do_more_than_fields_are_refused() {
        for text in ["{{ if .a }}x{{ end }}", "{{ .a | upper }}", "{{ .a", "{{}}", "x }} {{ .a }}"] {
            assert_eq!(Template::of_fulcio(text), None, "{text}");
        }
    }
}
