//! Mutants of bytes, base64 and texts.

use std::collections::BTreeMap;

use serde_json::Value;
use signet_formats::base64;

use super::random::Random;
use super::tree;

/// Flips, cuts, repeats or inserts.
pub(super) fn bytes(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut mutant = original.to_vec();
    let at = random.below(original.len());
    let end = original.len().min(at + 1 + random.below(16));
    match random.below(8) {
        0 => drop(mutant.drain(at..end)),
        1 => mutant.extend_from_within(at..end),
        2 => mutant.insert(at, random.number().to_le_bytes()[0]),
        3 => mutant.truncate(at),
        4 => {
            let other = random.below(original.len());
            if !mutant.is_empty() {
                mutant.swap(at, other);
            }
        }
        5 => mutant.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.number().to_le_bytes()[0]),
        _ => mutant.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
    }
    mutant
}

/// A mutant of a string: of the JSON or bytes that it encodes, of its encoding, or of its lines.
pub(super) fn string(original: &str, random: &mut Random) -> String {
    if let Ok(mut tree @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(original) {
        return tree::mutate(&mut tree, None, random);
    }
    match base64::decode(original) {
        Ok(decoded) if decoded.len() > 3 && random.below(8) > 0 => encoded(&decoded, random),
        Ok(_) => respelled(original, random),
        Err(_) if original.contains('\n') && random.below(4) > 0 => lines(original, random),
        Err(_) => plain(original, random),
    }
}

/// A mutant of one annotation, or none of it at all.
pub(super) fn annotation(annotations: &mut BTreeMap<String, String>, random: &mut Random) {
    let names: Vec<String> = annotations.keys().cloned().collect();
    let Some(name) = random.pick(&names) else { return };
    match (random.below(8), annotations.get_mut(name)) {
        (0, _) | (_, None) => drop(annotations.remove(name)),
        (_, Some(value)) => *value = string(value, random),
    }
}

/// An annotation of another layer in place of the own, or added.
pub(super) fn graft_annotation(
    annotations: &mut BTreeMap<String, String>,
    others: &BTreeMap<String, String>,
    random: &mut Random,
) {
    let others: Vec<(&String, &String)> = others.iter().collect();
    if let Some((name, value)) = random.pick(&others) {
        annotations.insert((*name).clone(), (*value).clone());
    }
}

fn encoded(decoded: &[u8], random: &mut Random) -> String {
    if let Ok(mut tree @ (Value::Object(_) | Value::Array(_))) = serde_json::from_slice(decoded) {
        return base64::encode(tree::mutate(&mut tree, None, random));
    }
    match std::str::from_utf8(decoded) {
        Ok(text) if text.starts_with("-----BEGIN") => base64::encode(lines(text, random)),
        _ => base64::encode(bytes(decoded, random)),
    }
}

/// The same bytes, if a reader is lenient, in another spelling.
fn respelled(original: &str, random: &mut Random) -> String {
    let at = random.below(original.len());
    let (head, tail) = original.split_at_checked(at).unwrap_or((original, ""));
    match random.below(6) {
        0 => original.trim_end_matches('=').to_owned(),
        1 => format!("{original}="),
        2 => original.replace('+', "-").replace('/', "_"),
        3 => format!("{head}\n{tail}"),
        4 => format!("{head} {tail}"),
        _ => format!("{original}{}", original.get(..4).unwrap_or_default()),
    }
}

fn lines(original: &str, random: &mut Random) -> String {
    let mut lines: Vec<String> = original.split('\n').map(str::to_owned).collect();
    let (one, other) = (random.below(lines.len()), random.below(lines.len()));
    match random.below(5) {
        0 => drop(lines.remove(one)),
        1 => lines.swap(one, other),
        2 => {
            let copy = lines.get(one).cloned().unwrap_or_default();
            lines.insert(other, copy);
        }
        3 => lines.insert(one, String::new()),
        _ => lines.iter_mut().skip(one).take(1).for_each(|line| *line = plain(line, random)),
    }
    lines.join("\n")
}

fn plain(original: &str, random: &mut Random) -> String {
    match (original.parse::<i64>(), random.below(4)) {
        (Ok(number), 0) => number.wrapping_add(1).to_string(),
        (Ok(number), 1) => number.wrapping_sub(1).to_string(),
        (Ok(number), 2) => format!("0{number}"),
        (_, 3) => format!("{original}{}", char::from(b' ' + u8::try_from(random.below(95)).unwrap_or(0))),
        _ => String::from_utf8_lossy(&bytes(original.as_bytes(), random)).into_owned(),
    }
}
