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

use super::rights::{ANONYMOUS, Rights};
use crate::stamp::{Stamp, stamp};

/// Where users and their rights are written. A change is taken over within seconds; one that cannot be
/// read is not, and those read before stay.
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
    /// Reads the files.
    pub(super) fn from_files(files: &AuthFiles) -> io::Result<Self> {
        let seen = Mutex::new(stamps(files));
        let current = RwLock::new(Arc::new(Known::read(files)?));
        Ok(Self { files: files.clone(), current, seen, checks: Semaphore::new(PARALLEL_CHECKS) })
    }

    /// Reads the files again if they changed; whether they did.
    pub(super) fn follow(&self) -> io::Result<bool> {
        let found = stamps(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == found {
            return Ok(false);
        }
        *seen = found;
        let known = Arc::new(Known::read(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(true)
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
        let (hashes, user) = (Arc::clone(&known), user.to_owned());
        let right = tokio::task::spawn_blocking(move || hashes.verify(&user, password));
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
    hashes: HashMap<String, Hash>,
    /// The dearest cost of them all.
    dearest: u32,
    rights: Arc<Rights>,
    passed: Passed,
}

impl Known {
    fn read(files: &AuthFiles) -> io::Result<Self> {
        let hashes = read_htpasswd(&files.htpasswd)?;
        let rights = match &files.rights {
            Some(path) => read_rights(path, &hashes)?,
            None => Rights::all_users(),
        };
        let dearest = hashes.values().map(|hash| hash.cost).max().unwrap_or(bcrypt::DEFAULT_COST);
        Ok(Self { hashes, dearest, rights: Arc::new(rights), passed: Passed::new(PASSED_FOR) })
    }

    fn verify(&self, user: &str, password: String) -> bool {
        let is_of = |hash: &Hash| bcrypt::non_truncating_verify(&password, &hash.text).unwrap_or(false);
        if self.hashes.get(user).is_some_and(is_of) {
            return true;
        }
        for hash in self.makeweights(user) {
            is_of(&hash);
        }
        false
    }

    /// What else is computed before a refusal, so that every one takes as long, whoever the user is: one more step of
    /// cost is twice the work, so all the steps from a hash's own up to the dearest make up what it lacks.
    fn makeweights(&self, user: &str) -> Vec<Hash> {
        match self.hashes.get(user) {
            None => vec![Hash::of_nobody(self.dearest)],
            Some(hash) => (hash.cost..self.dearest).map(Hash::of_nobody).collect(),
        }
    }
}

/// A bcrypt hash.
struct Hash {
    text: String,
    /// The logarithm of its work.
    cost: u32,
}

impl Hash {
    fn parse(text: &str) -> Option<Self> {
        let cost = text.parse::<bcrypt::HashParts>().ok()?.get_cost();
        Some(Self { text: text.to_owned(), cost })
    }

    /// Of a random password that nobody knows.
    fn of_nobody(cost: u32) -> Self {
        Self { text: format!("$2b${cost:02}{NOBODYS_HASH}"), cost }
    }
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

fn read_htpasswd(path: &Path) -> io::Result<HashMap<String, Hash>> {
    let text = fs::read_to_string(path)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let users = lines.map(|line| {
        let (user, hash) = line.split_once(':').ok_or_else(|| invalid("a line is not `user:hash`"))?;
        if user == ANONYMOUS || user == "*" || user.is_empty() {
            return Err(invalid(&format!("`{user}` cannot be a user")));
        }
        match Hash::parse(hash) {
            Some(hash) => Ok((user.to_owned(), hash)),
            None => {
                Err(invalid(&format!("the hash of `{user}` is not bcrypt (write it with `htpasswd -B`)")))
            }
        }
    });
    let users = users.collect::<io::Result<HashMap<_, _>>>()?;
    if users.is_empty() { Err(invalid("it has no user")) } else { Ok(users) }
}

fn read_rights(path: &Path, users: &HashMap<String, Hash>) -> io::Result<Rights> {
    let rights: Rights = serde_json::from_slice(&fs::read(path)?).map_err(|e| invalid(&e.to_string()))?;
    if let Some(user) = rights.users().find(|user| !users.contains_key(*user)) {
        return Err(invalid(&format!("`{user}` has rights but no password")));
    }
    Ok(rights)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

const MAX_PASSED: usize = 1_024;
/// Salt and hash, after the cost.
const NOBODYS_HASH: &str = "$abcdefghijklmnopqrstuuu7Gdcv9BTV2ZO8bDQZ4c6bGpLwmgXFq";
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
    fn the_hash_of_nobody_is_checked_like_any_other() {
        for cost in [4, 5] {
            let hash = Hash::of_nobody(cost);
            assert!(!bcrypt::non_truncating_verify("guess", &hash.text).unwrap());
            assert_eq!(Hash::parse(&hash.text).unwrap().cost, cost);
        }
    }

    /// A user's name had shown in the time of the answer, where passwords had another cost than the usual one.
    #[test]
    fn a_refusal_costs_the_same_whoever_the_user_is() {
        let dir = tempfile::tempdir().unwrap();
        let htpasswd = dir.path().join("htpasswd");
        let line = |user: &str, cost| format!("{user}:{}\n", bcrypt::hash("password", cost).unwrap());
        fs::write(&htpasswd, line("cheap", 4) + &line("dear", 7)).unwrap();
        let known = Known::read(&AuthFiles { htpasswd, rights: None }).unwrap();
        let work = |user: &str| {
            let own = known.hashes.get(user).map(|hash| hash.cost);
            let more = known.makeweights(user).into_iter().map(|hash| hash.cost);
            own.into_iter().chain(more).map(|cost| 1_u64 << cost).sum::<u64>()
        };
        for user in ["cheap", "dear", "nobody"] {
            assert_eq!(work(user), 1 << 7, "{user}");
            assert!(!known.verify(user, "guess".to_owned()), "{user}");
        }
        assert!(known.verify("cheap", "password".to_owned()));
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
    async fn a_changed_file_is_taken_over_and_an_unusable_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let of = files(dir.path(), "old");
        let users = Users::from_files(&of).unwrap();
        let check = async |password: &str| users.check("u", password.to_owned()).await;
        assert!(check("old").await && !users.follow().unwrap());
        fs::write(&of.htpasswd, "nonsense, and longer than what was there before, which has 62 bytes")
            .unwrap();
        assert!(users.follow().is_err() && check("old").await);
        assert!(!users.follow().unwrap(), "reported once");
        fs::write(&of.htpasswd, format!("u:{}\n#\n", bcrypt::hash("new", 4).unwrap())).unwrap();
        assert!(users.follow().unwrap() && check("new").await);
        assert!(!check("old").await, "not even if it was right a moment ago");
    }
}
