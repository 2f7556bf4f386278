//! Content for a registry that closed the connection on who sent it some.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio::time::sleep;

use crate::Result;
use crate::stream::BlobStream;

/// The content after a pause, and in pieces with pauses between them. A registry that refuses it and closes the
/// connection takes its answer away from who is writing just then; who is not reads it.
pub(super) fn cautiously(content: BlobStream) -> BoxStream<'static, Result<Bytes>> {
    let pieces = content.map_ok(pieces).try_flatten().and_then(|piece| async {
        sleep(BETWEEN_PIECES).await;
        Ok(piece)
    });
    let first = stream::once(sleep(FOR_AN_ANSWER)).filter_map(|()| async { None });
    first.chain(pieces).boxed()
}

fn pieces(mut bytes: Bytes) -> impl Stream<Item = Result<Bytes>> + Send {
    let next = move || (!bytes.is_empty()).then(|| Ok(bytes.split_to(PIECE.min(bytes.len()))));
    stream::iter(std::iter::from_fn(next))
}

/// Most refuse what they refuse by the head of a request, and clients that ask for that wait as long (RFC 9110, 10.1.1).
const FOR_AN_ANSWER: Duration = Duration::from_secs(1);
/// Many times what it takes to write a piece.
const BETWEEN_PIECES: Duration = Duration::from_millis(1);
const PIECE: usize = 256 << 10;
