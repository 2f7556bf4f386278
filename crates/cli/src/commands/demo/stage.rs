//! Where the demonstration happens: its directory and registry, the commands it runs, and what it says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use anstyle::AnsiColor;
use signet_store::registry::FsRegistry;
use signet_verify::Code;

use crate::document::{DemoDocument, DemoStep};
use crate::error::{CliError, Stop};
use crate::face::{Face, paint};

/// What a command must answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expect {
    /// It succeeds.
    Yes,
    /// It is refused with this code.
    Refused(Code),
}

/// The directory, the registry, and the story so far.
pub(super) struct Stage {
    /// Where the registry listens.
    pub(super) registry: SocketAddr,
    /// The registry's store, which the attacks reach into.
    pub(super) store: FsRegistry,
    /// Where everything is; commands are run in it.
    pub(super) directory: PathBuf,
    /// This program.
    pub(super) program: PathBuf,
    face: Face,
    steps: Mutex<Vec<DemoStep>>,
}

impl Stage {
    /// A stage on which nothing has happened.
    pub(super) fn new(
        face: Face,
        directory: &Path,
        registry: SocketAddr,
        store: FsRegistry,
    ) -> Result<Self, CliError> {
        let program = std::env::current_exe().map_err(CliError::internal)?;
        Ok(Self { registry, store, directory: directory.to_owned(), program, face, steps: Mutex::default() })
    }

    /// The reference of an image on the stage's registry.
    pub(super) fn app(&self, name: &str) -> String {
        format!("{}/{REPOSITORIES}/{name}", self.registry)
    }

    /// Begins a step.
    pub(super) fn step(&self, title: &str) -> Result<(), Stop> {
        let number = {
            let mut steps = self.steps();
            steps.push(DemoStep { title: title.to_owned(), commands: Vec::new(), code: None });
            steps.len()
        };
        let bold = anstyle::Style::new().bold();
        self.say(&format!("\n{bold}{number}. {title}{bold:#}"))
    }

    /// Runs a command as a user would, shows it with its answer, and insists on the answer expected.
    pub(super) async fn signet(&self, args: &[&str], expect: Expect) -> Result<(), Stop> {
        let line = format!("signet {}", args.join(" "));
        self.say(&format!("   $ {line}"))?;
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(&self.directory);
        if self.face.has_colour() {
            command.env("CLICOLOR_FORCE", "1");
        }
        let ran = tokio::task::spawn_blocking(move || command.output());
        let output = ran.await.map_err(CliError::internal)?.map_err(CliError::internal)?;
        let said = said(&output);
        for text in said.lines() {
            self.say(&format!("     {text}"))?;
        }
        self.conclude(line, &output, &said, expect)
    }

    /// Says something to a person; a document says it at the end.
    pub(super) fn say(&self, line: &str) -> Result<(), Stop> {
        match self.face.is_json() {
            true => Ok(()),
            false => self.face.text(&format!("{line}\n")),
        }
    }

    /// The end of the story: all went as said, and how to do the same for real.
    pub(super) fn finish(&self, face: Face) -> Result<(), Stop> {
        if face.is_json() {
            let steps = std::mem::take(&mut *self.steps());
            let registry = self.registry.to_string();
            return face.json(&DemoDocument { registry, steps });
        }
        let green = paint(AnsiColor::Green);
        self.say(&format!("\n{green}Every step went as said.{green:#} {NEXT}"))
    }

    fn conclude(&self, line: String, output: &Output, said: &str, expect: Expect) -> Result<(), Stop> {
        let (status, code) = match expect {
            Expect::Yes => (0, None),
            Expect::Refused(code) => (i32::from(code.class().exit_status()), Some(code)),
        };
        let as_said =
            output.status.code() == Some(status) && code.is_none_or(|code| said.contains(&code.to_string()));
        if !as_said {
            let wanted = code.map_or_else(|| "success".to_owned(), |code| format!("a refusal with {code}"));
            let detail = format!("`{line}` ended with {}, and {wanted} was expected\n{said}", output.status);
            return Err(CliError::internal(detail).into());
        }
        if let Some(step) = self.steps().last_mut() {
            step.commands.push(line);
            step.code = code.or(step.code);
        }
        Ok(())
    }

    fn steps(&self) -> std::sync::MutexGuard<'_, Vec<DemoStep>> {
        self.steps.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Under which all repositories of the demonstration are.
pub(super) const REPOSITORIES: &str = "demo";
const NEXT: &str = "The same with an image of yours:
   signet keys generate --out my
   signet sign --key my.key REGISTRY/REPOSITORY:TAG
   signet verify --key my.pub REGISTRY/REPOSITORY:TAG";
