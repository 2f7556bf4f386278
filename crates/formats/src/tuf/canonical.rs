//! The canonical JSON that TUF signs: OLPC's, not RFC 8785's.
//!
//! Members stand in the order of their names' code points, nothing but `"` and `\` is escaped in a string, and
//! the only numbers are integers (TUF 1.0.34 §4.2; <http://wiki.laptop.org/go/Canonical_JSON>).

use serde_json::Value;

use super::TufError;

/// The canonical bytes of a value; an error if a number in it is not an integer of 64 bits.
pub fn to_vec(value: &Value) -> Result<Vec<u8>, TufError> {
    let mut bytes = Vec::new();
    write(&mut bytes, value)?;
    Ok(bytes)
}

fn write(bytes: &mut Vec<u8>, value: &Value) -> Result<(), TufError> {
    match value {
        Value::Null => bytes.extend_from_slice(b"null"),
        Value::Bool(true) => bytes.extend_from_slice(b"true"),
        Value::Bool(false) => bytes.extend_from_slice(b"false"),
        Value::Number(number) if number.is_f64() => return Err(TufError::NotAnInteger),
        Value::Number(number) => bytes.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => write_string(bytes, text),
        Value::Array(items) => {
            bytes.push(b'[');
            separated(bytes, items.iter(), write)?;
            bytes.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // UTF-8 sorts as its code points do.
            members.sort_unstable_by_key(|(name, _)| name.as_bytes());
            bytes.push(b'{');
            separated(bytes, members.into_iter(), |bytes, (name, value)| {
                write_string(bytes, name);
                bytes.push(b':');
                write(bytes, value)
            })?;
            bytes.push(b'}');
        }
    }
    Ok(())
}

fn separated<T>(
    bytes: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    one: impl Fn(&mut Vec<u8>, T) -> Result<(), TufError>,
) -> Result<(), TufError> {
    for (at, item) in items.enumerate() {
        if at > 0 {
            bytes.push(b',');
        }
        one(bytes, item)?;
    }
    Ok(())
}

fn write_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            bytes.push(b'\\');
        }
        bytes.push(byte);
    }
    bytes.push(b'"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn control_characters_stay_and_quotes_are_escaped() {
        let value = json!({"b": [1, -2, null, true], "a": "x\n\"\\\u{1}é", "\u{1f600}": {}, "\u{fb33}": []});
        let text = "{\"a\":\"x\n\\\"\\\\\u{1}é\",\"b\":[1,-2,null,true],\"\u{fb33}\":[],\"\u{1f600}\":{}}";
        assert_eq!(String::from_utf8(to_vec(&value).unwrap()).unwrap(), text);
    }

    #[test]
    fn numbers_that_are_no_integers_have_no_text() {
        assert_eq!(to_vec(&json!({"a": 1.5})), Err(TufError::NotAnInteger));
        assert_eq!(to_vec(&json!(1e30)), Err(TufError::NotAnInteger));
        assert_eq!(to_vec(&json!(u64::MAX)).unwrap(), b"18446744073709551615");
    }
}
