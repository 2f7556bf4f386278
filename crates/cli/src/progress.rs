//! Progress of long work, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use signet_registry::CopyEvent;

use crate::face::Face;

/// A line that is redrawn while work goes on.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Bytes done of a total that grows as more is found to do.
    pub(crate) fn of_bytes(what: &'static str, face: Face) -> Self {
        let target = match face.shows_progress() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(style).with_message(what);
        Self(bar)
    }

    /// Takes note of a step of a copy.
    pub(crate) fn copied(&self, event: &CopyEvent) {
        match event {
            CopyEvent::BlobStarted { blob } => self.0.inc_length(blob.size),
            CopyEvent::BlobDone { blob, .. } => self.0.inc(blob.size),
            CopyEvent::ManifestDone { .. } => {}
        }
    }

    /// Takes the line away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

const TEMPLATE: &str = "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}";
