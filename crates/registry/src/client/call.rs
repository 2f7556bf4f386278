//! What is asked of a registry: one request, and what it needs to be allowed.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{HeaderMap, Method};
use reqwest::{RequestBuilder, Url};
use signet_formats::oci::Repository;

use super::transport::lock;
use crate::{Error, Result};

/// A request to a registry.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) repository: &'a Repository,
    pub(super) access: Access,
    /// Another repository of the registry that is read from, too: the source of a mount.
    pub(super) mounted: Option<&'a Repository>,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Payload,
    /// What is asked for, for messages.
    pub(super) what: String,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        method: Method,
        url: Url,
        repository: &'a Repository,
        access: Access,
        what: String,
    ) -> Self {
        let (headers, body) = (Vec::new(), Payload::Empty);
        Self { method, url, repository, access, mounted: None, headers, body, what }
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(self, body: Payload) -> Self {
        Self { body, ..self }
    }

    pub(super) fn mounting(self, mounted: Option<&'a Repository>) -> Self {
        Self { mounted, ..self }
    }

    pub(super) fn scope(&self) -> Scope {
        Scope { repository: self.repository.clone(), access: self.access, mounted: self.mounted.cloned() }
    }

    pub(super) fn is_read(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// Whether it may be sent twice: idempotent (RFC 9110 §9.2.2), and its body still at hand.
    pub(super) fn is_repeatable(&self) -> bool {
        let idempotent = self.is_read() || matches!(self.method, Method::PUT | Method::DELETE);
        idempotent && !matches!(self.body, Payload::Stream { .. })
    }
}

/// What goes with a request.
pub(super) enum Payload {
    Empty,
    Bytes(Bytes),
    /// Sent once; where the stream itself fails, its error is kept here.
    Stream {
        content: Mutex<Option<BoxStream<'static, Result<Bytes>>>>,
        size: u64,
        failure: Arc<Mutex<Option<Error>>>,
    },
}

impl Payload {
    pub(super) fn stream(content: BoxStream<'static, Result<Bytes>>, size: u64) -> Self {
        Self::Stream { content: Mutex::new(Some(content)), size, failure: Arc::default() }
    }

    /// Why the content itself broke off, if it did.
    pub(super) fn failure(&self) -> Option<Error> {
        match self {
            Self::Stream { failure, .. } => lock(failure).take(),
            _ => None,
        }
    }

    /// Whether the content went out and cannot be sent again.
    pub(super) fn is_spent(&self) -> bool {
        matches!(self, Self::Stream { content, .. } if lock(content).is_none())
    }

    pub(super) fn on(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Empty => request,
            Self::Bytes(bytes) => request.body(bytes.clone()),
            Self::Stream { content, size, failure } => {
                let failure = Arc::clone(failure);
                let stream = futures_util::stream::iter(lock(content).take()).flatten();
                let noted = stream.inspect(move |item: &Result<Bytes>| {
                    if let Err(error) = item {
                        *lock(&failure) = Some(error.clone());
                    }
                });
                request.header(CONTENT_LENGTH, *size).body(reqwest::Body::wrap_stream(noted))
            }
        }
    }
}

/// What may be done in a repository; a later one includes the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Access {
    Pull,
    Push,
    Delete,
}

impl Access {
    fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
            Self::Delete => "pull,push,delete",
        }
    }
}

/// What a token must allow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) repository: Repository,
    access: Access,
    mounted: Option<Repository>,
}

impl Scope {
    /// Whether a token for this is good for `wanted`, too.
    pub(super) fn covers(&self, wanted: &Self) -> bool {
        let mounted = wanted.mounted.is_none() || wanted.mounted == self.mounted;
        self.repository == wanted.repository && self.access >= wanted.access && mounted
    }

    /// As the token specification spells it: one text for each repository.
    pub(super) fn texts(&self) -> Vec<String> {
        let text = |repository: &Repository, access: Access| {
            format!("repository:{}:{}", repository.path, access.actions())
        };
        let mounted = self.mounted.iter().map(|mounted| text(mounted, Access::Pull));
        std::iter::once(text(&self.repository, self.access)).chain(mounted).collect()
    }
}

/// A whole answer.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}
