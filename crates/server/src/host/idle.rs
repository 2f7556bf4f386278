//! A connection that ends when nothing moves on it, and writes what is small in one piece.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::crowd::Crowd;
use super::pace::{PATIENCE, Pace};

/// Fails once no byte was read or written for a while, but not while a request is answered: a client that sends its body, or reads its
/// answer, a byte a day is cut off, as is one that keeps an idle connection. Where others may need its slot, one that reads
/// more slowly than bodies may come is cut off, too: what is to be sent to it waits in memory.
pub(super) struct Idle<S> {
    stream: S,
    crowd: Crowd,
    limit: Duration,
    /// That of what is read by the client.
    pace: Pace,
    last_move: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl<S> Idle<S> {
    pub(super) fn new(stream: S, crowd: Crowd, limit: Duration) -> Self {
        let (last_move, alarm) = (Instant::now(), Box::pin(sleep(limit)));
        Self { stream, crowd, limit, pace: Pace::new(PATIENCE), last_move, alarm }
    }

    /// What a poll gave, or an error if nothing moved for too long. The alarm is only set anew when it
    /// rings, not at every byte.
    fn watch<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.last_move = Instant::now();
            return polled;
        }
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let due = self.last_move + self.limit;
            if due <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.alarm.as_mut().reset(due);
        }
    }

    /// The same of what was written.
    fn watch_reader(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = &polled {
            self.pace.moved(*written.as_ref().unwrap_or(&0));
            return self.watch(context, polled);
        }
        let slow = self.pace.due();
        if self.alarm.deadline() > slow {
            self.alarm.as_mut().reset(slow);
        }
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let (now, idle) = (Instant::now(), self.last_move + self.limit);
            if idle <= now || (slow <= now && self.crowd.is_large()) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            // Others may come at any time.
            let again = if slow <= now { now + LOOK_AGAIN_AFTER } else { slow };
            self.alarm.as_mut().reset(again.min(idle));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Idle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.watch(context, polled)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Idle<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch_reader(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut together = [0; TOGETHER];
        let polled = match joined(slices, &mut together) {
            Some(bytes) => Pin::new(&mut self.stream).poll_write(context, bytes),
            None => Pin::new(&mut self.stream).poll_write_vectored(context, slices),
        };
        self.watch_reader(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Moves nothing: what is written to a socket is under way.
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, polled)
    }
}

/// The slices in one, if there is room for them.
fn joined<'a>(slices: &[io::IoSlice<'_>], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut end = 0;
    for slice in slices {
        let next = end + slice.len();
        room.get_mut(end..next)?.copy_from_slice(slice);
        end = next;
    }
    room.get(..end)
}

/// Up to so many bytes the kernel sends a copy of them sooner than the pieces.
const TOGETHER: usize = 4 << 10;
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[test]
    fn pieces_are_joined_where_there_is_room_for_all() {
        let mut room = [0; 8];
        for (pieces, together) in [
            (&["head", "body"][..], Some("headbody")),
            (&["head", "", "s"], Some("heads")),
            (&["head", "large"], None),
            (&["extensive"], None),
            (&[], Some("")),
        ] {
            let slices: Vec<_> = pieces.iter().map(|piece| io::IoSlice::new(piece.as_bytes())).collect();
            assert_eq!(joined(&slices, &mut room), together.map(str::as_bytes), "{pieces:?}");
        }
    }

    /// Thirty readers that did not read had made a log 648 MB large, for two minutes each.
    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_is_cut_off_sooner_where_others_wait() {
        for (taken, seconds) in [(4, 120), (5, 30)] {
            let crowd = Crowd::of(8);
            let mut slots = Vec::new();
            for _ in 0..taken {
                slots.push(crowd.slot().await);
            }
            let (stream, _reader) = duplex(10);
            let began = Instant::now();
            let mut stream = Idle::new(stream, crowd, Duration::from_secs(120));
            let error = stream.write_all(&[0; 100]).await.unwrap_err();
            assert_eq!(
                (error.kind(), began.elapsed().as_secs()),
                (io::ErrorKind::TimedOut, seconds),
                "{taken}"
            );
        }
    }
}
