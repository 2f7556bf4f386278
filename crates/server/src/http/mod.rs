//! What every face shares: the loop that serves connections, and plain answers.

mod answer;
mod serve;

pub use answer::{Answer, Body};
pub(crate) use answer::{full, set};
pub use serve::{Bounds, Handler, Listener};
