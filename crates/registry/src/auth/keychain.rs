//! Credentials files of docker and podman, in the order that the field reads them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use signet_formats::oci::{Registry, Repository};

use super::helper;
use crate::{Error, Limits, Result};

/// What to prove to a registry.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    Anonymous,
    /// A user's name and password.
    Basic {
        /// The user.
        username: String,
        /// The password or access token.
        password: String,
    },
    /// A refresh token, to be exchanged at the token realm.
    IdentityToken(String),
    /// A bearer token, to be sent as it is.
    RegistryToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic { .. } => "Basic(…)",
            Self::IdentityToken(_) => "IdentityToken(…)",
            Self::RegistryToken(_) => "RegistryToken(…)",
        })
    }
}

/// Credentials, and where they were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The credentials.
    pub credentials: Credentials,
    /// Where they were; nowhere, if there are none or the program itself gave them.
    pub origin: Option<Origin>,
}

impl Found {
    fn nowhere(credentials: Credentials) -> Self {
        Self { credentials, origin: None }
    }
}

/// Where credentials were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An entry of a file.
    Entry {
        /// The file.
        file: PathBuf,
        /// What the entry is filed under.
        key: String,
    },
    /// A credential helper.
    Helper {
        /// The file that names it.
        file: PathBuf,
        /// The program.
        program: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry { file, key } => write!(f, "the entry `{key}` of `{}`", file.display()),
            Self::Helper { file, program } => write!(f, "`{program}`, which `{}` names", file.display()),
        }
    }
}

/// Where credentials are looked up. The first file that has an entry for the repository decides.
#[derive(Clone, Debug, Default)]
pub struct Keychain {
    files: Vec<PathBuf>,
    /// Whether somebody named them, and did not only leave them where they are looked for.
    explicit: bool,
    helpers: Option<PathBuf>,
    fixed: Option<Credentials>,
}

impl Keychain {
    /// No credentials for anybody.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// The same credentials for every registry that is asked.
    pub fn fixed(credentials: Credentials) -> Self {
        Self { fixed: Some(credentials), ..Self::default() }
    }

    /// The file that `$REGISTRY_AUTH_FILE` names and no other, as for podman and skopeo; else
    /// `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`, `$XDG_RUNTIME_DIR/containers/auth.json`, and
    /// `$XDG_CONFIG_HOME/containers/auth.json` (the order of go-containerregistry).
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// Only these files, in this order.
    pub fn of_files(files: Vec<PathBuf>) -> Self {
        Self { files, ..Self::default() }
    }

    /// The same, with the credential helpers of `directory` instead of those on `PATH`.
    pub fn with_helpers_in(self, directory: PathBuf) -> Self {
        Self { helpers: Some(directory), ..self }
    }

    /// The credentials for `repository`; a file that is there but cannot be used is an error.
    pub async fn credentials(&self, repository: &Repository, limits: &Limits) -> Result<Credentials> {
        self.find(repository, limits).await.map(|found| found.credentials)
    }

    /// The same, and where they were found.
    pub async fn find(&self, repository: &Repository, limits: &Limits) -> Result<Found> {
        if let Some(fixed) = &self.fixed {
            return Ok(Found::nowhere(fixed.clone()));
        }
        for path in &self.files {
            let file = match File::read(path, limits)? {
                Some(file) => file,
                None if self.explicit => return Err(Error::configuration(path, NAMED_AND_ABSENT)),
                None => continue,
            };
            if let Some(found) = self.look_up(&file, path, repository, limits).await? {
                return Ok(found);
            }
        }
        Ok(Found::nowhere(Credentials::Anonymous))
    }

