use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use reqwest::StatusCode;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::access::users;
use crate::harness::Registry;

/// Keeps the lines of the requests.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("signet_server")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

#[tokio::test]
async fn a_request_is_logged_without_secrets() {
    let lines = Lines::default();
    // All that is spawned by this test runs on this thread. While a process has only one subscriber, a place in the
    // code that another thread, which has none, comes to first is never asked about again: so there are two.
    let _logging = tracing::subscriber::set_default(lines.clone());
    let _second = tracing::Dispatch::new(Lines::default());
    let mut registry = Registry::start_with(users).await;
    registry.log_in("ci", "ci-password");
    let asked = registry.get("/v2/team/app/tags/list?token=sesame").await;
    assert_eq!(asked.status(), StatusCode::NOT_FOUND);
    let lines = lines.0.lock().unwrap();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let (said, took) = line.split_once("ms=").unwrap();
    assert_eq!(said, "message=request method=GET path=\"/v2/team/app/tags/list\" status=404 ");
    assert!(took.trim_end().parse::<u64>().is_ok(), "{took}");
}
