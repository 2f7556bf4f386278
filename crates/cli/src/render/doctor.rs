//! What the doctor found.

use std::fmt::Write;

use anstyle::AnsiColor;

use crate::document::{DoctorDocument, Health};
use crate::face::paint;
use crate::plain::Plain;

/// A line for each check, and the fix where one is needed.
pub(crate) fn doctor(document: &DoctorDocument) -> String {
    let mut text = String::new();
    for finding in &document.findings {
        let (word, color) = match finding.health {
            Health::Pass => ("pass", AnsiColor::Green),
            Health::Warn => ("warn", AnsiColor::Yellow),
            Health::Fail => ("fail", AnsiColor::Red),
        };
        let style = paint(color);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{style}{word}{style:#} {}: {}", finding.check, Plain(&finding.detail));
        if let Some(fix) = &finding.fix {
            let label = if finding.health == Health::Pass { "hint" } else { "fix" };
            let _ = writeln!(text, "     {label}: {}", Plain(fix));
        }
    }
    text
}
