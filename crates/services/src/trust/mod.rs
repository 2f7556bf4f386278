//! The distribution of trust (TUF): the client's side, that follows a repository, and the publisher's, that
//! makes one. No HTTP: files of a repository come through [`Fetch`].
//!
//! The client's store. Trusted? As its owner: who can write it says whom this machine trusts. May it be lost?
//! Then a root has to be pinned again, and a rollback to before the loss is not noticed.

mod client;
mod store;

pub use client::{ClientError, Fetch, FetchError, Repository, download, load, look_up, update};
pub use store::Store;
