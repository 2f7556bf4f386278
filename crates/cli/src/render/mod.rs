//! Results as people read them.

mod verdict;

pub(crate) use verdict::verdict;
