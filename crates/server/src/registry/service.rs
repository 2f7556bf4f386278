//! One request: who asks, may they, and what answers.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use signet_store::RepositoryName;
use signet_store::registry::RegistryStore;
use tracing::{Level, debug, enabled};

use super::auth::Authenticator;
use super::browser;
use super::error::{self, ApiError};
use super::evidence::Evidence;
use super::failures::Failures;
use super::gate::PullGate;
use super::request::{self, Query};
use super::response::{self, Body};
use super::rights::{Principal, Right};
use super::route::{Place, Route};
use crate::host::Lingering;
use crate::turns::Turns;

/// What every request is answered from.
pub(super) struct Service {
    pub(super) store: Arc<dyn RegistryStore>,
    pub(super) authenticator: Authenticator,
    /// A name it is known by besides those of this machine.
    pub(super) public_host: Option<String>,
    pub(super) gate: Option<Arc<dyn PullGate>>,
    /// What the gate is not asked about.
    pub(super) evidence: Evidence,
    /// Bounds how many large manifests are received, and so in memory, at once.
    pub(super) manifest_turns: Turns<String>,
    /// What the operator is told of.
    pub(super) failures: Failures,
}

/// A request to a repository by someone who may make it.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) repository: RepositoryName,
    pub(super) principal: Principal,
    pub(super) headers: HeaderMap,
    pub(super) query: Query,
}

impl Service {
    /// Answers a request; errors are answers too.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let line = LogLine::begin(&request);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let response = self.route(request).await.unwrap_or_else(|error| {
            self.failures.tell(&error, &method, uri.path());
            error.into_response()
        });
        line.into_iter().for_each(|line| line.end(response.status()));
        response
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Response<Body>, ApiError> {
        let (parts, body) = request.into_parts();
        let body = Lingering::new(&parts, body);
        if matches!(self.authenticator, Authenticator::Open) {
            browser::refuse_pages(&parts.headers, self.public_host.as_deref())?;
        }
        let principal = self.authenticator.principal(&parts.headers).await?;
        let (repository, place) = match Route::parse(parts.uri.path()) {
            Ok(Route::In(repository, place)) => (repository, place),
            Ok(Route::Base) => return self.base(&principal),
            // Nobody learns from an error what exists before saying who they are.
            Err(error) => return Err(self.authenticator.unidentified(&principal).unwrap_or(error)),
        };
        let right = match parts.method {
            Method::GET | Method::HEAD if !matches!(place, Place::Upload(_)) => Right::Pull,
            _ => Right::Push,
        };
        self.authenticator.demand(&principal, &repository, right)?;
        let query = Query::of(&parts.uri);
        let call = Call { method: parts.method, repository, principal, headers: parts.headers, query };
        self.dispatch(place, &call, body).await
    }

    async fn dispatch(&self, place: Place, call: &Call, body: Lingering) -> Result<Response<Body>, ApiError> {
        match (&call.method, place) {
            (&Method::GET | &Method::HEAD, Place::Blob(digest)) => self.blob(call, &digest).await,
            (&Method::DELETE, Place::Blob(digest)) => self.delete_blob(call, &digest).await,
            (&Method::GET | &Method::HEAD, Place::Manifest(name)) => self.manifest(call, &name).await,
            (&Method::PUT, Place::Manifest(name)) => self.put_manifest(call, &name, body).await,
            (&Method::DELETE, Place::Manifest(name)) => self.delete_manifest(call, &name).await,
            (&Method::GET, Place::Referrers(digest)) => self.referrers(call, &digest).await,
            (&Method::GET, Place::Tags) => self.tags(call).await,
            (&Method::POST, Place::Uploads) => self.start_upload(call, body).await,
            (&Method::GET, Place::Upload(id)) => self.upload_status(call, id).await,
            (&Method::PATCH, Place::Upload(id)) => self.continue_upload(call, id, body).await,
            (&Method::PUT, Place::Upload(id)) => self.finish_upload(call, id, body).await,
            (&Method::DELETE, Place::Upload(id)) => self.cancel_upload(call, id).await,
            _ => Err(ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                error::UNSUPPORTED,
                "this place of the API does not have that method",
            )),
        }
    }

    /// Where clients find out whether they must say who they are: yes, even if some repositories
    /// are open to all, because many ask nowhere else.
    fn base(&self, principal: &Principal) -> Result<Response<Body>, ApiError> {
        match self.authenticator.unidentified(principal) {
            Some(error) => Err(error),
            None => {
                let mut response = response::full(StatusCode::OK, "{}");
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Ok(response)
            }
        }
    }
}

/// What the log says of a request: no header and no query, which is where secrets are.
struct LogLine {
    method: Method,
    path: String,
    began: Instant,
}

impl LogLine {
    /// Nothing if nobody reads it.
    fn begin(request: &Request<Incoming>) -> Option<Self> {
        enabled!(Level::DEBUG).then(|| Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            began: Instant::now(),
        })
    }

    /// The headers of the answer are ready.
    fn end(&self, status: StatusCode) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        debug!(method = %self.method, path = self.path, status = status.as_u16(), ms, "request");
    }
}

impl Call {
    /// The digest that must be given as the parameter `digest`.
    pub(super) fn required_digest(&self) -> Result<signet_crypto::Digest, ApiError> {
        let missing = || ApiError::bad_request(error::DIGEST_INVALID, "the parameter `digest` is missing");
        self.query.digest("digest")?.ok_or_else(missing)
    }

    /// The location of something of the repository.
    pub(super) fn location(&self, rest: std::fmt::Arguments<'_>) -> String {
        format!("/v2/{}/{rest}", self.repository)
    }

    /// With whom this caller shares what one may use up. A repository's name has no colon.
    pub(super) fn owner(&self) -> String {
        match &self.principal {
            Principal::User(user) => format!("user:{user}"),
            Principal::Anonymous => self.repository.to_string(),
        }
    }

    /// The header's text, if it is there and is text.
    pub(super) fn header(&self, name: http::HeaderName) -> Option<&str> {
        request::text(&self.headers, name)
    }
}
