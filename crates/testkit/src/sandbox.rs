use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The password of every encrypted key that a sandbox makes.
pub const PASSWORD: &str = "correct horse";

/// A temporary directory in which programs run with an environment of their own: nothing of the
/// user's is read or written, and there is no input to wait for.
#[derive(Debug)]
pub struct Sandbox {
    dir: TempDir,
    /// Where programs are looked for first.
    programs: Vec<PathBuf>,
    variables: Vec<(String, OsString)>,
}

impl Sandbox {
    /// A new, empty one. It is removed when dropped.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory can be made");
        Self { dir, programs: Vec::new(), variables: Vec::new() }
    }

    /// The same, whose programs find those of these directories before all others.
    #[must_use]
    pub fn with_programs(self, directories: &[&Path]) -> Self {
        Self { programs: directories.iter().map(|path| path.to_path_buf()).collect(), ..self }
    }

    /// The same, whose programs have this variable too. The last one of a name counts.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &OsStr) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The path of `name` inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and answers its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        let folder = path.parent().expect("a file in the sandbox has a folder");
        fs::create_dir_all(folder).expect("the sandbox can be written");
        fs::write(&path, content).expect("the sandbox can be written");
        path
    }

    /// Reads a file whole.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name} cannot be read: {error}"))
    }

    /// Runs a program here to its end; relative paths in `args` are inside.
    pub fn run(&self, program: impl AsRef<Path>, args: &[&str]) -> Outcome {
        let program = program.as_ref();
        let output = self
            .command(program)
            .args(args)
            .output()
            .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
        Outcome {
            line: format!("{} {}", program.display(), args.join(" ")),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Logs the programs in here in to a registry, as `docker login` does.
    pub fn log_in(&self, registry: &str, user: &str, password: &str) {
        let auth = signet_formats::base64::encode(format!("{user}:{password}").as_bytes());
        self.write(
            ".docker/config.json",
            serde_json::json!({ "auths": { registry: { "auth": auth } } }).to_string(),
        );
    }

    /// A command with this sandbox's environment.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", self.search_path())
            .env("HOME", self.dir.path())
            .env("TMPDIR", self.dir.path())
            .env("NO_COLOR", "1")
            .env("COSIGN_PASSWORD", PASSWORD)
            .env("SIGNET_PASSWORD", PASSWORD)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    fn search_path(&self) -> OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = self.programs.iter().cloned().chain(std::env::split_paths(&path));
        std::env::join_paths(all).expect("no directory has a colon in its name")
    }
}

/// What a program did.
#[derive(Clone, Debug)]
pub struct Outcome {
    line: String,
    /// The exit code, or `None` if a signal ended it.
    pub code: Option<i32>,
    /// Everything on standard output.
    pub stdout: String,
    /// Everything on standard error.
    pub stderr: String,
}

impl Outcome {
    /// The program must have exited with 0.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.exits(0)
    }

    /// The program must have exited with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// The program must have exited with a code that is not 0 and said one of these, so that a crash
    /// or a network fault is no refusal.
    #[track_caller]
    pub fn refuses_saying(self, any_of: &[&str]) -> Self {
        assert!(self.code.is_some_and(|code| code != 0), "not refused: {self}");
        assert!(any_of.iter().any(|words| self.says(words)), "refused for another reason: {self}");
        self
    }

    /// Whether standard output or standard error holds these words.
    pub fn says(&self, words: &str) -> bool {
        self.stdout.contains(words) || self.stderr.contains(words)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, stdout, stderr } = self;
        write!(f, "`{line}` exited with {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
