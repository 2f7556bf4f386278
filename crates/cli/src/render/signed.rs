//! What was signed.

use std::fmt::Write;

use anstyle::AnsiColor;

use super::verdict;
use crate::document::{SignAction, SignDocument, SignedBody, UnsignedBody};
use crate::face::paint;
use crate::plain::Plain;

/// A line for each manifest or file, and once what to know about the registry.
pub(crate) fn signed(document: &SignDocument) -> String {
    let mut text = String::new();
    for body in &document.signed {
        // Writing to a string cannot fail.
        let _ = line(&mut text, body);
    }
    for body in &document.failed {
        let _ = unsigned(&mut text, body);
    }
    if document.signed.iter().any(|body| body.race_possible) {
        text.push_str(
            "note: the registry cannot tell concurrent writers apart; run the command again to be sure\n",
        );
    }
    text
}

fn unsigned(text: &mut String, body: &UnsignedBody) -> std::fmt::Result {
    let red = paint(AnsiColor::Red);
    writeln!(text, "{red}not signed{red:#} {}", Plain(&body.name))?;
    verdict::reason(text, &body.error)
}

fn line(text: &mut String, body: &SignedBody) -> std::fmt::Result {
    let green = paint(AnsiColor::Green);
    let platform =
        body.platform.as_deref().map(|platform| format!(" ({})", Plain(platform))).unwrap_or_default();
    match body.action {
        SignAction::Signed => writeln!(text, "{green}signed{green:#} {}{platform}", Plain(&body.name))?,
        SignAction::Present => {
            writeln!(text, "{green}signed{green:#} {}{platform} already, nothing to do", Plain(&body.name))?;
        }
    }
    if let Some(identity) = &body.identity {
        writeln!(text, "  as {}", Plain(identity))?;
    }
    match &body.stored {
        Some(stored) => writeln!(text, "  stored as {stored}"),
        None => Ok(()),
    }
}
