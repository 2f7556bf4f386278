//! Mutants of JSON trees.

use serde_json::{Map, Number, Value, json};

use super::random::Random;
use super::text;

/// Changes one place of the tree, and returns the document.
pub(super) fn mutate(tree: &mut Value, donor: Option<&Value>, random: &mut Random) -> String {
    let places = places(tree);
    let Some(place) = random.pick(&places).cloned() else { return tree.to_string() };
    match (random.below(10), donor) {
        (0, _) => remove(tree, &place, random),
        (1, _) => return twice(tree, random),
        (2, _) => swap(tree, &place, random.pick(&places).map_or("", String::as_str)),
        (3, _) => add(tree, &place, random),
        (4 | 5, Some(donor)) => {
            let found = donor.pointer(&place).cloned();
            if let (Some(value), Some(found)) = (tree.pointer_mut(&place), found) {
                *value = found;
            }
        }
        _ => {
            if let Some(value) = tree.pointer_mut(&place) {
                *value = changed(value, random);
            }
        }
    }
    tree.to_string()
}

/// The JSON pointers of every value below the root.
fn places(tree: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), tree)];
    while let Some((at, value)) = open.pop() {
        let below: Vec<(String, &Value)> = match value {
            Value::Object(members) => {
                members.iter().map(|(name, member)| (format!("{at}/{}", escaped(name)), member)).collect()
            }
            Value::Array(items) => {
                items.iter().enumerate().map(|(n, item)| (format!("{at}/{n}"), item)).collect()
            }
            _ => Vec::new(),
        };
        found.extend(below.iter().map(|(at, _)| at.clone()));
        open.extend(below);
    }
    found
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Another value in the place of this one.
fn changed(value: &Value, random: &mut Random) -> Value {
    match (value, random.below(12)) {
        (_, 0) => Value::Null,
        (Value::String(text), 1) => text.parse::<i64>().map_or_else(|_| json!([text]), |n| json!(n)),
        (Value::Number(number), 1) => json!(number.to_string()),
        (Value::String(text), _) => json!(text::string(text, random)),
        (Value::Number(number), _) => json!(other_number(number, random)),
        (Value::Bool(truth), _) => json!(!truth),
        (Value::Array(items), _) => other_array(items, random),
        (Value::Object(_), 1) => json!({}),
        (other, _) => other.clone(),
    }
}

fn other_number(number: &Number, random: &mut Random) -> i64 {
    let number = number.as_i64().unwrap_or(i64::MAX);
    let others =
        [number.wrapping_add(1), number.wrapping_sub(1), 0, number.wrapping_neg(), i64::MAX, i64::MIN];
    random.pick(&others).copied().unwrap_or(0)
}

fn other_array(items: &[Value], random: &mut Random) -> Value {
    let mut items = items.to_vec();
    let at = random.below(items.len());
    match (random.below(4), items.get(at).cloned()) {
        (0, Some(item)) => items.push(item),
        (1, Some(_)) => drop(items.remove(at)),
        (2, _) => items.reverse(),
        _ => items.clear(),
    }
    Value::Array(items)
}

fn remove(tree: &mut Value, place: &str, random: &mut Random) {
    let Some((above, name)) = place.rsplit_once('/') else { return };
    match tree.pointer_mut(above) {
        Some(Value::Object(members)) => drop(members.remove(&name.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(items)) if !items.is_empty() => drop(items.remove(random.below(items.len()))),
        _ => {}
    }
}

fn swap(tree: &mut Value, one: &str, other: &str) {
    let (Some(first), Some(second)) = (tree.pointer(one).cloned(), tree.pointer(other).cloned()) else {
        return;
    };
    if let Some(value) = tree.pointer_mut(one) {
        *value = second;
    }
    if let Some(value) = tree.pointer_mut(other) {
        *value = first;
    }
}

/// A member that may not be there: unknown, of another name, or of the other spelling of proto3 JSON.
fn add(tree: &mut Value, place: &str, random: &mut Random) {
    let Some(Value::Object(members)) = tree.pointer_mut(place) else { return };
    let names: Vec<String> = members.keys().cloned().collect();
    let Some(name) = random.pick(&names) else { return };
    let value = members.get(name).cloned().unwrap_or_default();
    match random.below(4) {
        0 => drop(members.insert("unknown".to_owned(), json!(1))),
        1 => drop(members.insert(name.to_uppercase(), value)),
        2 => drop(members.insert(snake_case(name), value)),
        _ => {
            members.remove(name);
            members.insert(snake_case(name), value);
        }
    }
}

fn snake_case(name: &str) -> String {
    name.chars().fold(String::new(), |mut text, c| {
        if c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
        text
    })
}

/// The document with one key twice in the same object, the second time with another value.
fn twice(tree: &mut Value, random: &mut Random) -> String {
    let objects: Vec<String> = std::iter::once(String::new())
        .chain(places(tree))
        .filter(|at| tree.pointer(at).is_some_and(|value| value.as_object().is_some_and(|o| !o.is_empty())))
        .collect();
    let place = random.pick(&objects).cloned().unwrap_or_default();
    let Some(Value::Object(members)) = tree.pointer_mut(&place) else { return tree.to_string() };
    let names: Vec<String> = members.keys().cloned().collect();
    let Some(name) = random.pick(&names) else { return tree.to_string() };
    let other = members.get(name).map(|value| changed(value, random)).unwrap_or_default();
    let mut both = Map::new();
    both.insert(format!("{name}{MARK}"), other);
    both.append(members);
    *members = both;
    tree.to_string().replace(MARK, "")
}

/// Stands in no document.
const MARK: &str = "\u{fffc}";
