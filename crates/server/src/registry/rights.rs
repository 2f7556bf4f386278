//! Who may do what in which repository.

use serde::Deserialize;
use signet_store::RepositoryName;

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Someone who did not say who they are.
    Anonymous,
    /// A user of the htpasswd file, who gave the right password.
    User(String),
}

/// What one may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Right {
    /// Read.
    Pull,
    /// Write and delete. It does not include reading.
    Push,
}

/// The rights file. What no rule grants is denied.
///
/// ```json
/// {"rules": [
///   {"users": ["ci"], "repositories": ["team/app"], "rights": ["pull", "push"]},
///   {"users": ["*"],  "repositories": ["*"],        "rights": ["pull"]},
///   {"users": ["anonymous"], "repositories": ["public"], "rights": ["pull"]}
/// ]}
/// ```
/// `*` among the users is every user with a password, `anonymous` is everyone. A repository stands
/// for itself and for all below it: `team` for `team/app`, not for `teams`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rights {
    rules: Vec<Rule>,
}

impl Rights {
    /// Every user may do everything.
    pub(super) fn all_users() -> Self {
        let everything = vec!["*".to_owned()];
        let rights = vec![Right::Pull, Right::Push];
        Self { rules: vec![Rule { users: everything.clone(), repositories: everything, rights }] }
    }

    pub(super) fn allow(&self, principal: &Principal, repository: &RepositoryName, right: Right) -> bool {
        self.rules.iter().any(|rule| {
            rule.rights.contains(&right)
                && rule.users.iter().any(|user| stands_for(user, principal))
                && rule.repositories.iter().any(|prefix| covers(prefix, repository.as_str()))
        })
    }

    /// Whether anybody, now or once they are a user, may pull where they may not push.
    pub(super) fn let_somebody_only_pull(&self) -> bool {
        let grants = |right| self.rules.iter().filter(move |rule| rule.rights.contains(&right));
        grants(Right::Pull).any(|pull| {
            pull.users.iter().any(|user| {
                pull.repositories
                    .iter()
                    .any(|place| !grants(Right::Push).any(|push| push.includes(user, place)))
            })
        })
    }

    /// The users that the rules name.
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        let named = self.rules.iter().flat_map(|rule| &rule.users).map(String::as_str);
        named.filter(|user| *user != EVERY && *user != ANONYMOUS)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    users: Vec<String>,
    repositories: Vec<String>,
    rights: Vec<Right>,
}

impl Rule {
    /// Whether the rule is about all that another is which names this user and this repository.
    fn includes(&self, user: &str, repository: &str) -> bool {
        let has_user =
            |named: &String| named == user || named == ANONYMOUS || (named == EVERY && user != ANONYMOUS);
        self.users.iter().any(has_user) && self.repositories.iter().any(|prefix| covers(prefix, repository))
    }
}

fn stands_for(user: &str, principal: &Principal) -> bool {
    match principal {
        Principal::Anonymous => user == ANONYMOUS,
        Principal::User(name) => user == EVERY || user == ANONYMOUS || user == name,
    }
}

fn covers(prefix: &str, repository: &str) -> bool {
    let rest = repository.strip_prefix(prefix.trim_end_matches('/'));
    prefix == EVERY || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) const ANONYMOUS: &str = "anonymous";
const EVERY: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"rules": [
        {"users": ["ci"], "repositories": ["team/app"], "rights": ["pull", "push"]},
        {"users": ["*"], "repositories": ["team"], "rights": ["pull"]},
        {"users": ["anonymous"], "repositories": ["public/"], "rights": ["pull"]}
    ]}"#;

    #[test]
    fn what_no_rule_grants_is_denied() {
        let rights: Rights = serde_json::from_str(FILE).unwrap();
        let allow = |user: &Principal, name: &str, right| rights.allow(user, &name.parse().unwrap(), right);
        let ci = Principal::User("ci".to_owned());
        let other = Principal::User("other".to_owned());
        assert!(allow(&ci, "team/app", Right::Push));
        assert!(allow(&ci, "team/app/base", Right::Push));
        assert!(!allow(&ci, "team/apple", Right::Push));
        assert!(allow(&other, "team/app", Right::Pull));
        assert!(!allow(&other, "team/app", Right::Push));
        assert!(!allow(&other, "teams", Right::Pull));
        assert!(!allow(&Principal::Anonymous, "team/app", Right::Pull));
        assert!(allow(&Principal::Anonymous, "public/x", Right::Pull));
        assert!(allow(&other, "public", Right::Pull));
        assert!(!allow(&Principal::Anonymous, "publicity", Right::Pull));
    }

    #[test]
    fn somebody_only_pulls_where_no_push_right_is_as_wide() {
        let only_pull = |text: &str| serde_json::from_str::<Rights>(text).unwrap().let_somebody_only_pull();
        let rules = |pull: (&str, &str), push: (&str, &str)| {
            format!(
                r#"{{"rules": [{{"users": ["{}"], "repositories": ["{}"], "rights": ["pull"]}},
                    {{"users": ["{}"], "repositories": ["{}"], "rights": ["push"]}}]}}"#,
                pull.0, pull.1, push.0, push.1
            )
        };
        assert!(only_pull(FILE));
        for push in [("anonymous", "team"), ("*", "team"), ("dev", "*"), ("dev", "team/"), ("anonymous", "*")]
        {
            assert!(!only_pull(&rules(("dev", "team/app"), push)), "{push:?}");
        }
        for push in [("dev", "team/app/base"), ("dev", "teams"), ("ci", "*")] {
            assert!(only_pull(&rules(("dev", "team/app"), push)), "{push:?}");
        }
        assert!(!only_pull(&rules(("anonymous", "*"), ("anonymous", "*"))));
        assert!(only_pull(&rules(("anonymous", "*"), ("*", "*"))), "who does not log in");
        assert!(only_pull(&rules(("*", "*"), ("anonymous", "public"))));
        assert!(!only_pull(r#"{"rules": []}"#), "nobody pulls");
    }

    #[test]
    fn a_rights_file_with_a_misspelt_field_is_refused() {
        assert!(serde_json::from_str::<Rights>(r#"{"rules": [], "rule": []}"#).is_err());
    }
}
