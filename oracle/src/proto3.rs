//! The freedom of proto3's JSON mapping, which `sigstore-verify` does not have: a field may also be named
//! as in the `.proto` file, and null stands for its absence.

use serde_json::{Map, Value};

/// The document with every field in lower camel case and without nulls, if that is another document.
pub(crate) fn respelled(bundle: &[u8]) -> Option<Vec<u8>> {
    let document: Value = serde_json::from_slice(bundle).ok()?;
    let respelled = value(document.clone());
    (respelled != document).then(|| respelled.to_string().into_bytes())
}

fn value(document: Value) -> Value {
    match document {
        Value::Array(items) => Value::Array(items.into_iter().map(value).collect()),
        Value::Object(members) => Value::Object(object(members)),
        other => other,
    }
}

fn object(members: Map<String, Value>) -> Map<String, Value> {
    let present = members.into_iter().filter(|(_, member)| !member.is_null());
    present.map(|(name, member)| (camel_case(&name), value(member))).collect()
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |text, word| {
        let (initial, rest) = word.split_at_checked(1).unwrap_or_default();
        text + &initial.to_ascii_uppercase() + rest
    })
}
