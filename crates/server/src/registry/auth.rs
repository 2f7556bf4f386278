//! Who makes a request: HTTP basic authentication against an htpasswd file with bcrypt hashes.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use signet_store::RepositoryName;

use super::error::{self, ApiError};
use super::request;
use super::rights::{Principal, Right};
use super::users::{AuthFiles, Users};

/// Tells who makes a request, and whether they may.
pub(super) enum Authenticator {
    /// Everyone may do everything.
    Open,
    /// Users have passwords and rights.
    Users(Users),
}

impl Authenticator {
    /// Reads the files.
    pub(super) fn from_files(files: &AuthFiles) -> io::Result<Self> {
        Users::from_files(files).map(Self::Users)
    }

    /// Reads the files again if they changed, and then says what is wrong with them.
    pub(super) fn follow(&self) -> Option<Vec<String>> {
        match self {
            Self::Open => None,
            Self::Users(users) => users.follow(),
        }
    }

    /// Who makes the request. Wrong credentials are refused, also where none are needed.
    pub(super) async fn principal(&self, headers: &HeaderMap) -> Result<Principal, ApiError> {
        let Self::Users(users) = self else { return Ok(Principal::Anonymous) };
        let stated = request::only(headers, header::AUTHORIZATION).map_err(|_| unauthorized())?;
        let Some(stated) = stated else { return Ok(Principal::Anonymous) };
        let (user, password) = basic_credentials(stated).ok_or_else(unauthorized)?;
        match users.check(&user, password).await {
            true => Ok(Principal::User(user)),
            false => Err(unauthorized()),
        }
    }

    /// The refusal of someone who did not say who they are, if users are told apart at all.
    pub(super) fn unidentified(&self, principal: &Principal) -> Option<ApiError> {
        let told_apart = matches!(self, Self::Users(_));
        (told_apart && *principal == Principal::Anonymous).then(unauthorized)
    }

    /// Refuses a principal who has not that right.
    pub(super) fn demand(
        &self,
        principal: &Principal,
        repository: &RepositoryName,
        right: Right,
    ) -> Result<(), ApiError> {
        match self.allows(principal, repository, right) {
            true => Ok(()),
            false => Err(self.unidentified(principal).unwrap_or_else(|| denied(repository, right))),
        }
    }

    /// Whether the principal has that right.
    pub(super) fn allows(&self, principal: &Principal, repository: &RepositoryName, right: Right) -> bool {
        match self {
            Self::Open => true,
            Self::Users(users) => users.rights().allow(principal, repository, right),
        }
    }

    /// Whether there is anybody who may pull what they may not push.
    pub(super) fn lets_somebody_only_pull(&self) -> bool {
        match self {
            Self::Open => false,
            Self::Users(users) => users.rights().let_somebody_only_pull(),
        }
    }

    /// Which repositories the principal may pull from.
    pub(super) fn readable_by(
        &self,
        principal: &Principal,
    ) -> impl Fn(&RepositoryName) -> bool + Send + Sync + use<> {
        let rights = match self {
            Self::Open => None,
            Self::Users(users) => Some(users.rights()),
        };
        let principal = principal.clone();
        move |name| rights.as_ref().is_none_or(|rights| rights.allow(&principal, name, Right::Pull))
    }
}

fn basic_credentials(stated: &str) -> Option<(String, String)> {
    let (scheme, encoded) = stated.split_once(' ')?;
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())??;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn unauthorized() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, error::UNAUTHORIZED, "authentication is required")
        .with_header(header::WWW_AUTHENTICATE, "Basic realm=\"signet\", charset=\"UTF-8\"")
}

fn denied(repository: &RepositoryName, right: Right) -> ApiError {
    let doing = match right {
        Right::Pull => "pull from",
        Right::Push => "push to",
    };
    let message = format!("this user may not {doing} `{repository}`");
    ApiError::new(StatusCode::FORBIDDEN, error::DENIED, message)
}
