//! The trust root that is pinned on this machine.

use std::env;
use std::path::{Path, PathBuf};

use signet_services::trust::{Home, HomeError, SIGNING_CONFIG};
use signet_verify::{Code, TrustSnapshot};

use crate::clock;
use crate::error::{CliError, Status, Stop};
use crate::runtime::block_on;
use crate::trust_fetch::HttpFetch;

/// The directory of pinned trust: the one given, or that of the user.
pub(crate) fn home(given: Option<&Path>) -> Result<Home, CliError> {
    let dir = given.map(Path::to_owned).or_else(user_dir).ok_or_else(|| {
        CliError::new(Code::UsageInvalid, "there is no home directory for pinned trust")
            .hint("name a directory with `--trust-dir` or `SIGNET_TRUST_DIR`")
    })?;
    Home::new(&dir).map_err(|error| CliError::unwritable(&dir, &error))
}

/// What gets files of trust repositories.
pub(crate) fn fetch() -> HttpFetch {
    HttpFetch::new()
}

/// Whether this user has a pinned root.
pub(crate) fn is_there() -> bool {
    standard().is_some_and(|home| home.is_pinned())
}

/// What the pinned root leads to now, from what is stored here.
pub(crate) fn trusted_root() -> Result<TrustSnapshot, CliError> {
    let home = home(from_environment().as_deref())?;
    let current = home.current(clock::now())?;
    let bytes = current.trusted_root.ok_or_else(|| {
        CliError::new(Code::TrustMissing, "the pinned trust has no target `trusted_root.json`")
    })?;
    TrustSnapshot::from_trusted_root(&bytes)
        .map_err(|error| CliError::new(Code::TrustRootInvalid, error.to_string()))
}

/// The services to sign with that the pinned root leads to.
pub(crate) fn signing_config() -> Result<Vec<u8>, CliError> {
    let current = home(from_environment().as_deref())?.current(clock::now())?;
    current.signing_config.ok_or_else(|| {
        let detail = format!("the pinned trust has no target `{SIGNING_CONFIG}`");
        CliError::new(Code::SigningUnconfigured, detail)
    })
}

/// Follows the pinned root's repository if that was long ago or what is stored has expired. Where the repository
/// cannot be reached, what is stored serves as long as it may be used.
pub(crate) fn refresh() -> Result<(), CliError> {
    let Some(home) = standard().filter(Home::is_pinned) else { return Ok(()) };
    let (source, now) = (home.source()?, clock::now());
    let recent = source.updated.is_some_and(|at| (0..REFRESH_AFTER).contains(&(now - at)));
    let usable = home.current(now).is_ok();
    if source.url.is_none() || (recent && usable) {
        return Ok(());
    }
    let updated = block_on(async {
        home.update(&fetch(), now).await?;
        Ok(Status::Yes)
    });
    match updated {
        Err(Stop::Interrupted(status)) => Err(CliError::interrupted(status)),
        Err(Stop::Error(error)) if !usable || is_refusal(error.code) => Err(*error),
        _ => Ok(()),
    }
}

/// What the pinned root leads to after its repository has been followed, however short ago that was.
pub(crate) async fn renewed() -> Result<TrustSnapshot, CliError> {
    home(from_environment().as_deref())?.update(&fetch(), clock::now()).await?;
    trusted_root()
}

/// Whether the repository answered, with something that is not to be believed: that is not passed over.
fn is_refusal(code: Code) -> bool {
    matches!(code, Code::TrustSignatures | Code::TrustRollback | Code::TrustMismatch | Code::TrustMalformed)
}

/// Where trust is pinned for all commands, whether it is or not.
pub(crate) fn standard() -> Option<Home> {
    home(from_environment().as_deref()).ok()
}

fn from_environment() -> Option<PathBuf> {
    env::var_os("SIGNET_TRUST_DIR").map(PathBuf::from)
}

/// As the XDG Base Directory specification has it; on Windows the local application data.
fn user_dir() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").filter(|dir| dir.is_absolute());
    let data = data.or_else(|| set("HOME").map(|home| home.join(".local/share")));
    data.or_else(|| set("LOCALAPPDATA")).map(|dir| dir.join("signet/trust"))
}

impl From<HomeError> for CliError {
    fn from(error: HomeError) -> Self {
        let text = error.to_string();
        match error {
            HomeError::Client(error) => error.into(),
            HomeError::Dir(error) => error.into(),
            HomeError::Empty { .. } => Self::new(Code::TrustMissing, text)
                .hint("run `signet trust update`, or `signet trust import` with a bundle"),
            HomeError::Io(_) => Self::new(Code::FileUnwritable, text),
            HomeError::NoRepository => Self::new(Code::UsageInvalid, text)
                .hint("`signet trust import` takes newer trust from a bundle"),
            HomeError::Pinned { .. } => Self::new(Code::WouldOverwrite, text)
                .hint("to trust another root, or another repository, choose another `--trust-dir`, or remove the directory"),
            HomeError::Bundle(_) | HomeError::Form(_) | HomeError::NoRoot => {
                Self::new(Code::TrustMalformed, text)
            }
            _ => Self::new(Code::DataCorrupt, text),
        }
    }
}

/// A day, as Sigstore's clients have it.
const REFRESH_AFTER: i64 = 24 * 3_600;
