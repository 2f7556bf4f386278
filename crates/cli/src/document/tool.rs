//! What Signet says of itself: errors, codes, the demonstration, the doctor.

use serde::Serialize;
use signet_verify::{Class, Code};

use crate::error::CliError;

/// What stands in place of a result that an error prevented.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorDocument {
    /// The error.
    pub(crate) error: ErrorBody,
}

/// An error: what, why, and what to do.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorBody {
    /// The stable code.
    pub(crate) code: Code,
    /// What happened.
    pub(crate) title: &'static str,
    /// What it was about, and why.
    pub(crate) detail: String,
    /// What to do.
    pub(crate) hint: String,
}

impl From<&CliError> for ErrorDocument {
    fn from(error: &CliError) -> Self {
        Self { error: error.into() }
    }
}

impl From<&CliError> for ErrorBody {
    fn from(error: &CliError) -> Self {
        Self {
            code: error.code,
            title: error.code.title(),
            detail: error.detail.clone(),
            hint: error.hint.clone(),
        }
    }
}

/// The codes that `signet explain` was asked about.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainDocument {
    /// The codes, in the order of their numbers.
    pub(crate) codes: Vec<CodeBody>,
}

/// One row of the table of codes.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct CodeBody {
    /// The code.
    pub(crate) code: Code,
    /// What happened.
    pub(crate) title: &'static str,
    /// Why it is a reason to stop.
    pub(crate) explanation: &'static str,
    /// What to do.
    pub(crate) hint: &'static str,
    /// The exit status of a command that ends with it.
    pub(crate) exit_status: u8,
}

impl From<Code> for CodeBody {
    fn from(code: Code) -> Self {
        Self {
            code,
            title: code.title(),
            explanation: code.explanation(),
            hint: code.hint(),
            exit_status: code.class().exit_status(),
        }
    }
}

/// What `signet demo` showed; there is none if a step did not go as said.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct DemoDocument {
    /// Where the registry listened.
    pub(crate) registry: String,
    /// The steps, in their order.
    pub(crate) steps: Vec<DemoStep>,
}

/// A step of the demonstration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct DemoStep {
    /// What happens.
    pub(crate) title: String,
    /// The commands that were run.
    pub(crate) commands: Vec<String>,
    /// The code with which the last of them was refused, as it had to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Code>,
}

/// What `signet doctor` found.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct DoctorDocument {
    /// One for each check that was made.
    pub(crate) findings: Vec<Finding>,
}

/// The finding of one check.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    /// What was checked: `clock`, `trust root`, `credentials`, `registry`, `referrers`, …
    pub(crate) check: &'static str,
    /// How it is.
    pub(crate) health: Health,
    /// What was found.
    pub(crate) detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
    /// Whether it failed because something could not be asked, which says nothing about how it is.
    #[serde(skip)]
    pub(crate) open: bool,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Health {
    /// As it should be.
    Pass,
    /// It works, and could be better.
    Warn,
    /// It does not work.
    Fail,
}

impl Finding {
    /// A finding that needs no fix.
    pub(crate) fn new(check: &'static str, health: Health, detail: String) -> Self {
        Self { check, health, detail, fix: None, open: false }
    }

    /// Something that failed, with the error's own hint as the fix.
    pub(crate) fn fail(check: &'static str, error: &CliError) -> Self {
        let detail = format!("{} ({}): {}", error.code.title(), error.code, error.detail);
        let open = error.code.class() == Class::Undecided;
        Self { check, health: Health::Fail, detail, fix: Some(error.hint.clone()), open }
    }

    /// The same, with what to do.
    pub(crate) fn fix(mut self, fix: &str) -> Self {
        self.fix = Some(fix.to_owned());
        self
    }
}
