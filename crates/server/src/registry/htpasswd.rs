//! Users and the bcrypt hashes of their passwords, as `htpasswd -B` writes them.

use std::collections::{HashMap, HashSet};

use super::rights::ANONYMOUS;

/// The users of a file.
pub(super) struct Htpasswd {
    users: HashMap<String, Hash>,
    /// The dearest cost of them all.
    dearest: u32,
}

impl Htpasswd {
    /// Reads lines of `user:hash`, and what is wrong with the file. A line that cannot be read gives nobody a
    /// password, nor do two of one user: some readers take the first, others the last.
    pub(super) fn parse(text: &[u8]) -> (Self, Vec<String>) {
        let (mut users, mut doubled, mut problems) = (HashMap::new(), HashSet::new(), Vec::new());
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with(b"#")) {
            match parse_line(line) {
                Ok((user, hash)) => {
                    if users.insert(user.to_owned(), hash).is_some() {
                        doubled.insert(user.to_owned());
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        for user in doubled {
            users.remove(&user);
            problems.push(format!("`{user}` has two lines"));
        }
        if users.is_empty() {
            problems.push("it has no user".to_owned());
        }
        let dearest = users.values().map(|hash| hash.cost).max().unwrap_or(bcrypt::DEFAULT_COST);
        (Self { users, dearest }, problems)
    }

    /// Whether there is such a user.
    pub(super) fn has(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// Whether the user has that password.
    pub(super) fn verify(&self, user: &str, password: &str) -> bool {
        let is_of = |hash: &Hash| bcrypt::non_truncating_verify(password, &hash.text).unwrap_or(false);
        if self.users.get(user).is_some_and(is_of) {
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
        match self.users.get(user) {
            None => vec![Hash::of_nobody(self.dearest)],
            Some(hash) => (hash.cost..self.dearest).map(Hash::of_nobody).collect(),
        }
    }
}

fn parse_line(line: &[u8]) -> Result<(&str, Hash), String> {
    let line = std::str::from_utf8(line).map_err(|_| "a line is not UTF-8")?;
    let (user, hash) = line.split_once(':').ok_or("a line is not `user:hash`")?;
    if user == ANONYMOUS || user == "*" || user.is_empty() {
        return Err(format!("`{user}` cannot be a user"));
    }
    let not_bcrypt = || format!("the hash of `{user}` is not bcrypt (write it with `htpasswd -B`)");
    Hash::parse(hash).map(|hash| (user, hash)).ok_or_else(not_bcrypt)
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

/// Salt and hash, after the cost.
const NOBODYS_HASH: &str = "$abcdefghijklmnopqrstuuu7Gdcv9BTV2ZO8bDQZ4c6bGpLwmgXFq";

#[cfg(test)]
mod tests {
    use super::*;

    fn line(user: &str, cost: u32) -> String {
        format!("{user}:{}\n", bcrypt::hash("password", cost).unwrap())
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
        let (known, problems) = Htpasswd::parse((line("cheap", 4) + &line("dear", 7)).as_bytes());
        assert_eq!(problems, [""; 0]);
        let work = |user: &str| {
            let own = known.users.get(user).map(|hash| hash.cost);
            let more = known.makeweights(user).into_iter().map(|hash| hash.cost);
            own.into_iter().chain(more).map(|cost| 1_u64 << cost).sum::<u64>()
        };
        for user in ["cheap", "dear", "nobody"] {
            assert_eq!(work(user), 1 << 7, "{user}");
            assert!(!known.verify(user, "guess"), "{user}");
        }
        assert!(known.verify("cheap", "password"));
    }

    #[test]
    fn what_is_no_user_is_told_and_the_others_are_taken() {
        let of = line("u", 4);
        let problem = |text: &[u8]| {
            let (known, problems) = Htpasswd::parse(&[of.as_bytes(), text].concat());
            assert!(known.has("u"));
            problems.join("; ")
        };
        assert_eq!(problem(b"\n# a comment\n \r\n"), "");
        assert_eq!(problem(b"user"), "a line is not `user:hash`");
        let of_sha1 = "the hash of `v` is not bcrypt (write it with `htpasswd -B`)";
        assert_eq!(problem(b"v:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="), of_sha1);
        assert_eq!(problem(b"anonymous:x"), "`anonymous` cannot be a user");
        assert_eq!(problem(b"\xff:x"), "a line is not UTF-8");
        assert_eq!(Htpasswd::parse(b"# nobody").1, ["it has no user"]);
    }

    /// Apache takes the first of them; the last had counted here.
    #[test]
    fn two_lines_of_one_user_give_no_password() {
        let (known, problems) = Htpasswd::parse((line("u", 4) + &line("v", 4) + &line("u", 5)).as_bytes());
        assert!(known.has("v") && !known.has("u") && !known.verify("u", "password"));
        assert_eq!(problems, ["`u` has two lines"]);
    }
}
