//! Results as people read them.

mod copied;
mod signed;
mod store;
mod verdict;

pub(crate) use copied::copied;
pub(crate) use signed::signed;
pub(crate) use store::{fsck, gc};
pub(crate) use verdict::{undecided, verdict};
