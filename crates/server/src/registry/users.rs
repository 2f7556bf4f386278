//! Users, their passwords and their rights, from files that are followed as they change.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use signet_crypto::{Digest, DigestAlgorithm, Hasher};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::htpasswd::Htpasswd;
use super::rights::Rights;
use crate::stamp::{Stamp, stamp};

/// Where users and their rights are written. A change is taken over within seconds: who is no longer among the users,
/// or has no line that can be read, is refused. A file that cannot be read as a whole is not taken over.
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

/// Users, their passwords' hashes and their rights.
pub(super) struct Users {
    files: AuthFiles,
    current: RwLock<Arc<Known>>,
    /// The state of the files when they were last read, also if they could not be used.
    seen: Mutex<[Stamp; 2]>,
    /// bcrypt is slow on purpose: a flood of guesses must not take every core.
    checks: Semaphore,
}

impl Users {
    /// Reads the files, which must be right in everything.
    pub(super) fn from_files(files: &AuthFiles) -> io::Result<Self> {
        let seen = Mutex::new(stamps(files));
        let (known, problems) = Known::read(files, None)?;
        if let Some(problem) = problems.first() {
            return Err(invalid(problem));
        }
        let current = RwLock::new(Arc::new(known));
        Ok(Self { files: files.clone(), current, seen, checks: Semaphore::new(PARALLEL_CHECKS) })
    }

