//! The JSON Canonicalization Scheme (RFC 8785): one value, one sequence of bytes.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::fmt;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Write};
use std::rc::Rc;

use serde::Serialize;
use serde_json::Number;
use serde_json::ser::{Formatter, Serializer};

/// The canonical text of anything that serialises to JSON.
pub fn to_string<T: Serialize>(value: &T) -> Result<String, CanonicalError> {
    let text = Text::default();
    let layout = Layout { text: text.clone(), objects: Vec::new() };
    value.serialize(&mut Serializer::with_formatter(text.clone(), layout)).map_err(|error| {
        match error.io_error_kind() {
            Some(INEXACT) => CanonicalError::InexactNumber,
            _ => CanonicalError::NotJson,
        }
    })?;
    String::from_utf8(text.0.take()).map_err(|_| CanonicalError::NotJson)
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

/// The text so far, which the serializer writes and the layout puts in order.
#[derive(Clone, Default)]
struct Text(Rc<RefCell<Vec<u8>>>);

impl Text {
    fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How the text is laid out. RFC 8785 §3.2.2.2 escapes exactly what serde_json does, in the same spelling.
struct Layout {
    text: Text,
    /// The members of the objects that are being written, the innermost last.
    objects: Vec<Vec<Member>>,
}

/// Where a member is in the text.
#[derive(Clone, Copy, Default)]
struct Member {
    start: usize,
    name_end: usize,
    end: usize,
}

impl Layout {
    fn member(&mut self) -> Option<&mut Member> {
        self.objects.last_mut()?.last_mut()
    }
}

impl Formatter for Layout {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.objects.push(Vec::new());
        writer.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        let start = self.text.len();
        if let Some(members) = self.objects.last_mut() {
            members.push(Member { start, ..Member::default() });
        }
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        let name_end = self.text.len();
        self.member().into_iter().for_each(|member| member.name_end = name_end);
        Ok(())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.text.len();
        self.member().into_iter().for_each(|member| member.end = end);
        Ok(())
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let members = self.objects.pop().unwrap_or_default();
        order(&mut self.text.0.borrow_mut(), members)?;
        writer.write_all(b"}")
    }

    fn write_i64<W: ?Sized + Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        self.write_i128(writer, value.into())
    }

    fn write_u64<W: ?Sized + Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        self.write_i128(writer, value.into())
    }

    fn write_i128<W: ?Sized + Write>(&mut self, writer: &mut W, value: i128) -> io::Result<()> {
        match value.unsigned_abs() > MAX_SAFE_INTEGER {
            true => Err(INEXACT.into()),
            false => write!(writer, "{value}"),
        }
    }

    fn write_u128<W: ?Sized + Write>(&mut self, writer: &mut W, value: u128) -> io::Result<()> {
        self.write_i128(writer, value.try_into().unwrap_or(i128::MAX))
    }

    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        self.write_f64(writer, value.into())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(es6_number(value).as_bytes())
    }

    /// JSON that somebody wrote is in his order.
    fn write_raw_fragment<W: ?Sized + Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(ErrorKind::InvalidData.into())
    }
}

/// RFC 8785 §3.2.3: members in the order of their names' UTF-16 code units. Most are written in it.
fn order(text: &mut Vec<u8>, mut members: Vec<Member>) -> io::Result<()> {
    let compare = |a: &Member, b: &Member| compare_names(text.get(a.name()), text.get(b.name()));
    let ordered = |members: &[Member]| members.is_sorted_by(|a, b| compare(a, b).is_lt());
    let (false, Some(start)) = (ordered(&members), members.first().map(|first| first.start)) else {
        return Ok(());
    };
    members.sort_by(compare);
    if !ordered(&members) {
        // Two of one name: RFC 8785 §3.1 has them only once.
        return Err(ErrorKind::InvalidData.into());
    }
    let sorted: Vec<&[u8]> = members.iter().filter_map(|member| text.get(member.start..member.end)).collect();
    let sorted = sorted.join(&b',');
    text.truncate(start);
    text.extend_from_slice(&sorted);
    Ok(())
}

impl Member {
    /// Its name, without the quotes around it.
    fn name(&self) -> std::ops::Range<usize> {
        self.start + 1..self.name_end.saturating_sub(1)
    }
}

/// Of names as they stand in the text. For ASCII the order of the bytes is the same, and found sooner.
fn compare_names(a: Option<&[u8]>, b: Option<&[u8]>) -> Ordering {
    let [a, b] = [a, b].map(Option::unwrap_or_default);
    let plain = |name: &[u8]| name.iter().all(|byte| byte.is_ascii() && *byte != b'\\');
    if plain(a) && plain(b) { a.cmp(b) } else { utf16(a).cmp(&utf16(b)) }
}

/// The code units of a name without its escapes.
fn utf16(name: &[u8]) -> Vec<u16> {
    let quoted = [b"\"", name, b"\""].concat();
    let name: String = serde_json::from_slice(&quoted).unwrap_or_default();
    name.encode_utf16().collect()
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
const MAX_SAFE_INTEGER: u128 = (1 << 53) - 1;
/// What the serializer hands through of [`CanonicalError::InexactNumber`].
const INEXACT: ErrorKind = ErrorKind::InvalidInput;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

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

    /// A quote ends the shorter of two names, and is more than a space or `!`.
    #[test]
    fn names_are_compared_without_what_is_around_them() {
        let text = to_string(&json!({"a\"": 1, "a": {"b c": 2, "b!": 3, "b": 4}, "a!": 5})).unwrap();
        assert_eq!(text, r#"{"a":{"b":4,"b c":2,"b!":3},"a!":5,"a\"":1}"#);
    }

    #[test]
    fn a_name_that_stands_twice_has_no_canonical_text() {
        struct Twice;
        impl Serialize for Twice {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([("b", 1), ("a", 2), ("b", 3)])
            }
        }
        assert_eq!(to_string(&Twice), Err(CanonicalError::NotJson));
    }

    #[test]
    fn json_as_somebody_wrote_it_is_not_canonical() {
        let raw = serde_json::value::RawValue::from_string(r#"{"b": 1, "a": 2}"#.to_owned()).unwrap();
        assert_eq!(to_string(&[raw]), Err(CanonicalError::NotJson));
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

    /// A value whose members are written in order from the start.
    fn in_order(value: &Value) -> String {
        let quoted = |text: &String| Value::from(text.as_str()).to_string();
        match value {
            Value::Array(items) => format!("[{}]", items.iter().map(in_order).collect::<Vec<_>>().join(",")),
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(name, _)| name.encode_utf16().collect::<Vec<_>>());
                let members =
                    members.iter().map(|(name, value)| format!("{}:{}", quoted(name), in_order(value)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            other => other.to_string(),
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            ".{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            let members =
                proptest::collection::vec(("\\PC{0,3}|[a\"\\\\! é😀\u{fb33}]{0,3}", inner.clone()), 0..6);
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(Value::from),
                members.prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_object_is_in_order(value in any_value()) {
            prop_assert_eq!(to_string(&value).unwrap(), in_order(&value));
        }

        #[test]
        fn every_double_is_read_back(double in any::<f64>().prop_filter("finite", |d| d.is_finite())) {
            prop_assert_eq!(es6_number(double).parse::<f64>().unwrap(), double);
        }
    }
}
