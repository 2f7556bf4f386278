//! Results as people read them.

mod attached;
mod copied;
mod doctor;
mod signed;
mod store;
mod up;
mod verdict;

pub(crate) use attached::{inspected, tree};
pub(crate) use copied::copied;
pub(crate) use doctor::doctor;
pub(crate) use signed::signed;
pub(crate) use store::{fsck, gc};
pub(crate) use up::up;
pub(crate) use verdict::{undecided, verdict};
