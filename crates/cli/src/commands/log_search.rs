//! `signet log search`.

use std::path::Path;

use signet_crypto::Digest;
use signet_keys::read_public;
use signet_server::rekor::{Found, ask};
use signet_services::log::{Query, search};
use signet_verify::Code;

use crate::args::LogSearchArgs;
use crate::document::{LogEntry, LogSearchDocument};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::plain::Plain;
use crate::runtime::block_on;

/// Shows the entries that are found; status 1 if there are none.
pub(crate) fn run(args: &LogSearchArgs, face: Face) -> Answer {
    let query = query(args)?;
    let found = match (&args.data, &args.url) {
        (Some(data), _) => in_directory(data, &query)?,
        (None, Some(url)) => return block_on(async { show(at(url, &query).await?, face) }),
        (None, None) => return Err(CliError::internal("neither a directory nor a URL").into()),
    };
    show(found, face)
}

fn query(args: &LogSearchArgs) -> Result<Query, CliError> {
    Ok(Query {
        digest: args.digest,
        key: args.key.as_deref().map(key).transpose()?,
        identity: args.identity.clone(),
        since: args.since,
        until: args.until,
        shard: args.shard.clone(),
        from: args.from,
        limit: usize::from(args.limit),
    })
}

/// The id of a key, or of that in a file.
pub(super) fn key(given: &str) -> Result<Digest, CliError> {
    match given.parse() {
        Ok(digest) => Ok(digest),
        Err(_) => Ok(Digest::sha256(read_public(Path::new(given))?.spki_der())),
    }
}

fn in_directory(data: &Path, query: &Query) -> Result<Found, CliError> {
    Ok(Found::of(search(&super::log::shards(data)?, query)?, |identity| identity))
}

async fn at(url: &str, query: &Query) -> Result<Found, CliError> {
    let failed = |error: &dyn std::fmt::Display| {
        CliError::new(Code::ServiceFailed, format!("`{url}`: {error}"))
            .hint("a log has a search if it is served with `--search`")
    };
    ask(url, query).await.map_err(|error| failed(&error))
}

fn show(found: Found, face: Face) -> Answer {
    let Found { entries, next, next_shard, size } = found;
    let entries = entries.into_iter().map(LogEntry::from).collect();
    let document = LogSearchDocument { entries, next, next_shard, size };
    face.result(&document, text)?;
    match document.entries.is_empty() && document.next.is_none() {
        true => Ok(Status::No),
        false => Ok(Status::Yes),
    }
}

fn text(found: &LogSearchDocument) -> String {
    let entries: String = found.entries.iter().map(entry).collect();
    let next = found.next_shard.as_ref().zip(found.next);
    let next = next.map(|(shard, from)| format!("more: `--shard {} --from {from}`\n", Plain(shard)));
    let next = next.unwrap_or_default();
    format!("{entries}{next}{} found among {} entries\n", found.entries.len(), found.size)
}

fn entry(entry: &LogEntry) -> String {
    let LogEntry { shard, index, digests, keys, identities, issuer, time } = entry;
    let lines = [("digest", digests), ("key", keys)]
        .into_iter()
        .flat_map(|(what, values)| values.iter().map(move |value| format!("  {what} {}\n", Plain(value))));
    let names = identities.iter().map(|identity| format!("  identity {}\n", Plain(identity)));
    let issuer = issuer.iter().map(|issuer| format!("  issuer {}\n", Plain(issuer)));
    let time = time.iter().map(|time| format!("  since {time}\n"));
    let lines: String = lines.chain(names).chain(issuer).chain(time).collect();
    format!("entry {index} of `{}`\n{lines}", Plain(shard))
}
