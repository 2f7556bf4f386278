//! Searching all shards of a log: one after the other, the oldest first.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use super::archive::Archive;
use super::export::{settled, size_of};
use super::search::{Hit, MAX_HITS, Next, Page, Part, Query, Search, find_in};
use super::{Log, OpenError, Place, ReadError, origin_of};

/// The search of a running log, with all its shards. Clones are the same one.
#[derive(Clone)]
pub struct Searches(Arc<RwLock<Vec<Arc<Search>>>>);

impl Searches {
    /// Over these shards, the oldest first. What is missing of their indices is made while the log runs. Reads the disk.
    pub fn open(shards: Vec<Log>) -> io::Result<Self> {
        let searches = shards.into_iter().map(|shard| Search::open(shard).map(Arc::new));
        Ok(Self(Arc::new(RwLock::new(searches.collect::<io::Result<_>>()?))))
    }

    /// Searches another shard from now on, after all others. Reads the disk.
    pub fn add(&self, shard: Log) -> io::Result<()> {
        let search = Arc::new(Search::open(shard)?);
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(search);
        Ok(())
    }

    /// Takes in what the log has published since; at most a part of it. Whether there is more. Reads the disk.
    pub fn follow(&self) -> Result<bool, ReadError> {
        let mut is_more = false;
        for search in self.all() {
            is_more |= search.follow()?;
        }
        Ok(is_more)
    }

    /// Looks for entries, as far as the indices have them. Reads the disk.
    pub fn find(&self, query: &Query) -> Result<Page, SearchError> {
        self.follow().map_err(OpenError::from)?;
        let searches = self.all();
        let shards = searches.iter().map(|search| (search.shard().to_owned(), search.size(), search));
        over(shards.collect(), query, |search, query| search.find(query))
    }

    /// What an identity is shown as to those who are not to learn it. Nobody without the directory can tell whose it is.
    pub fn tag(&self, identity: &str) -> String {
        let all = self.all();
        all.first().map(|search| format!("hmac-sha256:{}", search.tag(identity).hex())).unwrap_or_default()
    }

    fn all(&self) -> Vec<Arc<Search>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Looks for entries in the directories of a log's shards, beside a running log, as far as their checkpoints go.
pub fn search(shards: &[Place], query: &Query) -> Result<Page, SearchError> {
    let open = |place: &Place| {
        let (archive, kept) = settled(&place.data)?;
        let shard = origin_of(&place.data)?.unwrap_or_default();
        Ok((shard, size_of(&kept), archive))
    };
    let shards: Vec<(String, u64, Archive)> = shards.iter().map(open).collect::<Result<_, OpenError>>()?;
    let sized = shards.iter().map(|(shard, size, archive)| (shard.clone(), *size, (*size, archive)));
    over(sized.collect(), query, |(size, archive), query| find_in(archive, *size, query))
}

/// Why nothing was looked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The log has no such shard.
    #[error("there is no shard `{0}`")]
    NoShard(String),
    /// A shard could not be read.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Asks one shard after the other, given their names and sizes, until there are enough entries.
fn over<S>(
    shards: Vec<(String, u64, S)>,
    query: &Query,
    find: impl Fn(&S, &Query) -> Result<Part, ReadError>,
) -> Result<Page, SearchError> {
    let first = match &query.shard {
        None => 0,
        Some(wanted) => shards
            .iter()
            .position(|(shard, _, _)| shard == wanted)
            .ok_or_else(|| SearchError::NoShard(wanted.clone()))?,
    };
    let size = shards.iter().map(|(_, size, _)| size).sum();
    let mut page = Page { hits: Vec::new(), next: None, size };
    let limit = query.limit.clamp(1, MAX_HITS);
    let mut from = query.from;
    for (shard, _, search) in shards.iter().skip(first) {
        if page.hits.len() >= limit {
            page.next = Some(Next { shard: shard.clone(), from: 0 });
            break;
        }
        let query = Query { from, limit: limit - page.hits.len(), ..query.clone() };
        let Part { hits, next } = find(search, &query).map_err(OpenError::from)?;
        page.hits.extend(hits.into_iter().map(|(index, facts)| Hit { shard: shard.clone(), index, facts }));
        if let Some(next) = next {
            page.next = Some(Next { shard: shard.clone(), from: next });
            break;
        }
        from = 0;
    }
    Ok(page)
}
