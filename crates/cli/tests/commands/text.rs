//! Outputs made comparable: what differs from run to run gets a name.

use signet_testkit::Outcome;

/// Everything that a command said and how it ended, with digests numbered in the order of their first
/// appearance.
pub(crate) fn shown(outcome: &Outcome) -> String {
    let Outcome { code, stdout, stderr, .. } = outcome;
    let code = code.map_or("a signal".to_owned(), |code| code.to_string());
    let all = format!("exit status: {code}\n--- stdout\n{stdout}--- stderr\n{stderr}");
    number_digests(&all)
}

fn number_digests(text: &str) -> String {
    let mut known: Vec<String> = Vec::new();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        out.push_str(before);
        if run.len() == 64 {
            let number = known.iter().position(|digest| digest == run).unwrap_or_else(|| {
                known.push(run.to_owned());
                known.len() - 1
            });
            out.push_str(&format!("<digest {}>", number + 1));
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out + rest
}

#[test]
fn digests_are_numbered_by_appearance() {
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let text = format!("sha256:{a} {b} cafe {a}\n");
    assert_eq!(number_digests(&text), "sha256:<digest 1> <digest 2> cafe <digest 1>\n");
}
