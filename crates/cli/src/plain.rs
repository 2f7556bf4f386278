//! Text of others, shown to people.

use std::fmt::{self, Display, Formatter, Write};

use signet_formats::text::shortened;

/// Text that can neither begin a line nor steer a terminal: control characters, line breaks and what turns
/// the direction of writing stand as escapes. Whoever may push to a registry may choose most of what is
/// read there, and none of it may look like a verdict. JSON has escapes of its own.
pub(crate) struct Plain<T>(pub(crate) T);

impl<T: Display> Display for Plain<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// As much of a text of others as is shown: whoever chose it does not choose how long it is.
pub(crate) fn brief(text: &str) -> String {
    shortened(text, MAX_SHOWN).into_owned()
}

/// In characters. Names, URIs and annotations of people who mean well are shorter.
const MAX_SHOWN: usize = 1024;

struct Escaping<'a, 'b>(&'a mut Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Most texts are harmless as a whole.
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return self.0.write_str(text);
        }
        text.chars().try_for_each(|character| match character {
            // Harmless, and escaped by `escape_debug`.
            '\'' | '"' | '\\' => self.0.write_char(character),
            _ => write!(self.0, "{}", character.escape_debug()),
        })
    }
}

/// Text in lines of ours, each of them plain.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Plain<&str>> {
    text.split('\n').map(Plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal_or_turns_what_is_read_around() {
        let shown = |text| Plain(text).to_string();
        assert_eq!(shown("a/b:c \"d\" 'e' \\ ü 日本"), "a/b:c \"d\" 'e' \\ ü 日本");
        assert_eq!(shown("x\nallowed everything\r"), r"x\nallowed everything\r");
        assert_eq!(shown("\u{1b}[2J\u{9b}31m\u{7f}\0"), r"\u{1b}[2J\u{9b}31m\u{7f}\0");
        assert_eq!(shown("\u{202e}gnp.exe\u{2028}\u{feff}"), r"\u{202e}gnp.exe\u{2028}\u{feff}");
    }

    #[test]
    fn lines_of_ours_stay_lines() {
        let shown: Vec<String> = lines("one\ntwo\r").map(|line| line.to_string()).collect();
        assert_eq!(shown, ["one", r"two\r"]);
    }
}
