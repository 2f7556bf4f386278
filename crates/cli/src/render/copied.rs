//! What was copied.

use anstyle::AnsiColor;

use crate::document::CopyDocument;
use crate::face::paint;
use crate::plain::Plain;

/// The digest, what went with it, and what was sent.
pub(crate) fn copied(document: &CopyDocument) -> String {
    let green = paint(AnsiColor::Green);
    let CopyDocument { destination, digest, manifests_sent, blobs_sent, bytes_sent, .. } = document;
    let attached = document.referrers + document.attachments;
    format!(
        "{green}copied{green:#} {digest} to {}\n  \
         with {attached} signatures and other attachments; sent {manifests_sent} manifests and \
         {blobs_sent} blobs ({bytes_sent} bytes)\n",
        Plain(destination)
    )
}
