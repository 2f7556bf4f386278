//! Where a backup goes: its errors are told from those of what is read for it.

use std::io::{self, Write};

/// A writer whose errors are known again by [`is_of_output`].
pub(super) struct Output<W>(pub(super) W);

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(marked)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(marked)
    }
}

/// Whether an error is one of an [`Output`].
pub(super) fn is_of_output(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Marked>())
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Marked(io::Error);

fn marked(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), Marked(error))
}
