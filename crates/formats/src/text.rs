//! Text of others, in messages of ours.

use std::borrow::Cow;

/// The text, or its beginning and its end where it has more than `max` characters: whoever chose it does
/// not choose how much of it is shown.
pub fn shortened(text: &str, max: usize) -> Cow<'_, str> {
    // No character has less than one byte.
    if text.len() <= max || text.chars().nth(max).is_none() {
        return Cow::Borrowed(text);
    }
    let end = max / 4;
    let start: String = text.chars().take(max - end).collect();
    let last: Vec<char> = text.chars().rev().take(end).collect();
    Cow::Owned(start + " … " + &last.iter().rev().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        assert_eq!(shortened("", 0), "");
        assert_eq!(shortened("12345678", 8), "12345678");
        assert_eq!(shortened("123456789", 8), "123456 … 89");
        assert_eq!(shortened("äöüäöüäö", 8), "äöüäöüäö");
        assert_eq!(shortened("äöüäöüäöß", 8), "äöüäöü … öß");
    }
}
