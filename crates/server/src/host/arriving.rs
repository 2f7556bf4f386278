//! Bodies of requests that are received whole, and so stand in memory.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequest;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{Request, StatusCode};
use http_body::Body as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::crowd::Crowd;
use super::pace::{PATIENCE, Paced};

/// The body of a request that is still to be received.
pub(crate) struct Arriving {
    body: Body,
    crowd: Crowd,
}

impl<S: Sync> FromRequest<S> for Arriving {
    type Rejection = Infallible;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Infallible> {
        Ok(Self { crowd: Crowd::here(), body: request.into_body() })
    }
}

impl Arriving {
    /// All of it, if it has at most `limit` bytes; otherwise the status to answer with. Its first [`OWN_BYTES`] are always
    /// taken; what comes after them only while there is room for it beside all others', and that as long as it is kept.
    pub(crate) async fn whole(self, limit: usize) -> Result<Bytes, StatusCode> {
        let Self { body, crowd } = self;
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let mut whole = Whole { bytes: Vec::with_capacity(expected.min(OWN_BYTES).min(limit)), room: None };
        let mut pieces = pin!(Paced::new(body.into_data_stream(), crowd.patience(PATIENCE)));
        let received = timeout(WITHIN, whole.fill(&mut pieces, limit, &crowd)).await;
        match received.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT)) {
            Ok(()) => Ok(whole.into()),
            Err(StatusCode::REQUEST_TIMEOUT) => Err(StatusCode::REQUEST_TIMEOUT),
            Err(status) => {
                drop(whole);
                // Cut off while it sends, a client would not see why.
                let rest = async { while let Some(Ok(_)) = pieces.next().await {} };
                let _ = timeout(crowd.patience(LINGER), rest).await;
                Err(status)
            }
        }
    }
}

/// What [`Arriving::whole`] found, in words.
pub(crate) fn unreceived(status: StatusCode) -> &'static str {
    match status {
        StatusCode::REQUEST_TIMEOUT => "the request did not come in time",
        StatusCode::SERVICE_UNAVAILABLE => "too much is being received now",
        _ => "the request is longer than any that is taken here, or was cut off",
    }
}

/// What came of a body, and the room that it takes.
struct Whole {
    bytes: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
}

impl Whole {
    /// Copies the pieces: as they come they are parts of the connection's buffer, which could not be used again.
    async fn fill(
        &mut self,
        pieces: &mut (impl Stream<Item = std::io::Result<Bytes>> + Unpin),
        limit: usize,
        crowd: &Crowd,
    ) -> Result<(), StatusCode> {
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| match error.kind() {
                std::io::ErrorKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
                // Cut off, and then nobody reads the answer.
                _ => StatusCode::PAYLOAD_TOO_LARGE,
            })?;
            let bytes = self.bytes.len() + piece.len();
            if bytes > limit {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            self.make_room(bytes, crowd).ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
            self.bytes.extend_from_slice(&piece);
        }
        Ok(())
    }

    /// Has room for so many bytes.
    fn make_room(&mut self, bytes: usize, crowd: &Crowd) -> Option<()> {
        let had = self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.saturating_sub(OWN_BYTES + had);
        if missing > 0 {
            let more = crowd.room(missing)?;
            match &mut self.room {
                Some(room) => room.merge(more),
                None => self.room = Some(more),
            }
        }
        Some(())
    }
}

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Whole> for Bytes {
    fn from(whole: Whole) -> Self {
        match whole.room {
            Some(_) => Self::from_owner(whole),
            None => whole.bytes.into(),
        }
    }
}

/// Bytes of a body for which no room is needed: what bodies that are no attack have.
const OWN_BYTES: usize = 8 << 10;
const WITHIN: Duration = Duration::from_secs(30);
/// Long enough to send what is under way (RFC 9112, 9.6).
const LINGER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::time::{Instant, sleep};

    use super::super::crowd::ROOM;
    use super::*;

    fn arriving(body: Body, crowd: &Crowd) -> Arriving {
        Arriving { body, crowd: crowd.clone() }
    }

    /// A body of which nothing comes after `first`.
    fn cut(first: Vec<u8>) -> Body {
        Body::from_stream(stream::iter([Ok::<_, Infallible>(first)]).chain(stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_not_waited_for_and_what_it_was_is_told() {
        let crowd = Crowd::of(1);
        let received = async |body, limit| arriving(body, &crowd).whole(limit).await.map_err(unreceived);
        assert_eq!(received(cut(Vec::new()), 10).await, Err("the request did not come in time"));
        let long = received(Body::from("0123456789a"), 10).await;
        assert_eq!(long, Err("the request is longer than any that is taken here, or was cut off"));
        assert_eq!(received(Body::from("0123456789"), 10).await, Ok(Bytes::from("0123456789")));
    }

    /// A hundred half-sent bodies of 4 MiB had made a log 430 MB large.
    #[tokio::test]
    async fn all_bodies_together_are_bounded_and_short_ones_still_taken() {
        let (crowd, large, limit) = (Crowd::of(1_000), 1 << 20, 4 << 20);
        let mut waiting: Vec<_> =
            (0..200).map(|_| Box::pin(arriving(cut(vec![b' '; large]), &crowd).whole(limit))).collect();
        for body in &mut waiting {
            let _ = timeout(Duration::ZERO, body).await;
        }
        assert!(crowd.room(large).is_none());
        let whole = async |bytes| arriving(Body::from(vec![b' '; bytes]), &crowd).whole(limit).await;
        assert_eq!(whole(OWN_BYTES).await.map(|body| body.len()), Ok(OWN_BYTES));
        assert_eq!(whole(large).await, Err(StatusCode::SERVICE_UNAVAILABLE));
        drop(waiting);
        let kept = whole(large).await.unwrap();
        assert!(crowd.room(ROOM).is_none());
        drop(kept);
        assert!(crowd.room(ROOM).is_some());
    }

    /// Eight clients that sent a blank now and then had kept all others waiting for 30 seconds.
    #[tokio::test(start_paused = true)]
    async fn a_body_that_dribbles_is_given_up_soon_where_others_wait() {
        let crowd = Crowd::of(8);
        let dribble = || {
            let blanks = stream::iter(0..1_000).then(async |_| {
                sleep(Duration::from_millis(500)).await;
                Ok::<_, Infallible>(" ")
            });
            Body::from_stream(blanks)
        };
        let mut taken = Vec::new();
        for (slots, seconds) in [(4, 30), (5, 2)] {
            while taken.len() < slots {
                taken.push(crowd.slot().await);
            }
            let began = Instant::now();
            let received = arriving(dribble(), &crowd).whole(1_000).await;
            assert_eq!(received, Err(StatusCode::REQUEST_TIMEOUT));
            assert_eq!(began.elapsed().as_secs(), seconds, "{slots}");
        }
    }
}
