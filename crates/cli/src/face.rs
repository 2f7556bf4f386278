//! Standard output and standard error, and what goes where.

use std::io::{self, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstyle::{AnsiColor, Style};

use crate::args::{GlobalArgs, Output};
use crate::document::{Document, Named};
use crate::error::{CliError, Stop};
use crate::plain::{self, Plain};

/// How this process talks: data to standard output, all else to standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Face {
    output: Output,
    quiet: bool,
}

impl Default for Face {
    fn default() -> Self {
        Self { output: Output::Text, quiet: false }
    }
}

impl Face {
    /// The face that the global options ask for.
    pub(crate) fn new(global: GlobalArgs) -> Self {
        Self { output: global.output, quiet: global.quiet }
    }

    /// Whether the result is one JSON document.
    pub(crate) fn is_json(self) -> bool {
        self.output == Output::Json
    }

    /// Whether progress may be drawn: to a person at a terminal, not to a program or the log of a CI job.
    pub(crate) fn shows_progress(self) -> bool {
        let for_people = !self.quiet && !self.is_json() && std::env::var_os("CI").is_none();
        for_people && io::stderr().is_terminal()
    }

    /// Whether standard output takes colours.
    pub(crate) fn has_colour(self) -> bool {
        anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
    }

    /// The result, in the form asked for.
    pub(crate) fn result<D: Document>(
        self,
        document: &D,
        text: impl FnOnce(&D) -> String,
    ) -> Result<(), Stop> {
        match self.output {
            Output::Json => self.json(document),
            Output::Text => self.text(&text(document)),
        }
    }

    /// The result of a service, which answers from now on: whoever started it and waits for that is told, too.
    pub(crate) fn serving<D: Document>(
        self,
        document: &D,
        text: impl FnOnce(&D) -> String,
    ) -> Result<(), Stop> {
        self.result(document, text)?;
        if let Err(error) = signet_platform::tell_serving() {
            tracing::warn!(%error, "the service manager could not be told that this serves");
        }
        Ok(())
    }

    /// Text to standard output.
    pub(crate) fn text(self, text: &str) -> Result<(), Stop> {
        if !self.has_colour() {
            // At once: stripped while it is written, each line would be a system call.
            return self.bytes(strip_str(text).to_string().as_bytes());
        }
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Stop::output)
    }

    /// Bytes to standard output, as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<(), Stop> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(Stop::output)
    }

    /// A document to standard output, with the name of its schema.
    pub(crate) fn json<D: Document>(self, document: &D) -> Result<(), Stop> {
        let mut json = serde_json::to_vec_pretty(&Named::new(document)).map_err(CliError::internal)?;
        json.push(b'\n');
        self.bytes(&json)
    }

    /// A line to standard error that is not needed to understand the result.
    pub(crate) fn note(self, line: &str) -> Result<(), Stop> {
        match self.quiet {
            true => Ok(()),
            false => lines(line).map_err(Stop::output),
        }
    }

    /// A line to standard error that a person has to act on.
    pub(crate) fn prompt(self, line: &str) -> io::Result<()> {
        lines(line)
    }

    /// An error to standard error.
    pub(crate) fn error(self, error: &CliError) -> io::Result<()> {
        let red = paint(AnsiColor::Red);
        let cyan = paint(AnsiColor::Cyan);
        let mut err = anstream::stderr().lock();
        writeln!(err, "{red}error[{}]{red:#}: {}", error.code, error.code.title())?;
        for line in plain::lines(&error.detail) {
            writeln!(err, "  {line}")?;
        }
        let mut hint = error.hint.lines().map(str::trim_start);
        writeln!(err, "{cyan}hint{cyan:#}: {}", Plain(hint.next().unwrap_or_default()))?;
        // Indented, as the detail is: no text of others begins a line.
        hint.try_for_each(|line| writeln!(err, "  {}", Plain(line)))
    }
}

/// Lines to standard error.
fn lines(text: &str) -> io::Result<()> {
    let mut err = anstream::stderr().lock();
    plain::lines(text).try_for_each(|line| writeln!(err, "{line}"))
}

/// A bold colour. It is written only where the stream takes colours.
pub(crate) fn paint(color: AnsiColor) -> Style {
    color.on_default().bold()
}
