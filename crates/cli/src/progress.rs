//! Progress of long work, on a terminal only.

use std::io::Read;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signet_registry::CopyEvent;

use crate::face::Face;

/// A line that is redrawn while work goes on, and taken away at its end.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Bytes done of a total that grows as more is found to do.
    pub(crate) fn of_bytes(what: &'static str, face: Face) -> Self {
        Self::new(what, BYTES, face)
    }

    /// Pieces of work done of a total that grows as more is found to do.
    pub(crate) fn of_pieces(what: &'static str, face: Face) -> Self {
        Self::new(what, PIECES, face)
    }

    fn new(what: &'static str, template: &str, face: Face) -> Self {
        let target = match face.shows_progress() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::with_draw_target(Some(0), target).with_style(style).with_message(what))
    }

    /// Takes note that there is more to do.
    pub(crate) fn expect(&self, more: u64) {
        self.0.inc_length(more);
    }

    /// Takes note of what was done.
    pub(crate) fn done(&self, more: u64) {
        self.0.inc(more);
    }

    /// A reader whose bytes are counted as done.
    pub(crate) fn reading<R: Read>(&self, reader: R) -> impl Read {
        self.0.wrap_read(reader)
    }

    /// Takes note of a step of a copy.
    pub(crate) fn copied(&self, event: &CopyEvent) {
        match event {
            CopyEvent::BlobStarted { blob } => self.expect(blob.size),
            CopyEvent::BlobDone { blob, .. } => self.done(blob.size),
            CopyEvent::ManifestDone { .. } => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

const BYTES: &str = "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}";
const PIECES: &str = "{msg} {bar:30} {pos} of {len}";
