//! Text with claims in it.

use super::claim::ClaimPath;

/// Text in which `{claim}` stands for the text of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Claim(ClaimPath),
    /// A claim that may be missing, as Go's `index` takes it.
    Index(ClaimPath),
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
            parts.push(Part::Claim(claim.into()));
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
            return Some(Self(vec![Part::Claim(text.into())]));
        }
        let mut rest = text;
        let (template, ended_by) = Self::until_action(&mut rest, 0)?;
        ended_by.is_none().then_some(template)
    }

    /// The text; the error is the first claim that is missing or not text.
    pub(super) fn fill(&self, value: &impl Fn(&ClaimPath) -> Option<String>) -> Result<String, &ClaimPath> {
        self.0.iter().map(|part| part.fill(value)).collect()
    }

    /// The claims that it inserts.
    pub(super) fn claims(&self) -> Vec<&ClaimPath> {
        let claims = self.0.iter().map(|part| match part {
            Part::Text(_) => Vec::new(),
            Part::Claim(path) | Part::Index(path) => vec![path],
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
    fn fill(&self, value: &impl Fn(&ClaimPath) -> Option<String>) -> Result<String, &ClaimPath> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Claim(path) => value(path).ok_or(path),
            Self::Index(path) => Ok(value(path).unwrap_or_default()),
            Self::If { claim, is, then, otherwise } => {
                if claim.fill(value)? == *is { then } else { otherwise }.fill(value)
            }
        }
    }
}

/// The claim of `.a.b` or `index . "name"`, which may stand in parentheses.
fn field(text: &str) -> Option<Part> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        return field(inner);
    }
    let is_name = |name: &&str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-/".contains(c))
    };
    if let Some(name) = text.strip_prefix("index . \"").and_then(|name| name.strip_suffix('"')) {
        return Some(name).filter(is_name).map(|name| Part::Index(name.into()));
    }
    ClaimPath::dotted(text.strip_prefix('.')?).map(Part::Claim)
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

    fn fill(template: &Template) -> Result<String, String> {
        let known: [(ClaimPath, &str); 4] =
            [("host".into(), "h"), (["a", "b"].into(), "x"), ("a.b".into(), "y"), ("e.org/id".into(), "7")];
        let value =
            |path: &ClaimPath| known.iter().find(|(known, _)| known == path).map(|(_, it)| (*it).to_owned());
        template.fill(&value).map_err(ToString::to_string)
    }

    #[test]
    fn both_forms_are_filled() {
        assert_eq!(fill(&Template::new("https://{host}/{a.b}/y")).unwrap(), "https://h/y/y");
        let fulcio = |text: &str| fill(&Template::of_fulcio(text).unwrap());
        assert_eq!(fulcio("https://{{ .host }}/{{.a.b}}").unwrap(), "https://h/x");
        assert_eq!(fulcio("host").unwrap(), "h");
        assert_eq!(fulcio(r#"{{index . "e.org/id"}}/{{(index . "e.org/id")}}"#).unwrap(), "7/7");
        let decision = r#"r/{{if eq .host "h"}}heads{{ else }}tags{{end}}/{{ .host }}"#;
        assert_eq!(fulcio(decision).unwrap(), "r/heads/h");
        assert_eq!(fulcio(r#"{{ if eq (index . "e.org/id") "8" }}a{{ else }}""{{ end }}"#).unwrap(), "\"\"");
        assert_eq!(fulcio(r#"{{if eq .host "x"}}a{{end}}"#).unwrap(), "");
        assert_eq!(fulcio(r#"a{{index . "missing"}}"#).unwrap(), "a");
        assert_eq!(fulcio("{{ .host }}{{ .missing }}"), Err("missing".to_owned()));
        assert_eq!(fill(&Template::new("{host}{missing}")), Err("missing".to_owned()));
    }

    #[test]
    fn templates_that_do_more_are_refused() {
        for text in [
            "{{ if .a }}x{{ end }}",
            "{{ .a | upper }}",
            "{{ .a",
            "{{ .a. }}",
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
