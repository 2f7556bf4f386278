use signet_verify::{Matcher, Pattern, PolicyError};

fn pattern(pattern: &str) -> Matcher {
    Matcher::Pattern(Pattern { pattern: pattern.to_owned() })
}

/// GHSA-59jp-pj84-45mr: a pattern without anchors matched in the middle of another name.
#[test]
fn ghsa_59jp_pj84_45mr_unanchored_patterns_are_refused() {
    for text in ["a", "^a", "a$", ".*", r"^a\$", ""] {
        assert!(matches!(pattern(text).compile(), Err(PolicyError::Unanchored(_))), "{text}");
    }
}

/// What the anchors do not hold by themselves: alternations, lines, and groups that close the wrapper.
#[test]
fn ghsa_59jp_pj84_45mr_anchors_hold_for_the_whole_pattern() {
    let matcher = pattern("^https://a\\.example/x|https://b\\.example/y$").compile().unwrap();
    assert!(matcher.matches("https://a.example/x") && matcher.matches("https://b.example/y"));
    assert!(!matcher.matches("https://a.example/xx") && !matcher.matches("zhttps://b.example/y"));
    let lines = pattern("^(?m:^good$)$").compile().unwrap();
    assert!(lines.matches("good") && !lines.matches("good\nbad") && !lines.matches("bad\ngood"));
    assert!(pattern("^a)|(?:.*$").compile().is_err());
    assert!(pattern("^a(?x)#$").compile().is_err_and(|e| matches!(e, PolicyError::Pattern(..))));
}

/// An exact name is a name, whatever signs of a pattern are in it.
#[test]
fn exact_names_are_no_patterns() {
    let exact = Matcher::Exact("^.*$".to_owned()).compile().unwrap();
    assert!(!exact.matches("anything") && exact.matches("^.*$"));
}
