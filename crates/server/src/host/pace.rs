//! A body that has to come at a pace.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Fails once more was waited for than its bytes are worth: a client that sends one now and then holds what its request
/// holds no longer than one that sends none. Time in which nobody asks for bytes counts for nothing.
pub(crate) struct Paced<S> {
    body: S,
    pace: Pace,
    /// Set when there is something to wait for: most bodies are there when they are asked for.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    /// The body, for which it may be waited so long: [`PATIENCE`], or less.
    pub(crate) fn new(body: S, patience: Duration) -> Self {
        Self { body, pace: Pace::new(patience), alarm: None }
    }

    /// Ready once the patience has ended. The alarm is only set anew when it rings, not at every byte.
    fn poll_impatience(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let due = self.pace.due();
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            ready!(alarm.as_mut().poll(context));
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(due);
        }
    }
}

impl<S, E> Stream for Paced<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.body).poll_next(context) {
            Poll::Ready(Some(Ok(bytes))) => {
                self.pace.moved(bytes.len());
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(end) => Poll::Ready(end.map(|error| error.map_err(io::Error::other))),
            Poll::Pending => {
                ready!(self.poll_impatience(context));
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, "it came too slowly"))))
            }
        }
    }
}

/// For how long others are waited for, by what they moved.
pub(super) struct Pace {
    /// The most that may be waited at once.
    most: Duration,
    /// For how long it may be waited. Bytes add to it.
    patience: Duration,
    waiting_since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(most: Duration) -> Self {
        Self { most, patience: most, waiting_since: None }
    }

    /// What was waited is taken from the patience, and what moved is added, to what there is at first.
    pub(super) fn moved(&mut self, bytes: usize) {
        let waited = self.waiting_since.take().map(|since| since.elapsed()).unwrap_or_default();
        let worth = Duration::from_secs_f64(bytes as f64 / SLOWEST);
        self.patience = (self.patience.saturating_sub(waited) + worth).min(self.most);
    }

    /// When the patience ends with those who are waited for now.
    pub(super) fn due(&mut self) -> Instant {
        *self.waiting_since.get_or_insert_with(Instant::now) + self.patience
    }
}

/// For how long nothing need come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes a second, on average, that count as coming.
const SLOWEST: f64 = 16_384.0;

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use tokio::time::sleep;

    use super::*;

    /// A body of `pieces`, each of which comes after `pause`.
    fn body(
        pieces: usize,
        size: usize,
        pause: Duration,
    ) -> Paced<impl Stream<Item = io::Result<Bytes>> + Unpin> {
        let pieces = stream::iter(0..pieces).then(move |_| async move {
            sleep(pause).await;
            Ok(Bytes::from(vec![0; size]))
        });
        Paced::new(Box::pin(pieces), PATIENCE)
    }

    async fn received(
        mut body: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<usize, (usize, io::ErrorKind)> {
        let mut bytes = 0;
        while let Some(piece) = body.next().await {
            bytes += piece.map_err(|error| (bytes, error.kind()))?.len();
        }
        Ok(bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_ends() {
        let trickle = body(1_000, 1, Duration::from_secs(1));
        assert_eq!(received(trickle).await, Err((30, io::ErrorKind::TimedOut)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_fast_is_no_excuse_for_long() {
        let burst = stream::iter([Ok::<_, io::Error>(Bytes::from(vec![0; 1 << 24]))]);
        let then_nothing = Paced::new(burst.chain(stream::pending()), PATIENCE);
        let began = Instant::now();
        assert_eq!(received(then_nothing).await, Err((1 << 24, io::ErrorKind::TimedOut)));
        assert!(began.elapsed() <= PATIENCE + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_is_fast_enough() {
        let slow = body(600, 1 << 14, Duration::from_secs(1));
        assert_eq!(received(slow).await, Ok(600 << 14));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_asked_is_not_slow() {
        let mut quick = body(3, 1, Duration::from_secs(9));
        for _ in 0..3 {
            quick.next().await.unwrap().unwrap();
            sleep(Duration::from_secs(300)).await;
        }
    }
}
