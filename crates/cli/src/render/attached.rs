//! What is attached to an image, as a list of claims or as a tree.

use std::fmt::Write;

use anstyle::AnsiColor;
use signet_formats::oci::media_type;
use signet_verify::Outcome;

use super::verdict::when;
use crate::document::{ClaimsBody, InspectDocument, SignatureBody, TreeDocument, TreeNode, Verified};
use crate::face::paint;
use crate::plain::Plain;

/// Everything attached, decoded.
pub(crate) fn inspected(document: &InspectDocument) -> String {
    let mut text = format!("{}\n  {}\n", Plain(&document.image), Plain(&document.media_type));
    text.push_str(&overall(document.outcome));
    for signature in &document.signatures {
        // Writing to a string cannot fail.
        let _ = self::signature(&mut text, signature);
    }
    for other in &document.others {
        let kind = other.artifact_type.as_deref().unwrap_or("of no stated type");
        let _ = writeln!(
            text,
            "\n{}\n  artifact        {}{}",
            Plain(&other.origin),
            Plain(kind),
            unverified(kind)
        );
    }
    for unread in &document.unread {
        let (origin, reason) = (Plain(&unread.origin), Plain(&unread.reason));
        let _ = writeln!(text, "\n{origin}\n  not read        {reason} ({})", unread.code);
    }
    if document.signatures.is_empty() && document.others.is_empty() && document.unread.is_empty() {
        text.push_str("\nnothing is attached\n");
    }
    text
}

/// The answer to whether what is attached is enough, if it was said whom to trust.
fn overall(outcome: Option<Outcome>) -> String {
    match outcome {
        Some(Outcome::Allow) => "  allowed by those who are trusted here\n".to_owned(),
        Some(Outcome::Deny) => "  denied: no signature of those who are trusted here counts\n".to_owned(),
        Some(Outcome::Undecidable) => "  undecided: not everything could be read\n".to_owned(),
        None => String::new(),
    }
}

fn signature(text: &mut String, signature: &SignatureBody) -> std::fmt::Result {
    writeln!(text, "\n{}", Plain(&signature.origin))?;
    if let Some(why) = &signature.malformed {
        writeln!(text, "  malformed       {}", Plain(why))?;
    }
    match &signature.verified {
        Some(verified) => verdict(text, verified)?,
        None => writeln!(
            text,
            "  not verified    whom to trust was not said (`--key`, `--certificate-identity`)"
        )?,
    }
    let sound = signature.verified.as_ref().is_some_and(|verified| verified.code.is_none());
    signature.claims.as_ref().map_or(Ok(()), |claims| self::claims(text, claims, sound))
}

fn verdict(text: &mut String, verified: &Verified) -> std::fmt::Result {
    let (green, red) = (paint(AnsiColor::Green), paint(AnsiColor::Red));
    match (&verified.signer, verified.code) {
        (Some(signer), _) => {
            let signer = Plain(signer);
            writeln!(text, "  {green}verified{green:#}        signed by {signer}, {}", when(&verified.times))
        }
        (None, Some(code)) => writeln!(text, "  {red}refused{red:#}         {} ({code})", code.title()),
        (None, None) => {
            writeln!(text, "  {green}verified{green:#}        and not counted: another of the same signer is")
        }
    }
}

/// What the signer signed, which is as good as the signature, and what stands beside it, which nobody signed.
fn claims(text: &mut String, claims: &ClaimsBody, sound: bool) -> std::fmt::Result {
    writeln!(text, "  form            {}", claims.form)?;
    writeln!(text, "  {}", if sound { "signed:" } else { "claimed, and not verified:" })?;
    for subject in &claims.subjects {
        let name = subject.name.as_deref().map(|name| format!("{name} ")).unwrap_or_default();
        writeln!(text, "    about         {}{}", Plain(name), subject.digest)?;
        for (name, value) in &subject.annotations {
            writeln!(text, "    annotation    {}", Plain(format_args!("{name}={value}")))?;
        }
    }
    if let Some(predicate) = &claims.predicate_type {
        writeln!(text, "    predicate     {}", Plain(predicate))?;
    }
    if sound && (claims.signer.is_some() || !claims.log_entries.is_empty() || claims.timestamps > 0) {
        writeln!(text, "  claimed beside it:")?;
    }
    beside(text, claims)
}

fn beside(text: &mut String, claims: &ClaimsBody) -> std::fmt::Result {
    if let Some(signer) = &claims.signer {
        writeln!(text, "    signer        {}", Plain(signer))?;
    }
    for entry in &claims.log_entries {
        let at = entry.integrated_time.as_deref().map(|at| format!(" at {at}")).unwrap_or_default();
        writeln!(text, "    log entry     {} ({}){at}", entry.index, Plain(&entry.kind))?;
    }
    match claims.timestamps {
        0 => Ok(()),
        count => writeln!(text, "    timestamps    {count}"),
    }
}

/// What is to be said of an artifact that is a signature and not verified here.
fn unverified(kind: &str) -> &'static str {
    match kind {
        media_type::NOTARY_SIGNATURE => {
            " (a signature of the Notary Project, which this release does not verify)"
        }
        _ => "",
    }
}

/// An image and what hangs from it.
pub(crate) fn tree(document: &TreeDocument) -> String {
    let mut text = format!("{}\n", Plain(&document.image));
    let _ = branch(&mut text, &document.root, "", true);
    text
}

fn branch(text: &mut String, node: &TreeNode, indent: &str, last: bool) -> std::fmt::Result {
    let (elbow, bar) = if last { ("└── ", "    ") } else { ("├── ", "│   ") };
    let cyan = paint(AnsiColor::Cyan);
    let platform = node.platform.as_deref().map(|platform| format!(" {platform}")).unwrap_or_default();
    let place = node.tag.as_deref().map(|tag| format!(" (tag {tag})")).unwrap_or_default();
    let artifact = match (node.kind, &node.artifact_type) {
        ("artifact", Some(kind)) => format!(" {kind}{}", unverified(kind)),
        ("attestation", Some(kind)) => format!(" {}", node.predicate_type.as_ref().unwrap_or(kind)),
        _ => String::new(),
    };
    let said = Plain(format_args!("{platform}{artifact} {}{place}", node.digest));
    writeln!(text, "{indent}{elbow}{cyan}{}{cyan:#}{said}", node.kind)?;
    let indent = format!("{indent}{bar}");
    for unread in &node.unread {
        writeln!(text, "{indent}! not read: {}", Plain(unread))?;
    }
    let count = node.children.len();
    let children = node.children.iter().enumerate();
    children.into_iter().try_for_each(|(number, child)| branch(text, child, &indent, number + 1 == count))
}