    /// That there are no credentials, and where they were looked for.
    pub(crate) fn has_none(&self) -> String {
        let files: Vec<_> = self.files.iter().map(|file| format!("`{}`", file.display())).collect();
        match files.is_empty() {
            true => "none were given".to_owned(),
            false => format!("there are none for it in {}", files.join(", ")),
        }
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let directory = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = directory("HOME").or_else(|| directory("USERPROFILE"));
        let docker = directory("DOCKER_CONFIG").or_else(|| home.as_ref().map(|home| home.join(".docker")));
        let config = directory("XDG_CONFIG_HOME").or_else(|| home.map(|home| home.join(".config")));
        let auth_json = |directory: PathBuf| directory.join("containers").join("auth.json");
        if let Some(named) = directory("REGISTRY_AUTH_FILE") {
            return Self { explicit: true, ..Self::of_files(vec![named]) };
        }
        let files = [
            docker.map(|directory| directory.join("config.json")),
            directory("XDG_RUNTIME_DIR").map(auth_json),
            config.map(auth_json),
        ];
        Self::of_files(files.into_iter().flatten().collect())
    }

    /// A helper for the registry, else the helper for all, else the entry in the file itself.
    async fn look_up(
        &self,
        file: &File,
        path: &Path,
        repository: &Repository,
        limits: &Limits,
    ) -> Result<Option<Found>> {
        let hosts = host_keys(&repository.registry);
        let own = hosts.iter().find_map(|host| file.cred_helpers.get(host));
        let store = file.creds_store.as_ref().filter(|name| !name.is_empty());
        if let (Some(helper), Some(server)) = (own.or(store), hosts.first()) {
            let found = helper::ask(helper, self.helpers.as_deref(), server, limits).await?;
            if let Some(credentials) = found {
                let program = format!("docker-credential-{helper}");
                let origin = Some(Origin::Helper { file: path.to_owned(), program });
                return Ok(Some(Found { credentials, origin }));
            }
        }
        for key in keys(repository, &hosts) {
            for (key, entry) in file.entries(&key) {
                let found = entry.credentials().map_err(|reason| Error::configuration(path, reason))?;
                let origin = Some(Origin::Entry { file: path.to_owned(), key: key.clone() });
                if let Some(credentials) = found {
                    return Ok(Some(Found { credentials, origin }));
                }
            }
        }
        Ok(None)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct File {
    #[serde(deserialize_with = "absent_if_null")]
    auths: BTreeMap<String, Option<Entry>>,
    #[serde(deserialize_with = "absent_if_null")]
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

impl File {
    fn read(path: &Path, limits: &Limits) -> Result<Option<Self>> {
        let size = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::configuration(path, error)),
        };
        if size > limits.small_bytes as u64 {
            return Err(Error::configuration(path, "the file is too large for credentials"));
        }
        let bytes = std::fs::read(path).map_err(|error| Error::configuration(path, error))?;
        if bytes.trim_ascii().is_empty() {
            return Ok(Some(Self::default()));
        }
        // The parser's own words could quote a secret.
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| Error::configuration(path, "it is not a credentials file of docker or podman"))
    }

    /// The entries under `key`, then those where the file spells it as a URL, with the file's own spelling.
    fn entries<'a>(&'a self, key: &'a str) -> impl Iterator<Item = (&'a String, &'a Entry)> {
        let same = move |name: &str| {
            let bare = name.trim_start_matches("https://").trim_start_matches("http://");
            bare.trim_end_matches('/').trim_end_matches("/v1").trim_end_matches("/v2") == key
        };
        let spelt_otherwise = self.auths.iter().filter(move |(name, _)| *name != key && same(name));
        let entries = self.auths.get_key_value(key).into_iter().chain(spelt_otherwise);
        entries.filter_map(|(name, entry)| Some((name, entry.as_ref()?)))
    }
}

/// `null` is what Go's programs read as nothing, and write for it.
fn absent_if_null<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(value: D) -> Result<T, D::Error> {
    Option::deserialize(value).map(Option::unwrap_or_default)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    #[serde(deserialize_with = "absent_if_null")]
    auth: String,
    #[serde(deserialize_with = "absent_if_null")]
    username: String,
    #[serde(deserialize_with = "absent_if_null")]
    password: String,
    #[serde(deserialize_with = "absent_if_null")]
    identitytoken: String,
    #[serde(deserialize_with = "absent_if_null")]
    registrytoken: String,
}

