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
    /// A claim that may be missing, as Go's `index` takes it.
    Index(String),
    /// One of two texts, by whether a claim has this value.
    If {
        claim: Box<Part>,
        is: String,
        then: Template,
        otherwise: Template,
    },
}

impl Template {
    /// Our own form, `https://{host}/{path}`.
    pub(super) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, claim, after)) = split_field(rest, "{", "}") {
            parts.extend(text_part(before));
            parts.push(Part::Claim(claim.to_owned()));
            rest = after;
        }
        parts.extend(text_part(rest));
        Self(parts)
    }

    /// Fulcio's form: a Go template that inserts fields, `{{ .path }}` or `{{ index . "path" }}`, and decides between
    /// texts by one, `{{ if eq .kind "a" }}…{{ else }}…{{ end }}`; text without any of this is the name of a claim.
    /// `None` for a template that does more.
    pub(super) fn of_fulcio(text: &str) -> Option<Self> {
        if !text.contains("{{") {
            return Some(Self(vec![Part::Claim(text.to_owned())]));
        }
        let mut rest = text;
        let (template, ended_by) = Self::until_action(&mut rest, 0)?;
        ended_by.is_none().then_some(template)
    }

    /// The text; the error is the first claim that is missing or not text.
    pub(super) fn fill(&self, value: &impl Fn(&str) -> Option<String>) -> Result<String, &str> {
        self.0.iter().map(|part| part.fill(value)).collect()
    }

    /// The claims that it inserts.
    pub(super) fn claims(&self) -> Vec<&str> {
        let claims = self.0.iter().map(|part| match part {
            Part::Text(_) => Vec::new(),
            Part::Claim(name) | Part::Index(name) => vec![name.as_str()],
            Part::If { then, otherwise, .. } => [then.claims(), otherwise.claims()].concat(),
        });
        claims.flatten().collect()
    }

    /// Reads up to an `else` or `end`, which is told, or to the end of the text.
    fn until_action<'a>(rest: &mut &'a str, depth: usize) -> Option<(Self, Option<&'a str>)> {
        let mut parts = Vec::new();
        while let Some((before, action, after)) = split_field(rest, "{{", "}}") {
            parts.extend(plain(before)?);
            *rest = after;
            match action.trim() {
                end @ ("else" | "end") => return Some((Self(parts), Some(end))),
                action => parts.push(match action.strip_prefix("if eq ") {
                    Some(condition) => Self::decision(condition, rest, depth + 1)?,
                    None => field(action)?,
                }),
            }
        }
        parts.extend(plain(rest)?);
        Some((Self(parts), None))
    }

    fn decision(condition: &str, rest: &mut &str, depth: usize) -> Option<Part> {
        let (claim, is) = condition.trim().strip_suffix('"')?.rsplit_once('"')?;
        let claim = field(claim).filter(|_| depth <= MAX_DEPTH).map(Box::new)?;
        let (then, ended_by) = Self::until_action(rest, depth)?;
        let (otherwise, ended_by) = match ended_by? {
            "else" => Self::until_action(rest, depth)?,
            end => (Self(Vec::new()), Some(end)),
        };
        (ended_by? == "end").then(|| Part::If { claim, is: is.to_owned(), then, otherwise })
    }
}

impl Part {
    fn fill(&self, value: &impl Fn(&str) -> Option<String>) -> Result<String, &str> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Claim(name) => value(name).ok_or(name.as_str()),
            Self::Index(name) => Ok(value(name).unwrap_or_default()),
            Self::If { claim, is, then, otherwise } => {
                if claim.fill(value)? == *is { then } else { otherwise }.fill(value)
            }
        }
    }
}

/// The text of a claim: text itself, a number or a truth value; empty text is none.
pub(super) fn text_of(claims: &Claims, name: &str) -> Option<String> {
    said(claims.at(name)?).filter(|text| !text.is_empty())
}

/// The same, where no value is empty text.
pub(super) fn said(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => Some(String::new()),
        _ => None,
    }
}

/// The claim of `.name` or `index . "name"`, which may stand in parentheses.
fn field(text: &str) -> Option<Part> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        return field(inner);
    }
    let is_name = |name: &&str, more: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if let Some(name) = text.strip_prefix("index . \"").and_then(|name| name.strip_suffix('"')) {
        return Some(name).filter(|name| is_name(name, "_.-/")).map(|name| Part::Index(name.to_owned()));
    }
    let name = text.strip_prefix('.').filter(|name| is_name(name, "_.-"))?;
    Some(Part::Claim(name.to_owned()))
}

fn plain(text: &str) -> Option<Option<Part>> {
    (!text.contains("{{") && !text.contains("}}")).then(|| text_part(text))
}

fn text_part(text: &str) -> Option<Part> {
    (!text.is_empty()).then(|| Part::Text(text.to_owned()))
}

fn split_field<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (before, rest) = text.split_once(open)?;
    let (field, after) = rest.split_once(close)?;
    Some((before, field, after))
}

/// How deep decisions may stand in each other.
const MAX_DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &Template) -> Result<String, &str> {
        template.fill(&|name: &str| match name {
            "host" => Some("h".to_owned()),
            "a.b" => Some("x".to_owned()),
            "e.org/id" => Some("7".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn both_forms_are_filled() {
        assert_eq!(fill(&Template::new("https://{host}/{a.b}/y")).unwrap(), "https://h/x/y");
        let fulcio = |text: &str| fill(&Template::of_fulcio(text).unwrap()).map_err(str::to_owned);
        assert_eq!(fulcio("https://{{ .host }}/{{.a.b}}").unwrap(), "https://h/x");
        assert_eq!(fulcio("host").unwrap(), "h");
        assert_eq!(fulcio(r#"{{index . "e.org/id"}}/{{(index . "e.org/id")}}"#).unwrap(), "7/7");
        let decision = r#"r/{{if eq .host "h"}}heads{{ else }}tags{{end}}/{{ .host }}"#;
        assert_eq!(fulcio(decision).unwrap(), "r/heads/h");
        assert_eq!(fulcio(r#"{{ if eq (index . "e.org/id") "8" }}a{{ else }}""{{ end }}"#).unwrap(), "\"\"");
        assert_eq!(fulcio(r#"{{if eq .host "x"}}a{{end}}"#).unwrap(), "");
        assert_eq!(fulcio(r#"a{{index . "missing"}}"#).unwrap(), "a");
        assert_eq!(fulcio("{{ .host }}{{ .missing }}"), Err("missing".to_owned()));
        assert_eq!(fill(&Template::new("{host}{missing}")), Err("missing"));
    }

    #[test]
    fn templates_that_do_more_are_refused() {
        for text in [
            "{{ if .a }}x{{ end }}",
            "{{ .a | upper }}",
            "{{ .a",
            "{{}}",
            "x }} {{ .a }}",
            "{{ a }}",
            r#"{{ if eq .a "b" }}x"#,
            r#"{{ if eq .a "b" }}x{{ else }}y"#,
            "x{{ end }}",
            "{{ else }}",
            &r#"{{ if eq .a "b" }}"#.repeat(100_000),
        ] {
            assert_eq!(Template::of_fulcio(text), None, "{}", &text[..text.len().min(40)]);
        }
    }
}
