//! How a command ends, and the one place where every crate's errors get their codes.

mod clients;
mod services;

use std::fmt::Display;
use std::io;
use std::path::Path;

use signet_verify::{Class, Code, Outcome, PolicyError, Verdict};

pub(crate) use clients::registry_code;

/// What a command returns.
pub(crate) type Answer = Result<Status, Stop>;

/// How a command that ran to its end ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// Yes. Exit status 0.
    Yes,
    /// No. Exit status 1.
    No,
    /// It could not be decided. Exit status 3.
    Undecided,
    /// A defect of Signet. Exit status 4.
    Internal,
}

impl Status {
    /// The process's exit status.
    pub(crate) fn exit_status(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => Class::Denied.exit_status(),
            Self::Undecided => Class::Undecided.exit_status(),
            Self::Internal => Class::Internal.exit_status(),
        }
    }

    /// How a verdict counts among others.
    pub(crate) fn of_verdict(verdict: &Verdict) -> Self {
        match verdict.outcome {
            Outcome::Allow => Self::Yes,
            Outcome::Deny => Self::No,
            Outcome::Undecidable => Self::Undecided,
        }
    }

    /// How something that ended with this code counts among others.
    pub(crate) fn of(code: Code) -> Self {
        match code.class() {
            Class::Denied => Self::No,
            Class::Usage | Class::Undecided => Self::Undecided,
            Class::Internal => Self::Internal,
        }
    }
}

/// Why a command did not run to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An error with its code.
    Error(Box<CliError>),
    /// Whoever read our output has gone. Nothing is said.
    BrokenPipe,
    /// Ctrl-C, or another signal that asks for the end; the status that a shell shows for it.
    Interrupted(u8),
}

impl Stop {
    /// A failure to write to standard output or error.
    pub(crate) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => CliError::new(Code::FileUnwritable, format!("standard output: {error}")).into(),
        }
    }
}

impl<E: Into<CliError>> From<E> for Stop {
    fn from(error: E) -> Self {
        let error = error.into();
        match error.interrupted {
            Some(status) => Self::Interrupted(status),
            None => Self::Error(Box::new(error)),
        }
    }
}

/// An error as the user meets it: the code says what happened, the detail why, the hint what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CliError {
    /// The code, whose title is the headline.
    pub(crate) code: Code,
    /// What it was about, and why.
    pub(crate) detail: String,
    /// What to do about it.
    pub(crate) hint: String,
    /// Set where it is no error but a signal that asks for the end: the status that a shell shows for it.
    interrupted: Option<u8>,
}

impl CliError {
    /// An error with the hint of its code.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: code.hint().to_owned(), interrupted: None }
    }

    /// No error, but a signal that asks for the end.
    pub(crate) fn interrupted(status: u8) -> Self {
        Self { interrupted: Some(status), ..Self::internal("interrupted") }
    }

    /// The same, with a hint that knows more.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same, where a service's configuration is meant, with the files to look into.
    #[must_use]
    pub(crate) fn looking_into<'a>(self, files: impl IntoIterator<Item = &'a Path>) -> Self {
        let files: Vec<String> = files.into_iter().map(|path| format!("`{}`", path.display())).collect();
        match self.code == Code::ConfigInvalid && !files.is_empty() {
            true => self.hint(format!("look into {}", files.join(" and "))),
            false => self,
        }
    }

    /// Something that cannot happen.
    pub(crate) fn internal(error: impl Display) -> Self {
        Self::new(Code::Internal, error.to_string())
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(path: &Path, error: impl Display) -> Self {
        let told = Self::new(Code::FileUnreadable, about(path, error));
        match path == Path::new("-") {
            true => told.hint("standard input is `/dev/stdin`"),
            false => told,
        }
    }

    /// A file that cannot be written.
    pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AlreadyExists => Self::new(Code::WouldOverwrite, about(path, "it exists")),
            _ => Self::new(Code::FileUnwritable, about(path, error)),
        }
    }

    /// A policy file that cannot be used.
    pub(crate) fn policy(path: &Path, error: &PolicyError) -> Self {
        Self::new(Code::PolicyInvalid, about(path, error))
    }
}

/// "`path`: why".
pub(crate) fn about(path: &Path, why: impl Display) -> String {
    format!("`{}`: {why}", path.display())
}
