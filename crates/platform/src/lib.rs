//! What differs between operating systems: file permissions, files that appear whole, durable directory
//! entries, names of programs and how they are asked, what is typed unseen, what a service manager is told.
//!
//! Nothing else of Signet asks which system it runs on, but for the signals that end a command. On Unix
//! permissions are modes; elsewhere a file inherits the permissions of its directory, which in a user's
//! profile are the user's own.

mod directory;
mod file;
mod helper;
mod lock;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(not(unix))]
#[path = "elsewhere.rs"]
mod system;
#[cfg(unix)]
mod terminal;

use std::io;
use std::path::PathBuf;

pub use directory::{Directory, restrict};
pub use file::{
    Access, Existing, Staged, is_named, read_exact_at, readable_by_others, without_path, write_whole,
};
pub use helper::{Answered, ask};
pub use lock::WriterLock;

/// The file name of the program `name`, such as `docker-credential-pass` or `docker-credential-pass.exe`.
pub fn program(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// Whether a listener should ask to have an address that connections of an earlier process half hold. On Windows that would
/// give it one that another process listens on.
pub fn reuses_addresses() -> bool {
    cfg!(not(windows))
}

/// Whether a path may begin with a drive, as `C:` is one.
pub fn has_drives() -> bool {
    cfg!(windows)
}

/// Lets this process open as many files as it may ask for. How many that are; `None` if nothing limits them that is known.
pub fn raise_open_files() -> Option<u64> {
    system::raise_open_files()
}

/// What a person types at the terminal of this process after the prompt, unseen; `None` if Ctrl-C ended it.
pub fn ask_unseen(prompt: &str) -> io::Result<Option<Vec<u8>>> {
    system::ask_unseen(prompt)
}

/// Tells the service manager that started this process that it serves, if that waits for it: sd_notify(3).
pub fn tell_serving() -> io::Result<()> {
    system::tell_serving()
}

/// The path under which an open descriptor of this process can be opened again.
pub fn descriptor_path(number: u32) -> io::Result<PathBuf> {
    system::descriptor_path(number)
}
