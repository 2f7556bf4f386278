//! A body that is received for a while longer when nobody wants the rest of it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::crowd::Crowd;
use super::pace::PATIENCE;

/// The body of a request that may be refused before all of it came. Closing the connection on a client that still
/// sends takes the answer away from it: it reads of a broken pipe instead of what is wrong. So the rest is received
/// and forgotten for a moment (RFC 9112, 9.6).
pub(crate) struct Lingering {
    /// Until it has ended.
    body: Option<Incoming>,
    /// Not one who waits to be told that the body is wanted (RFC 9110, 10.1.1).
    sends: bool,
    crowd: Crowd,
}

impl Lingering {
    pub(crate) fn new(parts: &Parts, body: Incoming) -> Self {
        let sends = !parts.headers.contains_key(header::EXPECT);
        Self { body: Some(body), sends, crowd: Crowd::here() }
    }

    /// For how long it may be waited for.
    pub(crate) fn patience(&self) -> Duration {
        self.crowd.patience(PATIENCE)
    }
}

impl Body for Lingering {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.sends = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take() else { return };
        if !self.sends || body.is_end_stream() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(self.crowd.patience(LINGER), async move {
                while let Some(Ok(_)) = body.frame().await {}
            }));
        }
    }
}

/// Long enough to send what is under way, and to read the answer meanwhile.
const LINGER: Duration = Duration::from_secs(5);
