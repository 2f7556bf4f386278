//! The configuration of `signet up`: one file, of which every key has a default and a description.

mod build;
mod file;
mod listen;
mod print;
mod sections;
mod span;

pub(crate) use build::{Built, build};
pub(crate) use file::StackFile;
pub(crate) use print::documented;
pub(crate) use sections::LogFormat;
