//! Where the passwords of keys come from.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use signet_keys::{Password, PasswordSource, Prompt, Purpose};

use crate::args::PasswordArgs;

/// The source that the options name; else the environment, else the terminal.
pub(crate) fn source(args: &PasswordArgs) -> PasswordSource {
    match (&args.password_file, args.password_fd) {
        (Some(path), _) => PasswordSource::file(path.clone()),
        (None, Some(number)) => PasswordSource::descriptor(number),
        (None, None) => PasswordSource::default_or(Arc::new(Terminal)),
    }
}

/// A person at the terminal.
struct Terminal;

impl Prompt for Terminal {
    fn ask(&self, purpose: Purpose<'_>) -> io::Result<Password> {
        if !io::stdin().is_terminal() {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "there is no terminal to ask at; set `SIGNET_PASSWORD`, or use `--password-file` or `--password-fd`",
            ));
        }
        match purpose {
            Purpose::Unlock(file) => read(&format!("password of `{file}`: ")),
            Purpose::Protect(file) => ask_twice(file),
        }
    }
}

fn ask_twice(file: &str) -> io::Result<Password> {
    for _ in 0..TRIES {
        let first = read(&format!("new password of `{file}` (empty for none): "))?;
        let second = read("the same again: ")?;
        if first.as_bytes() == second.as_bytes() {
            return Ok(first);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the two passwords were never the same"))
}

fn read(prompt: &str) -> io::Result<Password> {
    let typed = signet_platform::ask_unseen(prompt)?;
    typed.map(Password::new).ok_or_else(|| io::ErrorKind::Interrupted.into())
}

const TRIES: usize = 3;
