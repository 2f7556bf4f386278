//! The JSON Canonicalization Scheme (RFC 8785): one value, one sequence of bytes.

use std::cmp::Ordering;
use std::fmt;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Number, Value};

/// The canonical text of anything that serialises to JSON.
pub fn to_string<T: Serialize>(value: &T) -> Result<String, CanonicalError> {
    let value = serde_json::to_value(value).map_err(|_| CanonicalError::NotJson)?;
    let mut text = Vec::new();
    write_value(&mut text, &value)?;
    String::from_utf8(text).map_err(|_| CanonicalError::NotJson)
}

/// Why a value has no canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CanonicalError {
    /// An integer that a double cannot hold exactly: two values would get one text.
    InexactNumber,
    /// The value does not serialise to JSON.
    NotJson,
}

impl fmt::Display for CanonicalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InexactNumber => "an integer is too large for canonical JSON",
            Self::NotJson => "the value cannot be written as JSON",
        })
    }
}

impl std::error::Error for CanonicalError {}

fn write_value(text: &mut Vec<u8>, value: &Value) -> Result<(), CanonicalError> {
    match value {
        Value::Null => text.extend_from_slice(b"null"),
        Value::Bool(true) => text.extend_from_slice(b"true"),
        Value::Bool(false) => text.extend_from_slice(b"false"),
        Value::Number(number) => write_number(text, number)?,
        Value::String(string) => write_string(text, string)?,
        Value::Array(items) => write_array(text, items)?,
        Value::Object(members) => write_object(text, members)?,
    }
    Ok(())
}

fn write_array(text: &mut Vec<u8>, items: &[Value]) -> Result<(), CanonicalError> {
    text.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        write_value(text, item)?;
    }
    text.push(b']');
    Ok(())
}

/// RFC 8785 §3.2.3: members in the order of their names' UTF-16 code units.
fn write_object(text: &mut Vec<u8>, members: &Map<String, Value>) -> Result<(), CanonicalError> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| utf16_order(a, b));
    text.push(b'{');
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        write_string(text, name)?;
        text.push(b':');
        write_value(text, value)?;
    }
    text.push(b'}');
    Ok(())
}

/// For ASCII the order of the bytes is the same, and found sooner.
fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// RFC 8785 §3.2.2.2 escapes exactly what serde_json does, in the same spelling.
fn write_string(text: &mut Vec<u8>, string: &str) -> Result<(), CanonicalError> {
    serde_json::to_writer(text, string).map_err(|_| CanonicalError::NotJson)
}

fn write_number(text: &mut Vec<u8>, number: &Number) -> Result<(), CanonicalError> {
    if let Some(integer) = number.as_i64() {
        if integer.unsigned_abs() > MAX_SAFE_INTEGER {
            return Err(CanonicalError::InexactNumber);
        }
        text.extend_from_slice(integer.to_string().as_bytes());
        return Ok(());
    }
    match number.as_f64() {
        Some(double) if number.is_f64() => {
            text.extend_from_slice(es6_number(double).as_bytes());
            Ok(())
        }
        _ => Err(CanonicalError::InexactNumber),
    }
}

/// ECMA-262 §6.1.6.1.20, Number::toString: the shortest digits that give the double back, laid out
/// by the size of the exponent.
fn es6_number(double: f64) -> String {
    if double == 0.0 {
        return "0".to_owned();
    }
    let (digits, point) = shortest(double.abs());
    let sign = if double < 0.0 { "-" } else { "" };
    format!("{sign}{}", layout(&digits, point))
}

/// The shortest digits that give a positive double back, without zeros at their ends, and the
/// exponent of `0.digits × 10^point`.
///
/// They are serde_json's: where two are equally near it takes the even one, as RFC 8785 appendix B
/// does and `{:e}` does not.
fn shortest(double: f64) -> (String, i32) {
    let text = Number::from_f64(double).map(|number| number.to_string()).unwrap_or_default();
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let length = |text: &str| i32::try_from(text.len()).unwrap_or(i32::MAX);
    let leading_zeros = length(&all) - length(digits);
    let point = length(whole) + exponent.parse::<i32>().unwrap_or(0) - leading_zeros;
    (digits.trim_end_matches('0').to_owned(), point)
}

/// Writes `0.digits × 10^point`.
fn layout(digits: &str, point: i32) -> String {
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    match point {
        _ if count <= point && point <= 21 => format!("{digits}{}", zeros(point - count)),
        1..=21 => {
            let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
            format!("{whole}.{fraction}")
        }
        -5..=0 => format!("0.{}{digits}", zeros(-point)),
        _ => exponential(digits, point - 1),
    }
}

fn exponential(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(1);
    let mut text = first.to_owned();
    if !rest.is_empty() {
        let _ = write!(text, ".{rest}");
    }
    format!("{text}e{exponent:+}")
}

/// 2^53 − 1, the largest integer below which a double holds every one (RFC 7493 §2.2).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// RFC 8785 appendix B.
    #[test]
    fn numbers_are_written_as_the_rfc_says() {
        let vectors: [(u64, &str); 24] = [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ];
        for (bits, text) in vectors {
            assert_eq!(es6_number(f64::from_bits(bits)), text, "{bits:016x}");
        }
    }

    /// RFC 8785 §3.2.3.
    #[test]
    fn members_are_ordered_by_utf16() {
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "o with diaeresis",
        });
        let text = to_string(&value).unwrap();
        let names = ["\\r", "1", "\u{80}", "\u{f6}", "\u{20ac}", "\u{1f600}", "\u{fb33}"];
        let at: Vec<_> = names.iter().map(|name| text.find(&format!("\"{name}\":")).unwrap()).collect();
        assert!(at.is_sorted(), "{text}");
    }

    #[test]
    fn strings_and_literals() {
        let value =
            json!({"s": "\u{20ac}$\u{f}\nA'B\"\\\"/<>&\u{7f}", "l": [null, true, false, 1.0, -7, 4.5e-3]});
        let text =
            "{\"l\":[null,true,false,1,-7,0.0045],\"s\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\"/<>&\u{7f}\"}";
        assert_eq!(to_string(&value).unwrap(), text);
    }

    /// Found by fuzzing: read as its neighbour, such a number has another text each time.
    #[test]
    fn a_long_number_has_one_text() {
        let read = |text: &str| to_string(&serde_json::from_str::<Value>(text).unwrap()).unwrap();
        let once = read(&"88".repeat(28));
        assert_eq!((once.as_str(), read(&once)), ("8.888888888888889e+55", once.clone()));
    }

    #[test]
    fn integers_that_no_double_holds_are_refused() {
        assert_eq!(to_string(&json!(9_007_199_254_740_991_i64)).unwrap(), "9007199254740991");
        assert_eq!(to_string(&json!(9_007_199_254_740_993_i64)), Err(CanonicalError::InexactNumber));
        assert_eq!(to_string(&json!(u64::MAX)), Err(CanonicalError::InexactNumber));
    }

    proptest! {
        #[test]
        fn every_double_is_read_back(double in any::<f64>().prop_filter("finite", |d| d.is_finite())) {
            prop_assert_eq!(es6_number(double).parse::<f64>().unwrap(), double);
        }
    }
}