impl Entry {
    /// None of an empty entry, which docker writes where a helper has the secret.
    fn credentials(&self) -> Result<Option<Credentials>, &'static str> {
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credentials::RegistryToken(self.registrytoken.clone())));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credentials::IdentityToken(self.identitytoken.clone())));
        }
        if !self.auth.is_empty() {
            return self.decoded().map(Some).ok_or("an `auth` is not base64 of `user:password`");
        }
        Ok(match self.username.is_empty() {
            true => None,
            false => {
                let (username, password) = (self.username.clone(), self.password.clone());
                Some(Credentials::Basic { username, password })
            }
        })
    }

    fn decoded(&self) -> Option<Credentials> {
        let text = String::from_utf8(STANDARD.decode(self.auth.trim()).ok()?).ok()?;
        let (username, password) = text.split_once(':')?;
        let password = password.trim_end_matches('\0').to_owned();
        Some(Credentials::Basic { username: username.to_owned(), password })
    }
}

/// The names under which a registry is filed; the first is what a helper is asked for.
fn host_keys(registry: &Registry) -> Vec<String> {
    match registry.is_docker_hub() {
        true => ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"]
            .map(str::to_owned)
            .to_vec(),
        false => vec![registry.as_str().to_owned()],
    }
}

/// The longest matching name first: repository, its namespaces, host (containers-auth.json(5)).
fn keys(repository: &Repository, hosts: &[String]) -> Vec<String> {
    let mut keys = Vec::new();
    let mut name = repository.to_string();
    while let Some((parent, _)) = name.clone().rsplit_once('/') {
        keys.push(name);
        name = parent.to_owned();
    }
    keys.extend(hosts.iter().cloned());
    keys
}

const NAMED_AND_ABSENT: &str = "`REGISTRY_AUTH_FILE` names it, and it does not exist";

#[cfg(test)]
mod tests {
    use super::*;

