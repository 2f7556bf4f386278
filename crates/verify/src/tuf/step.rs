//! What an update and a search want of whoever does the I/O.

/// What is wanted of whoever does the I/O.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The file of this name in the client's own store, or that it is not there.
    Read(String),
    /// A file of the repository.
    Fetch(Wanted),
    /// Nothing more: the update is done.
    Done,
}

/// A file of the repository that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name below the metadata's URL, ready to stand in one.
    pub name: String,
    /// The most bytes that it may have; of a larger one nothing is to be taken.
    pub max_bytes: usize,
    /// Whether that it is not there is an answer too.
    pub optional: bool,
}

/// What is to be changed in the client's own store, whole and durably, before the next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The file has this content from now on.
    Store {
        /// Its name.
        name: String,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// The file is not there any more.
    Remove(String),
}
