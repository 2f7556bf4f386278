//! Tokens that stand ready where a program runs: in CI, in a cloud, in a cluster.

mod circleci;
mod http;
mod spiffe;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::Token;
use crate::web::Web;
use crate::{Error, Result};

/// A place that may have a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambient {
    /// `SIGSTORE_ID_TOKEN`, which is also how GitLab gives one (`id_tokens` of a job).
    Environment,
    /// GitHub Actions, for a job with `id-token: write`.
    GitHubActions,
    /// The API of Buildkite's agent.
    Buildkite,
    /// CircleCI's own command in a job.
    CircleCi,
    /// The file where Kubernetes projects a service account's token for Sigstore.
    Filesystem,
    /// The SPIFFE Workload API, a socket on this machine.
    Spiffe,
    /// The metadata server of a machine in Google's cloud.
    Google,
}

impl Ambient {
    /// All of them, in the order in which they are asked: what was set up for this purpose comes first.
    pub const ALL: [Self; 7] = [
        Self::Environment,
        Self::GitHubActions,
        Self::Buildkite,
        Self::CircleCi,
        Self::Filesystem,
        Self::Spiffe,
        Self::Google,
    ];

    /// The name on the command line, cosign's where it has one.
    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::GitHubActions => "github-actions",
            Self::Buildkite => "buildkite-agent",
            Self::CircleCi => "circleci",
            Self::Filesystem => "filesystem",
            Self::Spiffe => "spiffe",
            Self::Google => "google",
        }
    }

    /// Whether there is any sign of it here.
    fn is_here(self, here: &Surroundings) -> bool {
        match self {
            Self::Environment => here.variable(TOKEN).is_some(),
            Self::GitHubActions => here.variable("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            Self::Buildkite => here.variable("BUILDKITE").is_some_and(|value| value == "true"),
            Self::CircleCi => here.variable("CIRCLECI").is_some_and(|value| value == "true"),
            Self::Filesystem => here.path(TOKEN_FILE).exists(),
            Self::Spiffe => here.variable(spiffe::SOCKET).is_some(),
            Self::Google => here.is_google(),
        }
    }

    /// In a box, so that it is compiled here once and not again by everyone who asks.
    fn token<'a>(
        self,
        web: &'a Web,
        here: &'a Surroundings,
        audience: &'a str,
    ) -> BoxFuture<'a, Result<Token>> {
        Box::pin(self.asked(web, here, audience))
    }

    async fn asked(self, web: &Web, here: &Surroundings, audience: &str) -> Result<Token> {
        match self {
            Self::Environment => {
                let none = || Error::no_token(TOKEN, "it is not set");
                Token::read(&format!("`{TOKEN}`"), &here.variable(TOKEN).ok_or_else(none)?)
            }
            Self::GitHubActions => http::github(web, here, audience).await,
            Self::Buildkite => http::buildkite(web, here, audience).await,
            Self::CircleCi => circleci::token(web, here, audience).await,
            Self::Filesystem => file(&here.path(TOKEN_FILE)),
            Self::Spiffe => spiffe::token(web, here, audience).await,
            Self::Google => http::google(web, here, audience).await,
        }
    }
}

impl fmt::Display for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The token of the first place that shows itself, or of the one that is asked for; `None` if no place does.
/// A place that shows itself and gives no token is an error: another identity might sign otherwise.
pub async fn ambient(
    web: &Web,
    here: &Surroundings,
    audience: &str,
    only: Option<Ambient>,
) -> Result<Option<Token>> {
    let place = only.or_else(|| Ambient::ALL.into_iter().find(|place| place.is_here(here)));
    match place {
        Some(place) => place.token(web, here, audience).await.map(Some),
        None => Ok(None),
    }
}

/// Environment variables and files as this process has them, or as a test sets them.
pub struct Surroundings {
    variables: Box<Variables>,
    root: PathBuf,
}

/// The value of a variable by its name.
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok(), PathBuf::from("/"))
    }

    /// Others: absolute paths are below `root`.
    pub fn new(variables: impl Fn(&str) -> Option<String> + Send + Sync + 'static, root: PathBuf) -> Self {
        Self { variables: Box::new(variables), root }
    }

    /// A variable that is set and not empty.
    fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }

    /// A variable without which the place gives no token.
    fn required(&self, place: Ambient, name: &str, hint: &str) -> Result<String> {
        self.variable(name).ok_or_else(|| Error::no_token(place.name(), format!("`{name}` is not set{hint}")))
    }

    fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    fn is_google(&self) -> bool {
        let product = || std::fs::read_to_string(self.path("/sys/class/dmi/id/product_name"));
        self.variable(http::METADATA_HOST).is_some()
            || product().is_ok_and(|name| name.trim().starts_with("Google"))
    }
}

/// A token in a file of bounded size.
fn file(path: &Path) -> Result<Token> {
    let name = format!("`{}`", path.display());
    let unreadable = |error: std::io::Error| Error::no_token(&name, error);
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_TOKEN).read_to_string(&mut text).map_err(unreadable)?;
    Token::read(&name, &text)
}

const TOKEN: &str = "SIGSTORE_ID_TOKEN";
/// cosign's `pkg/providers/filesystem`.
const TOKEN_FILE: &str = "/var/run/sigstore/cosign/oidc-token";
/// More than a token may have, which the reader then refuses.
const MAX_TOKEN: u64 = 64 * 1024;
