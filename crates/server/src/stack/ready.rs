//! What is not ready at the start, and says when it is.

use std::time::Duration;

use super::Services;

/// Waits for each service that cannot do its work yet, and says when it can. Later, readiness is asked for.
pub(super) async fn tell_when_ready(services: Services) {
    let mut waiting = unready(&services);
    while !waiting.is_empty() {
        tokio::time::sleep(AGAIN).await;
        let still = unready(&services);
        let (later, now) = waiting.into_iter().partition(|service| still.contains(service));
        let now: Vec<_> = now;
        now.iter().for_each(|service| tracing::info!("`{service}` is ready"));
        waiting = later;
    }
}

fn unready(services: &Services) -> Vec<&'static str> {
    services.readiness().into_iter().filter(|(_, ready)| !ready).map(|(service, _)| service).collect()
}

const AGAIN: Duration = Duration::from_secs(1);
