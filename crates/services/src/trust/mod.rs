//! The distribution of trust (TUF): the client's side, that follows a repository, and the publisher's, that
//! makes one. No HTTP: files of a repository come through [`Fetch`].
//!
//! The client's store. Trusted? As its owner: who can write it says whom this machine trusts. May it be lost?
//! Then a root has to be pinned again, and a rollback to before the loss is not noticed.

mod ceremony;
mod client;
mod current;
mod home;
mod online;
mod own_root;
mod pin;
mod publisher;
mod refresh;
mod staging;
mod store;
mod turn;
mod watch;
mod writer;

pub use ceremony::{CeremonyError, RootPlan, Standing, acceptable, countersign};
pub use client::{Fetch, FetchError, FollowError, Repository, download, follow, load, look_up, update};
pub use current::{Current, open};
pub use home::{Home, HomeError, SIGNING_CONFIG, SourceFile, TRUSTED_ROOT};
pub use online::OnlineKey;
pub use pin::Pin;
pub use publisher::{Periods, Published, Publisher, PublisherError, Target, first_root, mark_restored};
pub use refresh::{Failure, Outage, Patience};
pub use store::Store;
pub use watch::{Watch, root_alert};
