//! The trust root that is pinned on this machine.

use std::env;
use std::path::{Path, PathBuf};

use signet_formats::time;
use signet_services::trust::{Failure, FollowError, Home, HomeError, Outage, Patience, SIGNING_CONFIG};
use signet_verify::{Code, TrustSnapshot};

use crate::clock;
use crate::error::{CliError, Status, Stop};
use crate::face::Face;
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

/// Where trust is pinned for all commands, if it is. A directory that was named is not passed over.
pub(crate) fn standard() -> Result<Option<Home>, CliError> {
    let named = from_environment();
    if named.is_none() && user_dir().is_none() {
        return Ok(None);
    }
    let home = home(named.as_deref())?;
    match home.is_pinned()? {
        true => Ok(Some(home)),
        false if named.is_none() => Ok(None),
        false => Err(FollowError::NotPinned { store: home.path().display().to_string() }.into()),
    }
}

/// What the pinned root leads to now, from what is stored here.
pub(crate) fn trusted_root(home: &Home) -> Result<TrustSnapshot, CliError> {
    let bytes = home.current(clock::now())?.trusted_root.ok_or_else(|| {
        CliError::new(Code::TrustMissing, "the pinned trust has no target `trusted_root.json`")
    })?;
    TrustSnapshot::from_trusted_root(&bytes)
        .map_err(|error| CliError::new(Code::TrustRootInvalid, error.to_string()))
}

/// The services to sign with that the pinned root leads to.
pub(crate) fn signing_config(home: &Home) -> Result<Vec<u8>, CliError> {
    home.current(clock::now())?.signing_config.ok_or_else(|| {
        let detail = format!("the pinned trust has no target `{SIGNING_CONFIG}`");
        CliError::new(Code::SigningUnconfigured, detail)
    })
}

/// Brings what is pinned up to date before it is used, where that is due.
pub(crate) fn refresh(home: &Home, face: Face) -> Result<(), CliError> {
    let refreshed = block_on(async {
        let outage = home.refresh(&fetch(home), Patience::default(), clock::now()).await?;
        outage.map_or(Ok(()), |outage| face.note(&format!("note: {}", told(&outage))))?;
        Ok(Status::Yes)
    });
    match refreshed {
        Err(Stop::Interrupted(status)) => Err(CliError::interrupted(status)),
        Err(Stop::Error(error)) => Err(*error),
        // A note that nobody reads changes nothing.
        Ok(_) | Err(Stop::BrokenPipe) => Ok(()),
    }
}

/// What the pinned root leads to after its repository has been followed, however short ago that was.
pub(crate) async fn renewed(home: &Home) -> Result<TrustSnapshot, CliError> {
    home.update(&fetch(home), clock::now()).await?;
    trusted_root(home)
}

/// What gets files of the repository that is followed.
pub(crate) fn fetch(home: &Home) -> HttpFetch {
    HttpFetch::trusting(home.authorities())
}

/// What people have to know of an outage.
pub(crate) fn told(Outage { failure, until }: &Outage) -> String {
    format!("{}; what is pinned serves until {}", failed(failure), moment(*until))
}

/// What came of asking the repository.
pub(crate) fn failed(Failure { since, why, .. }: &Failure) -> String {
    format!("nothing was had from the repository of trust since {} ({why})", moment(*since))
}

fn moment(at: i64) -> String {
    time::format(at).unwrap_or_else(|_| at.to_string())
}

fn from_environment() -> Option<PathBuf> {
    env::var_os("SIGNET_TRUST_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from)
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
            HomeError::Stale { .. } => Self::new(Code::TrustUnreachable, text),
            HomeError::Unreadable { .. } => Self::new(Code::FileUnreadable, text),
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
