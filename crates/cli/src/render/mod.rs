//! Results as people read them.

mod signed;
mod verdict;

pub(crate) use signed::signed;
pub(crate) use verdict::{undecided, verdict};
