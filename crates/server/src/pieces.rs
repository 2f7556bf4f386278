//! Bundles of entries as answers: read as their clients read, and never whole in memory if they are large.

use std::io;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, Response, StatusCode, header};
use signet_services::log::Pieces;
use tokio::task::spawn_blocking;

use crate::answer::{IMMUTABLE, cached, full};

/// The answer that is the bundle.
pub(crate) async fn bundle(pieces: Pieces) -> io::Result<Response<Body>> {
    let (first, rest) = next(pieces).await?;
    let first = first.unwrap_or_default();
    let answer = |content| cached(full(StatusCode::OK, "application/octet-stream", content), IMMUTABLE);
    if rest.are_read() {
        return Ok(answer(Body::from(first)));
    }
    let length = first.len() as u64 + length(rest.clone()).await?;
    let rest = stream::try_unfold(rest, async |rest| {
        let (piece, rest) = next(rest).await?;
        io::Result::Ok(piece.map(|piece| (piece, rest)))
    });
    let first = stream::once(async { io::Result::Ok(first) });
    let mut answer = answer(Body::from_stream(first.chain(rest)));
    answer.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(answer)
}

async fn next(mut pieces: Pieces) -> io::Result<(Option<Bytes>, Pieces)> {
    let read = spawn_blocking(move || (pieces.next().transpose(), pieces)).await;
    let (piece, pieces) = read.map_err(io::Error::other)?;
    Ok((piece?.map(Bytes::from), pieces))
}

/// The bytes of all that is not read yet: caches that are told how many there are keep no bundle that was cut off.
async fn length(mut pieces: Pieces) -> io::Result<u64> {
    let sum = move || pieces.try_fold(0, |sum, piece| Ok(sum + piece?.len() as u64));
    spawn_blocking(sum).await.map_err(io::Error::other)?
}
