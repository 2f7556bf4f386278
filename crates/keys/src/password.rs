//! Passwords and where they come from. Never from a flag: arguments are seen by everyone on the machine.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

/// A password; cleared from memory when dropped. The empty one is a password too, as with cosign.
#[derive(Clone, Default)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// A password from its bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Where a password comes from.
#[derive(Clone)]
pub enum PasswordSource {
    /// `SIGNET_PASSWORD`, else `COSIGN_PASSWORD`. Set and empty is the empty password.
    Environment,
    /// The first line of a file, which may be a pipe: it is read once, however often the password is asked for.
    Line(Arc<Line>),
    /// A person at a terminal.
    Prompt(Arc<dyn Prompt>),
}

impl PasswordSource {
    /// The first line of a file.
    pub fn file(path: PathBuf) -> Self {
        Self::line(Place::File(path))
    }

    /// The first line of an open file descriptor of this process (Unix only).
    pub fn descriptor(number: u32) -> Self {
        Self::line(Place::Descriptor(number))
    }

    fn line(place: Place) -> Self {
        Self::Line(Arc::new(Line { place, password: Mutex::new(None) }))
    }

    /// The source when the user named none: the environment if it holds a password, else `prompt`.
    pub fn default_or(prompt: Arc<dyn Prompt>) -> Self {
        match from_environment(|name| std::env::var_os(name)) {
            Some(_) => Self::Environment,
            None => Self::Prompt(prompt),
        }
    }

    /// The variable of the environment that holds the password, if one does.
    pub fn variable(&self) -> Option<&'static str> {
        let set = |name: &&str| std::env::var_os(name).is_some();
        VARIABLES.into_iter().find(set).filter(|_| matches!(self, Self::Environment))
    }

    /// Fetches the password. An empty one protects nothing: only who sets a variable or answers the prompt so means it.
    pub fn password(&self, purpose: Purpose<'_>) -> Result<Password, PasswordError> {
        match self {
            Self::Environment => from_environment(|name| std::env::var_os(name)).ok_or(PasswordError::NotSet),
            Self::Line(line) => match (line.password()?, purpose) {
                (password, Purpose::Protect(_)) if password.as_bytes().is_empty() => {
                    Err(PasswordError::Empty)
                }
                (password, _) => Ok(password),
            },
            Self::Prompt(prompt) => Ok(prompt.ask(purpose)?),
        }
    }
}

impl fmt::Debug for PasswordSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Line(line) => write!(f, "Line({})", line.place),
            Self::Prompt(_) => f.write_str("Prompt"),
        }
    }
}

/// The first line of something that may be read only once.
pub struct Line {
    place: Place,
    password: Mutex<Option<Password>>,
}

enum Place {
    File(PathBuf),
    Descriptor(u32),
}

impl Line {
    fn password(&self) -> Result<Password, PasswordError> {
        let mut known = self.password.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(password) = &*known {
            return Ok(password.clone());
        }
        let password =
            first_line(self.place.open()?)?.ok_or_else(|| PasswordError::Nothing(self.place.to_string()))?;
        Ok(known.insert(password).clone())
    }
}

impl Place {
    fn open(&self) -> io::Result<File> {
        match self {
            Self::File(path) => File::open(path),
            Self::Descriptor(number) => File::open(signet_platform::descriptor_path(*number)?),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::Descriptor(number) => write!(f, "descriptor {number}"),
        }
    }
}

/// Asks a person for a password; the face with the terminal implements it.
pub trait Prompt: Send + Sync {
    /// Asks; for [`Purpose::Protect`] twice, until both answers agree.
    fn ask(&self, purpose: Purpose<'_>) -> io::Result<Password>;
}

/// What the password is for, so that a prompt can say it.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// To open the key in this file.
    Unlock(&'a str),
    /// To protect the new key in this file.
    Protect(&'a str),
}

/// Why no password was had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Neither variable is set.
    #[error("a password is needed, and neither `SIGNET_PASSWORD` nor `COSIGN_PASSWORD` is set")]
    NotSet,
    /// The file or descriptor ends before its first line.
    #[error("a password is needed, and none came from {0}")]
    Nothing(String),
    /// A key was to be protected, and the first line of the file or descriptor is empty.
    #[error("the password is empty, which protects nothing; use `--no-password` if that is meant")]
    Empty,
    /// More than [`MAX_PASSWORD`] bytes.
    #[error("the password is longer than {MAX_PASSWORD} bytes")]
    TooLong,
    /// The file, descriptor or terminal failed.
    #[error("a password is needed, and cannot be read: {0}")]
    Source(#[from] io::Error),
}

/// The longest password, in bytes.
pub const MAX_PASSWORD: usize = 4096;

fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Option<Password> {
    let value = VARIABLES.iter().find_map(|name| variable(name))?;
    Some(Password::new(value.into_encoded_bytes()))
}

/// The first line without its end, if there is one; what follows it is not looked at.
fn first_line(source: impl Read) -> Result<Option<Password>, PasswordError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(READ_AHEAD));
    source.take(READ_AHEAD as u64).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.len() {
        ..=MAX_PASSWORD => Ok(Some(Password::new(line.to_vec()))),
        _ => Err(PasswordError::TooLong),
    }
}

/// A password, `\r\n` and one byte that shows it was longer.
const READ_AHEAD: usize = MAX_PASSWORD + 3;

/// In the order they are asked.
const VARIABLES: [&str; 2] = ["SIGNET_PASSWORD", "COSIGN_PASSWORD"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_variable_goes_before_cosigns_and_empty_is_a_password() {
        let both = |name: &str| Some(OsString::from(name));
        assert_eq!(from_environment(both).unwrap().as_bytes(), b"SIGNET_PASSWORD");
        let empty = |name: &str| (name == "COSIGN_PASSWORD").then(OsString::new);
        assert_eq!(from_environment(empty).unwrap().as_bytes(), b"");
        assert!(from_environment(|_| None).is_none());
    }

    #[test]
    fn the_first_line_counts_and_its_length_is_limited() {
        for (text, password) in
            [("pw", "pw"), ("pw\n", "pw"), ("pw\r\nmore", "pw"), (" pw \n", " pw "), ("\n", "")]
        {
            assert_eq!(first_line(text.as_bytes()).unwrap().unwrap().as_bytes(), password.as_bytes());
        }
        assert!(first_line(io::empty()).unwrap().is_none());
        let longest = "x".repeat(MAX_PASSWORD) + "\r\n";
        assert_eq!(first_line(longest.as_bytes()).unwrap().unwrap().as_bytes().len(), MAX_PASSWORD);
        let longer = "x".repeat(MAX_PASSWORD + 1);
        assert!(matches!(first_line(longer.as_bytes()), Err(PasswordError::TooLong)));
        assert!(matches!(first_line(io::repeat(b'x')), Err(PasswordError::TooLong)));
    }

    #[test]
    fn a_password_never_shows_itself() {
        assert!(!format!("{:?}", Password::new(b"hunter2".to_vec())).contains("hunter2"));
    }
}
