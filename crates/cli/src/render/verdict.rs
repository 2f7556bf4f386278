//! A verdict: one line, who signed, and where it is not yes, which checks failed and what to do.

use std::collections::BTreeSet;
use std::fmt::Write;

use anstyle::AnsiColor;
use signet_formats::time;
use signet_verify::{Check, CheckResult, Node, Outcome, Signer, Verdict};

use crate::document::ErrorBody;
use crate::error::CliError;
use crate::face::paint;
use crate::plain::{self, Plain};

/// The verdict on what `name` names.
pub(crate) fn verdict(name: &str, verdict: &Verdict) -> String {
    let mut text = headline(name, verdict.outcome);
    // Writing to a string cannot fail.
    let _ = match verdict.outcome {
        Outcome::Allow => allowed(&mut text, verdict),
        Outcome::Deny | Outcome::Undecidable => refused(&mut text, verdict),
    };
    text
}

/// Something on which there is no verdict, and why.
pub(crate) fn undecided(name: &str, error: &CliError) -> String {
    let mut text = headline(name, Outcome::Undecidable);
    // Writing to a string cannot fail.
    let _ = reason(&mut text, &error.into());
    text
}

/// Why something could not be done, and what to do.
pub(super) fn reason(text: &mut String, error: &ErrorBody) -> std::fmt::Result {
    let yellow = paint(AnsiColor::Yellow);
    writeln!(text, "  {yellow}{}{yellow:#}: {}", error.code, error.title)?;
    for line in plain::lines(&error.detail) {
        writeln!(text, "  {line}")?;
    }
    hint(text, &error.hint)
}

fn hint(text: &mut String, hint: &str) -> std::fmt::Result {
    let cyan = paint(AnsiColor::Cyan);
    writeln!(text, "{cyan}hint{cyan:#}: {}", Plain(hint))
}

/// The word and what it is about.
fn headline(name: &str, outcome: Outcome) -> String {
    let (word, color) = match outcome {
        Outcome::Allow => ("allowed", AnsiColor::Green),
        Outcome::Deny => ("denied", AnsiColor::Red),
        Outcome::Undecidable => ("undecided", AnsiColor::Yellow),
    };
    let style = paint(color);
    format!("{style}{word}{style:#} {}\n", Plain(name))
}

fn allowed(text: &mut String, verdict: &Verdict) -> std::fmt::Result {
    for signer in &verdict.signers {
        writeln!(text, "  signed by {}, {}", who(signer), when(&signer.times))?;
    }
    notes(text, &verdict.checks)
}

/// The identity, and the policy's name for it where that says something else.
fn who(signer: &Signer) -> String {
    format!("{} ({})", Plain(&signer.identity), Plain(&signer.principal))
}

/// The proven times of a signature, or that there are none.
pub(super) fn when(times: &[i64]) -> String {
    let times: Vec<String> = times.iter().map(|at| moment(*at)).collect();
    match times.is_empty() {
        true => "time unproven (no log or timestamp)".to_owned(),
        false => format!("proven at {}", times.join(", ")),
    }
}

/// A time as text; as a number where it lies outside the years that have one.
fn moment(at: i64) -> String {
    time::format(at).unwrap_or_else(|_| at.to_string())
}

/// What did not decide but should be known: notes, and signatures that were not sound.
fn notes(text: &mut String, decision: &Node) -> std::fmt::Result {
    let noted = decision.children.iter().flat_map(|node| match node.result {
        CheckResult::Fail if node.check == Check::Signature => vec![node],
        CheckResult::Note => vec![node],
        _ => node.children.iter().filter(|child| is_note(child)).collect(),
    });
    let yellow = paint(AnsiColor::Yellow);
    let mut said = BTreeSet::new();
    for sentence in noted.map(sentence) {
        // What holds for several signatures is said once.
        if said.insert(sentence.clone()) {
            writeln!(text, "  {yellow}note{yellow:#}: {sentence}")?;
        }
    }
    Ok(())
}

fn is_note(node: &Node) -> bool {
    node.result == CheckResult::Note && node.code.is_some()
}

fn refused(text: &mut String, verdict: &Verdict) -> std::fmt::Result {
    let Some(code) = verdict.code else { return Ok(()) };
    let red = paint(AnsiColor::Red);
    writeln!(text, "  {red}{code}{red:#}: {}", code.title())?;
    let mut lines = 0;
    failed_checks(text, &verdict.checks, 2, &mut lines)?;
    if lines > MAX_LINES {
        writeln!(text, "  … and {} more failed checks", lines - MAX_LINES)?;
    }
    hint(text, code.hint())?;
    writeln!(text, "      `--output json` shows every check, `signet explain {code}` what the code means")
}

/// The checks that did not pass, as a tree; checks that failed only because of others lead to those.
fn failed_checks(text: &mut String, node: &Node, depth: usize, lines: &mut usize) -> std::fmt::Result {
    for child in node.children.iter().filter(|child| concerns(child)) {
        *lines += 1;
        if *lines <= MAX_LINES {
            writeln!(text, "{:indent$}- {}", "", line(child), indent = depth)?;
        }
        failed_checks(text, child, depth + 2, lines)?;
    }
    Ok(())
}

fn concerns(node: &Node) -> bool {
    node.failed() || is_note(node)
}

/// A check that failed because of another one is only named; the other one gives the reason.
fn line(node: &Node) -> String {
    let rests_on_failure = node.children.iter().any(|child| child.failed() && child.code == node.code);
    match (&node.about, rests_on_failure) {
        (Some(about), true) => format!("{}:", Plain(about)),
        _ => sentence(node),
    }
}

/// What a node says: what it is about, what is wrong, what was found and wanted. Some of it is what an
/// unverified signature says.
fn sentence(node: &Node) -> String {
    let about = node.about.as_deref().map(|about| format!("{about}: ")).unwrap_or_default();
    let title = match node.code {
        Some(code) => format!("{} ({code})", code.title()),
        None => node.spec.clone(),
    };
    let found = node.found.as_deref().map(|found| format!("; found {found}")).unwrap_or_default();
    let wanted = node.wanted.as_deref().map(|wanted| format!("; wanted {wanted}")).unwrap_or_default();
    Plain(format_args!("{about}{title}{found}{wanted}")).to_string()
}

/// More failed checks than this are counted and not shown.
const MAX_LINES: usize = 30;
