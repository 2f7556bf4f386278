//! How a client of The Update Framework follows a repository (TUF 1.0.34 §5): a state machine without I/O.
//!
//! [`Updater`] begins with a root that is trusted already and says, step by step, which file it wants from the
//! client's own store or from the repository; what it is given it checks, and says what is to be stored. After
//! it, [`Search`] finds a target through the delegations. The caller stores what it is told before it goes on.
//!
//! Attacks and the answer: a rollback or an indefinite freeze is refused by versions and expiry; mixed files by
//! the snapshot; a key that is stated twice counts once; a role that delegates is asked for its own keys at every
//! search, whatever was stored by another; endless files, rotations and delegations by bounds.

mod refusal;
mod search;
mod signed;
mod step;
mod update;

pub use refusal::{Refusal, Why};
pub use search::{Found, MAX_ROLES, Search, SearchStep};
pub use signed::{countersigners, signed_by_root};
pub use step::{Change, Step, Wanted};
pub use update::{Freshness, MAX_ROTATIONS, SIGNED_AT, Source, Updater};