    /// Reads the files again if they changed, and then says what is wrong with them. Who was taken out is out,
    /// whatever else is wrong.
    pub(super) fn follow(&self) -> Option<Vec<String>> {
        let found = stamps(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == found {
            return None;
        }
        *seen = found;
        let (known, problems) = match Known::read(&self.files, Some(&self.current())) {
            Ok(read) => read,
            Err(error) => return Some(vec![error.to_string()]),
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        Some(problems)
    }

    /// Who may do what.
    pub(super) fn rights(&self) -> Arc<Rights> {
        Arc::clone(&self.current().rights)
    }

    /// Whether the user has that password.
    pub(super) async fn check(&self, user: &str, password: String) -> bool {
        let known = self.current();
        let digest = known.passed.digest(user, &password);
        if known.passed.has(&digest) {
            return true;
        }
        let Ok(_permit) = self.checks.acquire().await else { return false };
        let (users, user) = (Arc::clone(&known.users), user.to_owned());
        let right = tokio::task::spawn_blocking(move || users.verify(&user, &password));
        let right = right.await.unwrap_or(false);
        if right {
            known.passed.add(digest);
        }
        right
    }

    fn current(&self) -> Arc<Known> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the files say, and who passed since they were read.
struct Known {
    users: Arc<Htpasswd>,
    rights: Arc<Rights>,
    passed: Passed,
}

impl Known {
    /// Reads the files, and what is wrong with them. One that cannot be read at all leaves what was known before.
    fn read(files: &AuthFiles, before: Option<&Self>) -> io::Result<(Self, Vec<String>)> {
        let mut problems = Vec::new();
        let users = fs::read(&files.htpasswd).map_err(|error| about(&files.htpasswd, &error)).map(|text| {
            let (users, wrong) = Htpasswd::parse(&text);
            problems.extend(wrong);
            Arc::new(users)
        });
        let users = users.or_else(|error| kept(error, before.map(|known| &known.users), &mut problems))?;
        let rights = read_rights(files.rights.as_deref()).map(Arc::new);
        let rights = rights.or_else(|error| kept(error, before.map(|known| &known.rights), &mut problems))?;
        let nobodys = rights.users().filter(|user| !users.has(user));
        problems.extend(nobodys.map(|user| format!("`{user}` has rights but no password")));
        Ok((Self { users, rights, passed: Passed::new(PASSED_FOR) }, problems))
    }
}

/// What was there before, in place of what cannot be read.
fn kept<T>(error: io::Error, before: Option<&Arc<T>>, problems: &mut Vec<String>) -> io::Result<Arc<T>> {
    let Some(before) = before else { return Err(error) };
    problems.push(format!("{error}: what was read before stays"));
    Ok(Arc::clone(before))
}

/// Passwords that were right a moment ago, as salted digests, and until when that counts.
struct Passed {
    salt: [Uuid; 2],
    counts_for: Duration,
    until: Mutex<HashMap<Digest, Instant>>,
}

impl Passed {
    fn new(counts_for: Duration) -> Self {
        let salt = [Uuid::new_v4(), Uuid::new_v4()];
        Self { salt, counts_for, until: Mutex::new(HashMap::new()) }
    }

    /// Salted with what only this process knows, so how long a lookup takes tells nothing.
    fn digest(&self, user: &str, password: &str) -> Digest {
        let mut hasher = Hasher::new(DigestAlgorithm::Sha256);
        self.salt.iter().for_each(|salt| hasher.update(salt.as_bytes()));
        // A user's name has no colon (RFC 7617, 2).
        hasher.update(format!("{user}:{password}").as_bytes());
        hasher.finish()
    }

    fn has(&self, digest: &Digest) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(digest).is_some_and(|until| Instant::now() < *until)
    }

    fn add(&self, digest: Digest) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= MAX_PASSED {
            until.clear();
        }
        until.insert(digest, Instant::now() + self.counts_for);
    }
}

/// When each file was changed last, and its size; nothing if it is not there.
fn stamps(files: &AuthFiles) -> [Stamp; 2] {
    [stamp(&files.htpasswd), files.rights.as_deref().and_then(stamp)]
}

fn read_rights(path: Option<&Path>) -> io::Result<Rights> {
    let Some(path) = path else { return Ok(Rights::all_users()) };
    let text = fs::read(path).map_err(|error| about(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| about(path, &invalid(&error.to_string())))
}

/// The same, with the file that it is about.
fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

const MAX_PASSED: usize = 1_024;
const PARALLEL_CHECKS: usize = 2;
const PASSED_FOR: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// Files with the user `u` and this password.
    fn files(dir: &Path, password: &str) -> AuthFiles {
        let htpasswd = dir.join("htpasswd");
        fs::write(&htpasswd, format!("u:{}\n", bcrypt::hash(password, 4).unwrap())).unwrap();
        AuthFiles { htpasswd, rights: None }
    }

    #[test]
    fn it_does_not_start_with_what_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rights.json");
        fs::write(&path, r#"{"rules":[{"users":["gone"],"repositories":["*"],"rights":["push"]}]}"#).unwrap();
        let of = AuthFiles { rights: Some(path), ..files(dir.path(), "password") };
        let refused = |of: &AuthFiles| Users::from_files(of).err().map(|error| error.to_string());
        assert_eq!(refused(&of).unwrap(), "`gone` has rights but no password");
        fs::write(&of.htpasswd, "").unwrap();
        assert_eq!(refused(&AuthFiles { rights: None, ..of }).unwrap(), "it has no user");
    }

    /// A user whom the rights still named, and the last of all, had gone on pushing.
    #[tokio::test]
    async fn who_was_taken_out_is_out_whatever_else_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rights.json");
        fs::write(&path, r#"{"rules":[{"users":["ci","u"],"repositories":["*"],"rights":["push"]}]}"#)
            .unwrap();
        let of = AuthFiles { rights: Some(path.clone()), ..files(dir.path(), "password") };
        let user = fs::read_to_string(&of.htpasswd).unwrap();
        let both = format!("{user}{}", user.replace("u:", "ci:"));
        fs::write(&of.htpasswd, &both).unwrap();
        let users = Users::from_files(&of).unwrap();
        let check = async |user: &str| users.check(user, "password".to_owned()).await;
        assert!(check("u").await && check("ci").await);
        fs::write(&of.htpasswd, &user).unwrap();
        assert_eq!(users.follow().unwrap(), ["`ci` has rights but no password"]);
        assert!(check("u").await && !check("ci").await);
        fs::write(&path, "{").unwrap();
        fs::write(&of.htpasswd, format!("{both}nonsense\n")).unwrap();
        assert_eq!(users.follow().unwrap().len(), 2);
        assert!(check("u").await && check("ci").await, "the others are taken");
        fs::write(&of.htpasswd, "# nobody").unwrap();
        assert!(users.follow().unwrap().contains(&"it has no user".to_owned()));
        assert!(!check("u").await && !check("ci").await);
    }

    #[tokio::test]
    async fn only_a_right_password_is_remembered_and_only_with_its_user() {
        let dir = tempfile::tempdir().unwrap();
        let users = Users::from_files(&files(dir.path(), "right")).unwrap();
        assert!(!users.check("u", "wrong".to_owned()).await && users.check("u", "right".to_owned()).await);
        let passed = &users.current().passed;
        let has = |user, password| passed.has(&passed.digest(user, password));
        assert!(has("u", "right"));
        assert!(!has("u", "wrong") && !has("v", "right") && !has("u:r", "ight"));
    }

    #[test]
    fn what_is_remembered_is_bounded_in_time_and_number() {
        let passed = Passed::new(Duration::ZERO);
        let digest = passed.digest("u", "p");
        passed.add(digest);
        assert!(!passed.has(&digest), "its time is over");
        let passed = Passed::new(PASSED_FOR);
        for i in 0..3 * MAX_PASSED {
            let digest = passed.digest("u", &i.to_string());
            passed.add(digest);
            assert!(passed.has(&digest) && passed.until.lock().unwrap().len() <= MAX_PASSED);
        }
    }

    #[tokio::test]
    async fn a_changed_file_is_taken_over_and_one_that_is_gone_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let of = files(dir.path(), "old");
        let users = Users::from_files(&of).unwrap();
        let check = async |password: &str| users.check("u", password.to_owned()).await;
        assert!(check("old").await && users.follow().is_none());
        fs::remove_file(&of.htpasswd).unwrap();
        assert_eq!(users.follow().unwrap().len(), 1);
        assert!(check("old").await && users.follow().is_none(), "reported once");
        fs::write(&of.htpasswd, format!("u:{}\n#\n", bcrypt::hash("new", 4).unwrap())).unwrap();
        assert_eq!(users.follow().unwrap(), [""; 0]);
        assert!(check("new").await);
        assert!(!check("old").await, "not even if it was right a moment ago");
    }
}
