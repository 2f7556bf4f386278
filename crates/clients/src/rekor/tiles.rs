//! An entry and its proof out of a log's tiles (C2SP tlog-tiles), for what the log has already.

use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT_ENCODING;
use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::merkle::{Hash, MerkleError};
use signet_formats::note::MAX_NOTE_BYTES;
use signet_formats::rekor::{EntryKind, HashedRekordV002, InclusionProof, TlogEntry};
use signet_formats::tlog::{
    Entries, EntryBundle, MAX_ENTRY_BYTES, Resource, TILE_BYTES, TILE_WIDTH, TileError, TileNodes, full_path,
    inclusion_proof,
};
use signet_http::{ENCODINGS, backoff};

use super::KnownLog;
use crate::web::{Call, Web};
use crate::{Error, Result};

/// The entry at `index`, which has to say what is `wanted`, as if it had been added now.
pub(super) async fn entry(
    web: &Web,
    base: &str,
    index: u64,
    wanted: &HashedRekordV002,
    known: &[KnownLog],
) -> Result<TlogEntry> {
    let reader = Reader { web, base };
    let (call, text, checkpoint) = reader.checkpoint_over(index).await?;
    let (origin, size) = (&checkpoint.checkpoint().origin, checkpoint.checkpoint().size);
    let log = known.iter().find(|log| log.origin == *origin);
    let log_id = log.ok_or_else(|| call.malformed(format!("`{origin}` is not in the trusted root")))?.id;
    let body = reader.body(index, size).await?;
    if wanted.to_body().ok().as_ref() != Some(&body) {
        return Err(call.malformed(format!("entry {index} is not the one it was said to be")));
    }
    let hashes = reader.proof(index, size).await?;
    Ok(TlogEntry {
        log_index: index,
        log_id,
        kind: EntryKind { kind: "hashedrekord".to_owned(), version: "0.0.2".to_owned() },
        integrated_time: None,
        promise: None,
        proof: Some(InclusionProof {
            log_index: index,
            root_hash: sha256(&call, &checkpoint.checkpoint().root)?,
            tree_size: size,
            hashes: hashes.iter().map(|hash| sha256(&call, hash)).collect::<Result<_>>()?,
            checkpoint: Some(String::from_utf8_lossy(&text).into_owned()),
        }),
        body,
    })
}

struct Reader<'a> {
    web: &'a Web,
    base: &'a str,
}

impl Reader<'_> {
    /// A resource; in the place of a partial one that is not there the full one, which may have replaced it.
    async fn read(&self, resource: Resource, most: usize) -> Result<(Call<'static>, Bytes)> {
        let path = resource.to_string();
        let read = self.get(&path, most).await;
        match (&read, full_path(&path)) {
            (Err(Error::Refused { status: 404 | 410, .. }), Some(full)) => self.get(full, most).await,
            _ => read,
        }
    }

    async fn get(&self, path: &str, most: usize) -> Result<(Call<'static>, Bytes)> {
        let url = format!("{}/{path}", self.base);
        let call = Call::get(&url, WHAT, most)?.header(ACCEPT_ENCODING, ENCODINGS);
        let body = self.web.ask(&call).await?.body;
        Ok((call, body))
    }

    /// A checkpoint that covers the entry, waiting for it: the log may know an entry that it has only just
    /// numbered.
    async fn checkpoint_over(&self, index: u64) -> Result<(Call<'static>, Bytes, SignedCheckpoint)> {
        let (mut waited, mut asked) = (Duration::ZERO, 1);
        loop {
            let (call, text) = self.read(Resource::Checkpoint, MAX_NOTE_BYTES).await?;
            let checkpoint = SignedCheckpoint::parse(&text).map_err(|error| call.malformed(error))?;
            let size = checkpoint.checkpoint().size;
            if index < size {
                return Ok((call, text, checkpoint));
            }
            if waited > self.web.limits().retry_wait {
                let reason = format!("its checkpoint of {size} entries does not cover entry {index}");
                return Err(call.malformed(reason));
            }
            let pause = backoff(asked);
            tokio::time::sleep(pause).await;
            (waited, asked) = (waited + pause, asked + 1);
        }
    }

    /// The bytes of the entry, which a log of this size has.
    async fn body(&self, index: u64, size: u64) -> Result<Vec<u8>> {
        let bundle = EntryBundle::of_log(index / TILE_WIDTH, size);
        let bundle = bundle.ok_or_else(|| self.unprovable(MerkleError::IndexOutOfRange { index, size }))?;
        let (call, bytes) = self.read(Resource::Entries(bundle), MAX_BUNDLE).await?;
        let at = usize::try_from(index % TILE_WIDTH).unwrap_or(usize::MAX);
        match Entries::new(&bytes).nth(at) {
            Some(Ok(entry)) => Ok(entry.to_vec()),
            _ => Err(call.malformed(format!("entry {index} is not in it"))),
        }
    }

    /// The siblings of the leaf, fetching one tile after another as they are asked for.
    async fn proof(&self, index: u64, size: u64) -> Result<Vec<Hash>> {
        let mut nodes = TileNodes::new(size);
        loop {
            let tile = match inclusion_proof(&nodes, index, size) {
                Ok(proof) => return Ok(proof),
                Err(TileError::Missing(tile)) => tile,
                Err(error) => return Err(self.unprovable(error)),
            };
            let (call, bytes) = self.read(Resource::Tile(tile), TILE_BYTES).await?;
            let start = bytes.get(..usize::from(tile.width()) * size_of::<Hash>()).unwrap_or(&bytes);
            nodes.insert(tile, start).map_err(|error| call.malformed(error))?;
        }
    }

    fn unprovable(&self, error: impl ToString) -> Error {
        Error::Malformed { what: WHAT.to_owned(), host: self.base.to_owned(), reason: error.to_string() }
    }
}

fn sha256(call: &Call<'_>, hash: &Hash) -> Result<Digest> {
    Digest::from_bytes(DigestAlgorithm::Sha256, hash).map_err(|error| call.malformed(error))
}

const WHAT: &str = "a log entry's proof";
/// All entries of a full bundle at their longest.
const MAX_BUNDLE: usize = 256 * (MAX_ENTRY_BYTES + 2);
