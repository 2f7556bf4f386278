//! What was found in, or removed from, a data directory.

use anstyle::AnsiColor;
use signet_verify::Code;

use crate::document::{FsckDocument, GcDocument};
use crate::face::paint;
use crate::plain::Plain;

/// The findings, a line each, and a summary.
pub(crate) fn fsck(document: &FsckDocument) -> String {
    let FsckDocument { data, repositories, contents, findings, repaired, .. } = document;
    let repaired: String = repaired.iter().map(|finding| format!("repaired: {}\n", Plain(finding))).collect();
    let logs: String =
        document.logs.iter().map(|log| format!("`{}` with {} entries, ", log.origin, log.entries)).collect();
    let checked = format!("{logs}{repositories} repositories and {contents} pieces of content in `{data}`");
    if findings.is_empty() {
        let green = paint(AnsiColor::Green);
        return format!("{repaired}{green}sound{green:#} {checked}\n");
    }
    let (red, cyan) = (paint(AnsiColor::Red), paint(AnsiColor::Cyan));
    let list: String = findings.iter().map(|finding| format!("  {}\n", Plain(finding))).collect();
    let code = Code::DataCorrupt;
    let count = findings.len();
    format!(
        "{repaired}{red}damaged{red:#} {checked}: {count} findings\n{list}  {red}{code}{red:#}: {}\n{cyan}hint{cyan:#}: {}\n",
        code.title(),
        code.hint()
    )
}

/// What was, or would be, removed.
pub(crate) fn gc(document: &GcDocument) -> String {
    let verb = if document.dry_run { "would remove" } else { "removed" };
    let (manifests, blobs) = (&document.manifests, &document.blobs);
    let lines: String =
        manifests.iter().chain(blobs).map(|name| format!("{verb} {}\n", Plain(name))).collect();
    let damaged: String = document
        .damaged
        .iter()
        .map(|repository| {
            format!("left `{repository}` alone: a manifest or tag in it is damaged; run `signet fsck`\n")
        })
        .collect();
    let uploads = match document.uploads {
        0 => String::new(),
        count => format!("{verb} {count} uploads that were never finished\n"),
    };
    let without_subject = match document.without_subject.len() {
        0 => String::new(),
        count => format!(
            "kept {count} manifests attached to what no repository here has; `--absent-subjects` removes them too\n"
        ),
    };
    format!(
        "{lines}{damaged}{without_subject}{uploads}{verb} {} manifests, {} blobs and {} bytes of content\n",
        manifests.len(),
        blobs.len(),
        document.bytes
    )
}
