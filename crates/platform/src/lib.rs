//! What differs between operating systems: file permissions, files that appear whole, durable directory
//! entries, names of programs.
//!
//! Nothing else of Signet asks which system it runs on, but for the signals that end a command. On Unix
//! permissions are modes; elsewhere a file inherits the permissions of its directory, which in a user's
//! profile are the user's own.

mod directory;
mod file;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(not(unix))]
#[path = "elsewhere.rs"]
mod system;

use std::io;
use std::path::PathBuf;

pub use directory::{Directory, restrict};
pub use file::{Access, Existing, Staged, read_exact_at, readable_by_others, write_whole};

/// The file name of the program `name`, such as `docker-credential-pass` or `docker-credential-pass.exe`.
pub fn program(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// The path under which an open descriptor of this process can be opened again.
pub fn descriptor_path(number: u32) -> io::Result<PathBuf> {
    system::descriptor_path(number)
}
