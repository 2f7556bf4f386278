//! Text of strangers in messages, of a length that can be read.

use std::borrow::Cow;

/// The text, if it has at most `most` characters; otherwise as much of its two ends, with `…` for what is between.
pub fn elided(text: &str, most: usize) -> Cow<'_, str> {
    let mut starts = text.char_indices().map(|(at, _)| at);
    if starts.clone().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let tail = most / 2;
    let head = starts.nth(most - tail).and_then(|end| text.get(..end)).unwrap_or_default();
    let begin = text.char_indices().rev().map(|(at, _)| at).take(tail).last().unwrap_or(text.len());
    Cow::Owned(format!("{head}…{}", text.get(begin..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_long_loses_its_middle() {
        for whole in ["", "ab", "abcde", "äöüßx"] {
            assert_eq!(elided(whole, 5), whole);
        }
        assert_eq!(elided("abcdef", 5), "abc…ef");
        assert_eq!(elided("äöüßxyz", 4), "äö…yz");
        assert_eq!(elided("ab", 1), "a…");
        assert_eq!(elided(&"x".repeat(1 << 20), 80).chars().count(), 81);
    }
}
