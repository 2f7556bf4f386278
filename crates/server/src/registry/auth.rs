//! Who makes a request: HTTP basic authentication against an htpasswd file with bcrypt hashes.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use signet_crypto::{Digest, DigestAlgorithm, Hasher};
use signet_store::RepositoryName;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::error::{self, ApiError};
use super::request;
use super::rights::{ANONYMOUS, Principal, Right, Rights};

/// Where users and their rights are written.
#[derive(Clone, Debug)]
pub struct AuthFiles {
    /// Lines of `user:<bcrypt hash>`, as `htpasswd -B` writes them.
    pub htpasswd: PathBuf,
    /// A JSON file of rules; without one, every user may pull and push everything.
    ///
    /// `{"rules": [{"users": ["ci"], "repositories": ["team"], "rights": ["pull", "push"]}, …]}`: a
    /// repository covers all below it, `*` is every user or every repository, the user `anonymous`
    /// is everyone.
    pub rights: Option<PathBuf>,
}

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
        let hashes = read_htpasswd(&files.htpasswd)?;
        let rights = match &files.rights {
            Some(path) => Arc::new(read_rights(path, &hashes)?),
            None => Arc::new(Rights::all_users()),
        };
        let (checks, known) = (Semaphore::new(PARALLEL_CHECKS), Mutex::new(HashMap::new()));
        let salt = [Uuid::new_v4(), Uuid::new_v4()];
        Ok(Self::Users(Users { hashes: Arc::new(hashes), rights, checks, known, salt }))
    }

    /// Who makes the request. Wrong credentials are refused, also where none are needed.
    pub(super) async fn principal(&self, headers: &HeaderMap) -> Result<Principal, ApiError> {
        let Self::Users(users) = self else { return Ok(Principal::Anonymous) };
        let Some(stated) = request::text(headers, header::AUTHORIZATION) else {
            return Ok(Principal::Anonymous);
        };
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
            Self::Users(users) => users.rights.allow(principal, repository, right),
        }
    }

    /// Which repositories the principal may pull from.
    pub(super) fn readable_by(
        &self,
        principal: &Principal,
    ) -> impl Fn(&RepositoryName) -> bool + Send + Sync + use<> {
        let rights = match self {
            Self::Open => None,
            Self::Users(users) => Some(Arc::clone(&users.rights)),
        };
        let principal = principal.clone();
        move |name| rights.as_ref().is_none_or(|rights| rights.allow(&principal, name, Right::Pull))
    }
}

/// Users, their passwords' hashes and their rights.
pub(super) struct Users {
    hashes: Arc<HashMap<String, String>>,
    rights: Arc<Rights>,
    /// bcrypt is slow on purpose: a flood of guesses must not take every core.
    checks: Semaphore,
    /// Passwords that were right a moment ago, as salted digests, and until when that counts.
    known: Mutex<HashMap<Digest, Instant>>,
    salt: [Uuid; 2],
}

impl Users {
    async fn check(&self, user: &str, password: String) -> bool {
        // Salted with what only this process knows, so how long a lookup takes tells nothing.
        let digest = self.digest(user, &password);
        if self.is_known(&digest) {
            return true;
        }
        let Ok(_permit) = self.checks.acquire().await else { return false };
        let (hashes, user) = (Arc::clone(&self.hashes), user.to_owned());
        let right = tokio::task::spawn_blocking(move || {
            // An unknown user takes as long as a wrong password.
            let hash = hashes.get(&user).map_or(NOBODYS_HASH, String::as_str);
            bcrypt::non_truncating_verify(password, hash).unwrap_or(false) && hashes.contains_key(&user)
        });
        let right = right.await.unwrap_or(false);
        if right {
            self.remember(digest);
        }
        right
    }

    fn digest(&self, user: &str, password: &str) -> Digest {
        let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
        self.salt.iter().for_each(|salt| hasher.update(salt.as_bytes()));
        // A user's name has no colon (RFC 7617, 2).
        hasher.update(format!("{user}:{password}").as_bytes());
        hasher.finish()
    }

    fn is_known(&self, digest: &Digest) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(digest).is_some_and(|until| Instant::now() < *until)
    }

    fn remember(&self, digest: Digest) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(digest, Instant::now() + KNOWN_FOR);
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

fn read_htpasswd(path: &Path) -> io::Result<HashMap<String, String>> {
    let text = fs::read_to_string(path)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let users = lines.map(|line| {
        let (user, hash) = line.split_once(':').ok_or_else(|| invalid("a line is not `user:hash`"))?;
        if user == ANONYMOUS || user == "*" || user.is_empty() {
            return Err(invalid(&format!("`{user}` cannot be a user")));
        }
        match hash.parse::<bcrypt::HashParts>() {
            Ok(_) => Ok((user.to_owned(), hash.to_owned())),
            Err(_) => {
                Err(invalid(&format!("the hash of `{user}` is not bcrypt (write it with `htpasswd -B`)")))
            }
        }
    });
    let users = users.collect::<io::Result<HashMap<_, _>>>()?;
    if users.is_empty() { Err(invalid("it has no user")) } else { Ok(users) }
}

fn read_rights(path: &Path, users: &HashMap<String, String>) -> io::Result<Rights> {
    let rights: Rights = serde_json::from_slice(&fs::read(path)?).map_err(|e| invalid(&e.to_string()))?;
    if let Some(user) = rights.users().find(|user| !users.contains_key(*user)) {
        return Err(invalid(&format!("`{user}` has rights but no password")));
    }
    Ok(rights)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

const KNOWN_FOR: Duration = Duration::from_secs(60);
const MAX_KNOWN: usize = 1_024;
/// Of a random password that nobody knows, with the usual cost.
const NOBODYS_HASH: &str = "$2b$10$abcdefghijklmnopqrstuuu7Gdcv9BTV2ZO8bDQZ4c6bGpLwmgXFq";
const PARALLEL_CHECKS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nobody_is_checked_like_any_other() {
        assert!(!bcrypt::non_truncating_verify("guess", NOBODYS_HASH).unwrap());
    }

    #[test]
    fn a_file_without_bcrypt_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("htpasswd");
        for text in ["", "user", "user:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "anonymous:x"] {
            fs::write(&path, text).unwrap();
            assert!(read_htpasswd(&path).is_err(), "{text}");
        }
    }

    #[test]
    fn rights_of_a_user_without_a_password_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rights.json");
        fs::write(&path, r#"{"rules":[{"users":["gone"],"repositories":["*"],"rights":["push"]}]}"#).unwrap();
        assert!(read_rights(&path, &HashMap::new()).is_err());
    }
}
