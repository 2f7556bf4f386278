//! Asking at the terminal for what must not be seen.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex as Key, Termios, tcgetattr, tcsetattr};

/// Asks at the terminal of this process, whatever standard input and output are.
pub(crate) fn ask_unseen(prompt: &str) -> io::Result<Option<Vec<u8>>> {
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let unseen = Unseen::on(&terminal)?;
    (&terminal).write_all(prompt.as_bytes())?;
    let typed = unseen.line()?;
    if typed.is_none() {
        (&terminal).write_all(b"\n")?;
    }
    Ok(typed)
}

/// A terminal that shows nothing of what is typed, and is as it was when this is dropped.
///
/// Ctrl-C ends the line here and not the process, which would leave the terminal without its echo.
struct Unseen<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Unseen<'a> {
    fn on(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        unseen.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON);
        unseen.special_codes[Key::VEOL] = before.special_codes[Key::VINTR];
        unseen.special_codes[Key::VEOL2] = before.special_codes[Key::VQUIT];
        let guard = Self { terminal, before };
        tcsetattr(terminal, OptionalActions::Now, &unseen)?;
        Ok(guard)
    }

    fn line(&self) -> io::Result<Option<Vec<u8>>> {
        let given_up = [Key::VINTR, Key::VQUIT].map(|key| self.before.special_codes[key]);
        let mut terminal = self.terminal;
        // A terminal's line is no longer, and what is typed is not copied about.
        let mut typed = Vec::with_capacity(LONGEST_LINE);
        let mut byte = [0];
        loop {
            if terminal.read(&mut byte)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match byte {
                [b'\n'] => return Ok(Some(typed)),
                // A key that is disabled has the code 0.
                [key] if key != 0 && given_up.contains(&key) => return Ok(None),
                // Keys that nobody means to be part of a password.
                [key] if key.is_ascii_control() => {}
                [key] => typed.push(key),
            }
        }
    }
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        // If this fails, nothing is left that could be tried.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// What a terminal takes of a line, in bytes.
const LONGEST_LINE: usize = 4096;
