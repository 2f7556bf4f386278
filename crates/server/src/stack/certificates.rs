//! The log of certificates of a stack that does not run: another one takes its place all the same.

use std::path::Path;
use std::sync::Arc;

use signet_services::clock::{Clock, SystemClock};
use signet_services::ctlog::CertificateLogs;
use signet_store::fs::Disk;
use signet_store::{DataDir, Kind};

use super::StackError;
use super::backup::is_moved;
use super::book::Book;
use super::ledger::Ledger;
use super::made;
use super::names::{Line, Names};

/// The log of certificates of the stack in `data`, which is the caller's as long as it has it. What clients are given is
/// written by the next start.
pub async fn stopped_certificate_logs(data: &Path) -> Result<CertificateLogs, StackError> {
    let unusable = || StackError::Names { path: data.to_owned(), why: "there is no stack in it".to_owned() };
    if !Names::is_in(data) {
        return Err(unusable());
    }
    let root = Arc::new(DataDir::open(data, Kind::Stack)?);
    if is_moved(root.path()) {
        return Err(StackError::Moved { path: root.path().to_owned() });
    }
    let names = Names::read(&root)?.ok_or_else(unusable)?;
    if let Some(lost) = made::lost(Some(&names), root.path()).into_iter().next() {
        return Err(lost.into());
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let ledger = Arc::new(Ledger::new(root, names, Arc::clone(&clock)));
    let book = Arc::new(Book::new(&ledger, Line::Ct));
    Ok(CertificateLogs::open_all_of(book, Disk::default(), clock).await?)
}
