//! What operators are told.

use super::Services;
use super::traffic::Traffic;
use crate::metrics::{Page, services};
use crate::witness;

/// All metrics of a stack.
pub(super) fn page(stack: &Services, traffic: &Traffic) -> Page {
    let mut page = Page::default();
    page.readiness(&stack.readiness());
    // Those that are only read any more too.
    services::logs(&mut page, &[stack.log.all(), stack.ct.logs()].concat());
    services::timestamps(&mut page, &stack.tsa);
    services::certificates(&mut page, &stack.ca);
    if let Some(watch) = &stack.trust {
        services::trust(&mut page, watch);
    }
    if let Some(own) = &stack.witness {
        witness::write_metrics(&mut page, own);
    }
    traffic.write(&mut page);
    page.process();
    page
}
