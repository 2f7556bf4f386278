//! The configuration as it counts, each key under its description.

use std::fmt::Write;

use serde_json::Value;

use super::StackFile;
use crate::error::CliError;

/// The file, in YAML that can be read again.
pub(crate) fn documented(file: &StackFile) -> Result<String, CliError> {
    let yaml = serde_saphyr::to_string(file).map_err(CliError::internal)?;
    let schema: Value = serde_json::from_str(SCHEMA).map_err(CliError::internal)?;
    let mut path: Vec<&str> = Vec::new();
    let mut text = String::new();
    for line in yaml.lines() {
        let key = line.trim_start().split_once(':').map(|(key, _)| key);
        let depth = (line.len() - line.trim_start().len()) / INDENT;
        if let Some(key) = key.filter(|_| depth <= path.len()) {
            path.truncate(depth);
            path.push(key);
            if let Some(said) = description(&schema, &path) {
                let space = " ".repeat(depth * INDENT);
                wrapped(said, WIDTH - space.len())
                    .for_each(|part| text.push_str(&format!("{space}# {part}\n")));
            }
        }
        // A String takes everything.
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}

/// What the schema says of the key at this path.
fn description<'a>(schema: &'a Value, path: &[&str]) -> Option<&'a str> {
    let mut place = schema;
    for key in path {
        place = section(schema, place).get("properties")?.get(key)?;
    }
    place.get("description")?.as_str()
}

/// What says which keys there are: the definition that is named here, or what stands here.
fn section<'a>(schema: &'a Value, place: &'a Value) -> &'a Value {
    let named = place.get("$ref").and_then(Value::as_str);
    named.and_then(|name| schema.pointer(name.strip_prefix('#')?)).unwrap_or(place)
}

/// The text in lines of at most `width` characters, as far as its words allow.
fn wrapped(text: &str, width: usize) -> impl Iterator<Item = String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter()
}

/// The schema of the file, which a test makes of its types and holds (`schema.rs`).
const SCHEMA: &str = include_str!("../../../../docs/reference/schemas/stack.v1alpha1.json");
const INDENT: usize = 2;
const WIDTH: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_as_the_same_and_says_what_every_key_is() {
        let printed = documented(&StackFile::default()).unwrap();
        let again: StackFile = serde_saphyr::from_str(&printed).unwrap();
        assert_eq!(documented(&again).unwrap(), printed);
        let mut described = false;
        for line in printed.lines().map(str::trim_start) {
            let is_comment = line.starts_with('#');
            assert!(is_comment || described, "`{line}` has no description:\n{printed}");
            described = is_comment;
        }
    }

    #[test]
    fn a_key_that_is_not_known_is_refused() {
        for text in ["lisen: 1", "tls: {cert: x}", "ca: {issuers: x, colour: red}", "registry: true"] {
            assert!(serde_saphyr::from_str::<StackFile>(text).is_err(), "{text}");
        }
    }
}
