//! URLs as Fulcio writes them into certificates, which is as Go's `net/url` does: a name that is compared byte for byte
//! has to be escaped alike everywhere.

/// Below a base, without empty segments: how Go joins a path to a URL. `None` if it does not make a URL, or if its path
/// goes up.
pub(super) fn joined(text: &str) -> Option<String> {
    let (origin, path) = origin_and_rest(text)?;
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if goes_up(path) {
        return None;
    }
    let end = if path.ends_with('/') { "/" } else { "" };
    let path = escaped(&format!("/{}{end}", segments.join("/")), IN_PATH)?;
    Some(format!("{origin}{}", if segments.is_empty() { "/" } else { &path }))
}

/// Read and written again, with its path and fragment escaped where they have to be. `None` for what is no URL, or if its path
/// goes up.
pub(super) fn parsed(text: &str) -> Option<String> {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (origin, rest) = origin_and_rest(text)?;
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    if goes_up(path) {
        return None;
    }
    let mut url = format!("{origin}{}", escaped(path, IN_PATH)?);
    if let Some(query) = query {
        // Go leaves it as it is.
        url = query.bytes().all(|byte| byte.is_ascii_graphic()).then(|| format!("{url}?{query}"))?;
    }
    match fragment {
        "" => Some(url),
        fragment => Some(format!("{url}#{}", escaped(fragment, IN_FRAGMENT)?)),
    }
}

/// Whether readers could take the path for another one: what they drop is `.` and `..`, also where these are escaped.
fn goes_up(path: &str) -> bool {
    path.split('/').filter_map(unescaped).any(|segment| matches!(segment.as_slice(), b"." | b".."))
}

/// Scheme and host, and what follows them. A host is plain; nobody is named before it.
fn origin_and_rest(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let named = scheme.starts_with(|c: char| c.is_ascii_lowercase());
    let named = named && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let length = rest.find(['/', '?']).unwrap_or(rest.len());
    let host = rest.get(..length)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    let whole = named && !host.is_empty() && host.bytes().all(plain);
    whole.then(|| text.split_at(text.len() - rest.len() + length))
}

/// The text as it is if it is escaped already, else escaped. `None` if a `%` in it begins nothing.
fn escaped(text: &str, plain: &[u8]) -> Option<String> {
    let bytes = unescaped(text)?;
    let may_stay = |byte: u8| is_plain(byte, plain) || ALREADY.contains(&byte);
    if text.bytes().all(may_stay) {
        return Some(text.to_owned());
    }
    let escape = |byte: u8| match is_plain(byte, plain) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    Some(bytes.into_iter().map(escape).collect())
}

fn is_plain(byte: u8, plain: &[u8]) -> bool {
    byte.is_ascii_alphanumeric() || plain.contains(&byte)
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex =
            |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(match byte {
            b'%' => hex(rest.next())? * 16 + hex(rest.next())?,
            byte => byte,
        });
    }
    Some(bytes)
}

/// What Go leaves as it is in a path, besides letters and digits.
const IN_PATH: &[u8] = b"$&+,-./:;=@_~";
/// And in a fragment.
const IN_FRAGMENT: &[u8] = b"!$&()*+,-./:;=?@_~";
/// What else may stand in text that somebody escaped already.
const ALREADY: &[u8] = b"!$&'()*+,;=:@[]%";

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen from Go's `JoinPath`.
    #[test]
    fn paths_are_joined_and_escaped_as_go_does() {
        let cases = [
            ("https://h/a.yml@refs/heads/main", Some("https://h/a.yml@refs/heads/main")),
            ("https://h/my (b).yml", Some("https://h/my%20%28b%29.yml")),
            ("https://h/my(b).yml", Some("https://h/my(b).yml")),
            ("https://h/\u{fc}n", Some("https://h/%C3%BCn")),
            ("https://h/feat#1?<>{}|^\"`", Some("https://h/feat%231%3F%3C%3E%7B%7D%7C%5E%22%60")),
            ("https://h/feat%231", Some("https://h/feat%231")),
            ("https://h/a%20b c", Some("https://h/a%20b%20c")),
            ("https://h//a//b/", Some("https://h/a/b/")),
            ("https://h", Some("https://h/")),
            ("https://h/100%", None),
            ("https://h/a/../b", None),
            ("https://h/a/%2E./b", None),
            ("https://u@h/a", None),
            ("https:///a", None),
            ("h/a", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(joined(text).as_deref(), wanted, "{text}");
        }
    }

    /// Seen from Go's `Parse` and `String`.
    #[test]
    fn urls_are_read_and_written_as_go_does() {
        let cases = [
            (
                "https://h/g/p//.gitlab-ci.yml@refs/heads/x",
                Some("https://h/g/p//.gitlab-ci.yml@refs/heads/x"),
            ),
            ("https://h:1/a b", Some("https://h:1/a%20b")),
            ("https://h/a#1 \u{fc}", Some("https://h/a#1%20%C3%BC")),
            ("https://h/a#", Some("https://h/a")),
            ("https://h/a?b=<c>", Some("https://h/a?b=<c>")),
            ("https://h/a?b c", None),
            ("https://h", Some("https://h")),
            ("spiffe://td/a", Some("spiffe://td/a")),
            ("https://h/%zz", None),
            ("https://h/a/../b", None),
            ("https://h/./a", None),
            ("https://h/a/%2e%2e", None),
            ("https://h/a/.../b", Some("https://h/a/.../b")),
            ("https://u:p@h/a", None),
            ("mailto:a@b", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(parsed(text).as_deref(), wanted, "{text}");
        }
    }
}
