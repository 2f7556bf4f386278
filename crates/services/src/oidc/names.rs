//! Which text is an e-mail address, which a SPIFFE ID, and which may be certified at all.

/// A plain address: words with single dots between (RFC 5322 dot-atom), and a host of two labels or more that ends in
/// letters. No quotes, comments or literal addresses: what a verifier compares should have one spelling.
pub(super) fn is_email(address: &str) -> bool {
    let Some((user, host)) = address.split_once('@') else { return false };
    let word = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let user_is_plain = user.split('.').all(|atom| !atom.is_empty() && atom.chars().all(word));
    let Some((_, top)) = host.rsplit_once('.') else { return false };
    let letter = |c: char| c.is_ascii_alphabetic();
    let host_is_plain = host.split('.').all(is_label) && top.starts_with(letter) && top.ends_with(letter);
    user_is_plain && host_is_plain && address.len() <= MAX_EMAIL
}

fn is_label(label: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_~".contains(c);
    label.starts_with(edge) && label.ends_with(edge) && label.chars().all(inner)
}

/// Short text that shows as what it is.
pub(super) fn is_plain(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.chars().any(misleads)
}

/// Whether it makes text show as something else: a control, or what turns the direction of text around (Unicode UAX #9).
pub(super) fn misleads(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control()
}

/// A plain name of a user, without what separates it from a domain.
pub(super) fn is_user(name: &str) -> bool {
    is_plain(name) && !name.contains(|c: char| c.is_whitespace() || matches!(c, '!' | '@'))
}

/// An ID of this trust domain (SPIFFE-ID §2): the domain alone, or a path of plain segments below it.
pub(super) fn is_spiffe_id(id: &str, trust_domain: &str) -> bool {
    let Some(path) = id.strip_prefix("spiffe://").and_then(|rest| rest.strip_prefix(trust_domain)) else {
        return false;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let segment = |text: &str| !matches!(text, "" | "." | "..") && text.chars().all(plain);
    id.len() <= MAX_SPIFFE_ID
        && (path.is_empty() || path.strip_prefix('/').is_some_and(|path| path.split('/').all(segment)))
}

/// The name of a trust domain.
pub(super) fn is_trust_domain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    !name.is_empty() && name.len() <= MAX_TRUST_DOMAIN && name.chars().all(plain)
}

/// The longest text that a certificate says of its bearer, in bytes.
pub const MAX_TEXT: usize = 2_048;
const MAX_EMAIL: usize = 320;
/// SPIFFE-ID §2.3.
const MAX_SPIFFE_ID: usize = 2_048;
const MAX_TRUST_DOMAIN: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_plain_spelling() {
        for good in ["a@b.c", "a.b+c@d-e.example", "x_y/z@1a.b2.org", "a{b}@c.de"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            ".a@b.c",
            "a.@b.c",
            "a..b@c.d",
            "a(c)@b.c",
            "a:b@c.d",
            "a@b.c:1",
            "a@[1.2.3.4]",
            "a@1.2.3.4",
            "a@b",
            "a@b.c.",
            "a@b..c",
            "@b.c",
            "a@",
            "a",
            "\"a\"@b.c",
            "<a@b.c>",
            "a@-b.c",
            "a@b@c.d",
            "\u{fc}@b.c",
            "a b@c.d",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        let local = |length: usize| format!("{}@b.c", "a".repeat(length));
        assert!(is_email(&local(316)) && !is_email(&local(317)));
    }

    #[test]
    fn a_spiffe_id_is_its_domain_and_plain_segments() {
        for good in ["spiffe://td", "spiffe://td/a", "spiffe://td/A-1/b_2/c.d/..."] {
            assert!(is_spiffe_id(good, "td"), "{good}");
        }
        for bad in [
            "", "/", "//a", "/a/", "/a/../b", "/./a", "/a?x", "/a#f", "/a%2fb", "/a b", ".evil/a", ":1/a",
            "@e/a",
        ] {
            assert!(bad.is_empty() || !is_spiffe_id(&format!("spiffe://td{bad}"), "td"), "{bad}");
        }
        assert!(!is_spiffe_id("https://td/a", "td"));
        assert!(is_trust_domain("example.org") && !is_trust_domain("Example.org") && !is_trust_domain("a/b"));
    }
}