    async fn look_up(json: &str, repository: &str) -> Result<Credentials> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        std::fs::write(&path, json).unwrap();
        let missing = directory.path().join("absent.json");
        let keychain = Keychain::of_files(vec![missing, path]);
        keychain.credentials(&repository.parse().unwrap(), &Limits::default()).await
    }

    fn basic(username: &str, password: &str) -> Credentials {
        Credentials::Basic { username: username.into(), password: password.into() }
    }

    #[test]
    fn files_are_read_in_the_fields_order() {
        let variables = |name: &str| match name {
            "HOME" => Some("/h".into()),
            "XDG_RUNTIME_DIR" => Some("/run/u".into()),
            _ => None,
        };
        let want =
            ["/h/.docker/config.json", "/run/u/containers/auth.json", "/h/.config/containers/auth.json"];
        assert_eq!(Keychain::from_variables(variables).files, want.map(PathBuf::from));
        let set = |name: &str| (name == "DOCKER_CONFIG").then(|| "/d".into());
        assert_eq!(Keychain::from_variables(set).files, [PathBuf::from("/d/config.json")]);
    }

    #[tokio::test]
    async fn the_file_of_registry_auth_file_is_the_only_one_and_must_exist() {
        let directory = tempfile::tempdir().unwrap();
        let [docker, named] = ["config.json", "auth.json"].map(|name| directory.path().join(name));
        std::fs::write(&docker, r#"{"auths":{"r.io":{"auth":"aDpo"}}}"#).unwrap();
        let variables = |name: &str| match name {
            "DOCKER_CONFIG" => Some(directory.path().into()),
            "REGISTRY_AUTH_FILE" => Some(named.clone().into()),
            _ => None,
        };
        let find = async || {
            let keychain = Keychain::from_variables(variables);
            keychain.credentials(&"r.io/a".parse().unwrap(), &Limits::default()).await
        };
        let absent = find().await;
        assert!(matches!(absent, Err(Error::Configuration { .. })), "{absent:?}");
        for (content, credentials) in [
            (r#"{"auths":{"r.io":{"auth":"YTph"}}}"#, basic("a", "a")),
            (r#"{"auths":{}}"#, Credentials::Anonymous),
        ] {
            std::fs::write(&named, content).unwrap();
            assert_eq!(find().await, Ok(credentials), "{content}");
        }
    }

    #[tokio::test]
    async fn what_go_reads_as_nothing_is_nothing() {
        for json in [
            "",
            " \n",
            r#"{"auths":null,"credHelpers":null,"credsStore":null}"#,
            r#"{"auths":{"r.io":null}}"#,
            r#"{"auths":{"r.io":{"auth":null,"username":null,"identitytoken":null}}}"#,
        ] {
            assert_eq!(look_up(json, "r.io/x").await, Ok(Credentials::Anonymous), "{json}");
        }
    }

    #[tokio::test]
    async fn an_empty_entry_under_a_longer_name_does_not_hide_the_hosts() {
        let json = r#"{"auths":{"r.io/a":{},"r.io":{},"https://r.io/v2/":{"auth":"aDpo"}}}"#;
        assert_eq!(look_up(json, "r.io/a/b").await, Ok(basic("h", "h")));
    }

    #[tokio::test]
    async fn the_longest_name_wins() {
        let json =
            r#"{"auths":{"r.io":{"auth":"aDpo"},"r.io/a":{"auth":"YTph"},"r.io/a/b":{"auth":"Yjpi"}}}"#;
        assert_eq!(look_up(json, "r.io/a/b").await, Ok(basic("b", "b")));
        assert_eq!(look_up(json, "r.io/a/c").await, Ok(basic("a", "a")));
        assert_eq!(look_up(json, "r.io/x").await, Ok(basic("h", "h")));
        assert_eq!(look_up(json, "r.io.evil.com/x").await, Ok(Credentials::Anonymous));
    }

    #[tokio::test]
    async fn docker_hub_is_filed_under_its_old_url() {
        let json = r#"{"auths":{"https://index.docker.io/v1/":{"username":"u","password":"p"}}}"#;
        assert_eq!(look_up(json, "alpine").await, Ok(basic("u", "p")));
        let json = r#"{"auths":{"https://r.io/v2/":{"identitytoken":"t"}}}"#;
        assert_eq!(look_up(json, "r.io/x").await, Ok(Credentials::IdentityToken("t".into())));
    }

    #[tokio::test]
    async fn what_is_found_says_where_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        std::fs::write(&path, r#"{"auths":{"https://r.io/":{"auth":"aDpo"},"empty.io":{}}}"#).unwrap();
        let keychain = Keychain::of_files(vec![path.clone()]);
        let find = async |repository: &str| {
            keychain.find(&repository.parse().unwrap(), &Limits::default()).await.unwrap()
        };
        let origin = Origin::Entry { file: path.clone(), key: "https://r.io/".into() };
        assert_eq!(origin.to_string(), format!("the entry `https://r.io/` of `{}`", path.display()));
        assert_eq!(find("r.io/a").await, Found { credentials: basic("h", "h"), origin: Some(origin) });
        for unknown in ["empty.io/a", "other.io/a"] {
            assert_eq!(find(unknown).await, Found::nowhere(Credentials::Anonymous), "{unknown}");
        }
        let fixed = Keychain::fixed(basic("u", "p"));
        let found = fixed.find(&"r.io/a".parse().unwrap(), &Limits::default()).await;
        assert_eq!(found, Ok(Found::nowhere(basic("u", "p"))));
    }

    #[tokio::test]
    async fn a_broken_file_is_not_anonymous() {
        for json in
            ["{", r#"{"auths":{"r.io":{"auth":"!!"}}}"#, r#"{"auths":{"r.io":{"auth":"bm9jb2xvbg=="}}}"#]
        {
            let outcome = look_up(json, "r.io/x").await;
            assert!(matches!(outcome, Err(Error::Configuration { .. })), "{json}: {outcome:?}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(format!("{:?}", basic("user", "hunter2")), "Basic(…)");
    }
}
