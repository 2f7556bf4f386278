//! How a command ends, and the one place where every crate's errors get their codes.

use std::fmt::Display;
use std::io;
use std::path::Path;

use signet_clients::Error as ClientError;
use signet_keys::{Error as KeyError, FileError, PasswordError, SignError};
use signet_registry::{Advice, Error as RegistryError};
use signet_server::exposure::{Exposure, ReachError};
use signet_server::host::HostError;
use signet_server::registry::BuildError;
use signet_server::stack::{BackupError, StackError};
use signet_services::authority::AuthorityError;
use signet_services::ca::CaError;
use signet_services::log::{HomeError, Kind, OpenError as LogOpenError, SearchError};
use signet_services::monitor::ConfigError as MonitorConfigError;
use signet_services::oidc::ConfigError;
use signet_services::oidc::dev::DevError;
use signet_services::trust::{CeremonyError, FollowError, PublisherError};
use signet_services::tsa::TsaError;
use signet_services::witness::OpenError as WitnessOpenError;
use signet_store::OpenError;
use signet_store::registry::StoreError;
use signet_verify::{Class, Code, Outcome, PolicyError, Verdict};

use crate::app::INTERRUPTED;

/// What a command returns.
pub(crate) type Answer = Result<Status, Stop>;

/// How a command that ran to its end ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// Yes. Exit status 0.
    Yes,
    /// No. Exit status 1.
    No,
    /// It could not be decided. Exit status 3.
    Undecided,
    /// A defect of Signet. Exit status 4.
    Internal,
}

impl Status {
    /// The process's exit status.
    pub(crate) fn exit_status(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => Class::Denied.exit_status(),
            Self::Undecided => Class::Undecided.exit_status(),
            Self::Internal => Class::Internal.exit_status(),
        }
    }

    /// How a verdict counts among others.
    pub(crate) fn of_verdict(verdict: &Verdict) -> Self {
        match verdict.outcome {
            Outcome::Allow => Self::Yes,
            Outcome::Deny => Self::No,
            Outcome::Undecidable => Self::Undecided,
        }
    }

    /// How something that ended with this code counts among others.
    pub(crate) fn of(code: Code) -> Self {
        match code.class() {
            Class::Denied => Self::No,
            Class::Usage | Class::Undecided => Self::Undecided,
            Class::Internal => Self::Internal,
        }
    }
}

/// Why a command did not run to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An error with its code.
    Error(Box<CliError>),
    /// Whoever read our output has gone. Nothing is said.
    BrokenPipe,
    /// Ctrl-C, or another signal that asks for the end; the status that a shell shows for it.
    Interrupted(u8),
}

impl Stop {
    /// A failure to write to standard output or error.
    pub(crate) fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => CliError::new(Code::FileUnwritable, format!("standard output: {error}")).into(),
        }
    }
}

impl<E: Into<CliError>> From<E> for Stop {
    fn from(error: E) -> Self {
        let error = error.into();
        match error.interrupted {
            Some(status) => Self::Interrupted(status),
            None => Self::Error(Box::new(error)),
        }
    }
}

/// An error as the user meets it: the code says what happened, the detail why, the hint what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CliError {
    /// The code, whose title is the headline.
    pub(crate) code: Code,
    /// What it was about, and why.
    pub(crate) detail: String,
    /// What to do about it.
    pub(crate) hint: String,
    /// Set where it is no error but a signal that asks for the end: the status that a shell shows for it.
    interrupted: Option<u8>,
}

impl CliError {
    /// An error with the hint of its code.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: code.hint().to_owned(), interrupted: None }
    }

    /// No error, but a signal that asks for the end.
    pub(crate) fn interrupted(status: u8) -> Self {
        Self { interrupted: Some(status), ..Self::internal("interrupted") }
    }

    /// The same, with a hint that knows more.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The same, where a service's configuration is meant, with the files to look into.
    #[must_use]
    pub(crate) fn looking_into<'a>(self, files: impl IntoIterator<Item = &'a Path>) -> Self {
        let files: Vec<String> = files.into_iter().map(|path| format!("`{}`", path.display())).collect();
        match self.code == Code::ConfigInvalid && !files.is_empty() {
            true => self.hint(format!("look into {}", files.join(" and "))),
            false => self,
        }
    }

    /// Something that cannot happen.
    pub(crate) fn internal(error: impl Display) -> Self {
        Self::new(Code::Internal, error.to_string())
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(path: &Path, error: impl Display) -> Self {
        let told = Self::new(Code::FileUnreadable, about(path, error));
        match path == Path::new("-") {
            true => told.hint("standard input is `/dev/stdin`"),
            false => told,
        }
    }

    /// A file that cannot be written.
    pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AlreadyExists => Self::new(Code::WouldOverwrite, about(path, "it exists")),
            _ => Self::new(Code::FileUnwritable, about(path, error)),
        }
    }

    /// A policy file that cannot be used.
    pub(crate) fn policy(path: &Path, error: &PolicyError) -> Self {
        Self::new(Code::PolicyInvalid, about(path, error))
    }
}

/// "`path`: why".
pub(crate) fn about(path: &Path, why: impl Display) -> String {
    format!("`{}`: {why}", path.display())
}

impl From<FileError> for CliError {
    fn from(error: FileError) -> Self {
        match &error.error {
            KeyError::NoPassword(PasswordError::Source(source))
                if source.kind() == io::ErrorKind::Interrupted =>
            {
                Self::interrupted(INTERRUPTED)
            }
            _ => Self::new(key_code(&error.error), error.to_string()),
        }
    }
}

fn key_code(error: &KeyError) -> Code {
    match error {
        KeyError::Unreadable(_) => Code::FileUnreadable,
        KeyError::Unwritable(_) => Code::FileUnwritable,
        KeyError::WouldOverwrite => Code::WouldOverwrite,
        KeyError::WrongPassword | KeyError::NoPassword(_) => Code::PasswordWrong,
        KeyError::Library { .. } => Code::Internal,
        _ => Code::KeyUnusable,
    }
}

impl From<SignError> for CliError {
    fn from(error: SignError) -> Self {
        let code = match error {
            SignError::UnsupportedScheme { .. } => Code::AlgorithmNotInFormat,
            SignError::NeedsMessage { .. } | SignError::WrongDigest { .. } => Code::Internal,
            _ => Code::KeyUnusable,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RegistryError> for CliError {
    fn from(error: RegistryError) -> Self {
        let told = Self::new(registry_code(&error), error.to_string());
        match (refusal(&error), &error) {
            // It is the registry's word, and not ours.
            (Some(advice), _) => {
                Self { detail: format!("{}\nthe registry advises: {}", told.detail, advice.hint), ..told }
            }
            (None, RegistryError::TagNotSet { digest, .. }) => told.hint(format!(
                "everything is there but the tag: name the image by `@{digest}`, as target, too"
            )),
            _ => told,
        }
    }
}

/// What a registry of Signet's said when its policy refused the pull. Of the codes that a registry could
/// claim this is the only one that is its to give.
fn refusal(error: &RegistryError) -> Option<&Advice> {
    match error {
        RegistryError::Forbidden { advice: Some(advice), .. } => {
            Some(advice).filter(|advice| advice.code == Code::PullDenied.to_string())
        }
        _ => None,
    }
}

/// The code of what a registry, layout or archive did not give or take.
pub(crate) fn registry_code(error: &RegistryError) -> Code {
    match error {
        RegistryError::Unreachable { .. } => Code::RegistryUnreachable,
        RegistryError::Tls { .. } => Code::TlsFailed,
        RegistryError::Unauthorized { .. } => Code::RegistryUnauthorized,
        RegistryError::Forbidden { .. } if refusal(error).is_some() => Code::PullDenied,
        RegistryError::Forbidden { .. } => Code::RegistryForbidden,
        RegistryError::NotFound { .. } | RegistryError::SeveralImages { .. } => Code::ImageNotFound,
        RegistryError::Timeout { .. } => Code::RegistryTimeout,
        RegistryError::TooLarge { .. } | RegistryError::LimitHit { .. } => Code::ResponseTooLarge,
        RegistryError::DigestMismatch { .. } | RegistryError::SizeMismatch { .. } => Code::DigestMismatch,
        RegistryError::Malformed { .. } => Code::RegistryResponseMalformed,
        RegistryError::RateLimited { .. } => Code::RegistryRateLimited,
        RegistryError::RedirectRefused { .. } => Code::RedirectRefused,
        RegistryError::RealmRefused { .. } => Code::TokenRealmRefused,
        RegistryError::PlainHttpRefused { .. } => Code::PlainHttpRefused,
        RegistryError::CredentialHelper { .. } => Code::CredentialHelperFailed,
        RegistryError::Conflict { .. } => Code::ConcurrentUpdate,
        RegistryError::TagImmutable { .. } => Code::TagImmutable,
        RegistryError::Server { .. } => Code::RegistryFailed,
        RegistryError::Refused { .. } | RegistryError::TagNotSet { .. } => Code::RegistryRefused,
        RegistryError::Configuration { .. } => Code::FileUnreadable,
        RegistryError::Io { .. } | RegistryError::Damaged { .. } => Code::LayoutUnusable,
        RegistryError::Location { .. } => Code::ReferenceInvalid,
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            ClientError::Setup(_) => Code::FileUnreadable,
            ClientError::Url { .. } | ClientError::Tls { .. } | ClientError::Redirected { .. } => {
                Code::TrustServiceUntrusted
            }
            ClientError::Unreachable { .. } | ClientError::Timeout { .. } => Code::TrustServiceUnreachable,
            ClientError::Refused { .. } => Code::TrustServiceRefused,
            ClientError::Failed { .. } => Code::TrustServiceFailed,
            ClientError::Frozen { .. } => Code::LogFrozen,
            ClientError::Malformed { .. } => Code::TrustServiceMalformed,
            ClientError::Token { .. } => Code::IdentityTokenUnusable,
            ClientError::NoToken { .. } => Code::IdentityTokenMissing,
            ClientError::Login(_) => Code::LoginFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<OpenError> for CliError {
    fn from(error: OpenError) -> Self {
        let code = match error {
            OpenError::InUse { .. } => Code::DataDirLocked,
            OpenError::Newer { .. } => Code::DataDirTooNew,
            OpenError::Foreign { .. } | OpenError::Kind { .. } => Code::DataDirForeign,
            OpenError::Malformed { .. } => Code::DataCorrupt,
            _ => Code::ServiceFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<HomeError> for CliError {
    fn from(error: HomeError) -> Self {
        match error {
            HomeError::Key(error) => error.into(),
            HomeError::Open(error) => error.into(),
            HomeError::Name { .. } => Self::new(Code::UsageInvalid, error.to_string()),
            _ => Self::new(Code::ServiceFailed, error.to_string()),
        }
    }
}

impl From<SearchError> for CliError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Open(error) => error.into(),
            error => Self::new(Code::UsageInvalid, error.to_string()),
        }
    }
}

impl From<LogOpenError> for CliError {
    fn from(error: LogOpenError) -> Self {
        let code = match error {
            LogOpenError::Dir(error) => return error.into(),
            LogOpenError::Damaged(_) => {
                return Self::new(Code::DataCorrupt, error.to_string()).hint(
                    "`signet log fsck` finds the rest; put back from a copy what is damaged or gone, never all of the log from an older one: it would sign a second history",
                );
            }
            LogOpenError::Forked { .. } | LogOpenError::WentBack { .. } => {
                return Self::new(Code::DataCorrupt, error.to_string()).hint(
                    "put back the newest copy; an older one must not go on: if there is none that is newer, begin another log, with another name",
                );
            }
            LogOpenError::OtherKind { found, .. } => {
                return Self::new(Code::DataDirForeign, error.to_string()).hint(match found {
                    Kind::Opaque => "give `--opaque`, with which it was made, or another `--data`",
                    Kind::HashedRekord => {
                        "leave out `--opaque`, without which it was made, or give another `--data`"
                    }
                });
            }
            LogOpenError::WrongKey { .. } | LogOpenError::WrongOrigin { .. } => Code::DataDirForeign,
            LogOpenError::NoEntry { .. } => Code::UsageInvalid,
            LogOpenError::PolicyOfOthers { .. } | LogOpenError::Witnessed => Code::ConfigInvalid,
            _ => Code::ServiceFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<WitnessOpenError> for CliError {
    fn from(error: WitnessOpenError) -> Self {
        let code = match error {
            WitnessOpenError::Dir(error) => return error.into(),
            WitnessOpenError::Key(error) => return error.into(),
            WitnessOpenError::Damaged { .. } => {
                return Self::new(Code::DataCorrupt, error.to_string()).hint(
                    "put it back as it was last; from an older copy it would cosign a second history: without it, begin another witness, with another key",
                );
            }
            WitnessOpenError::Other { .. } => Code::DataDirForeign,
            WitnessOpenError::Name { .. } | WitnessOpenError::LogKey(_) => Code::UsageInvalid,
            _ => Code::ServiceFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Corrupt(_) => Code::DataCorrupt,
            StoreError::CollectionRunning => Code::DataDirLocked,
            _ => Code::ServiceFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<BuildError> for CliError {
    fn from(error: BuildError) -> Self {
        let code = match error {
            BuildError::Store(error) => return error.into(),
            BuildError::OpenToTheNetwork { .. } => Code::ListenRefused,
            BuildError::PasswordsInTheClear { .. } => {
                return Self::new(Code::UsageInvalid, error.to_string()).hint(
                    "give `--tls-cert` and `--tls-key`, or say with `--allow-http` that something before it speaks HTTPS",
                );
            }
            BuildError::GateWithoutRights => Code::UsageInvalid,
            BuildError::Auth(_) => Code::ConfigInvalid,
            BuildError::Host(error @ HostError::Listen { .. }) => {
                return Self::from(error)
                    .hint("choose another address with `--listen`; port 0 takes a free one");
            }
            BuildError::Host(error) => return error.into(),
            _ => Code::ServiceFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<HostError> for CliError {
    fn from(error: HostError) -> Self {
        let code = match error {
            HostError::Tls(_) => Code::ConfigInvalid,
            _ => Code::ServiceFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<AuthorityError> for CliError {
    fn from(error: AuthorityError) -> Self {
        let code = match error {
            AuthorityError::KeyFile(error) => return error.into(),
            AuthorityError::Sign(error) => return error.into(),
            AuthorityError::Given => {
                return Self::new(Code::UsageInvalid, error.to_string()).hint(
                    "give `--key` and `--certificate-chain` (of a stack `key` and `certificateChain`), or begin in a directory of its own",
                );
            }
            AuthorityError::Io { .. } => Code::ServiceFailed,
            AuthorityError::Mode { .. } => {
                return Self::new(Code::DataDirForeign, error.to_string()).hint(OTHER_MODE);
            }
            AuthorityError::Lost { .. } => Code::DataCorrupt,
            AuthorityError::DevelopmentGiven => {
                return Self::new(Code::ConfigInvalid, error.to_string())
                    .hint("leave `--dev` out, or the key and its certificates");
            }
            _ => Code::ConfigInvalid,
        };
        Self::new(code, error.to_string())
    }
}

impl From<FollowError> for CliError {
    fn from(error: FollowError) -> Self {
        let code = match &error {
            FollowError::Io(_) => Code::FileUnwritable,
            FollowError::NotPinned { .. } => Code::TrustNotPinned,
            FollowError::Refused(refusal) => refusal.code(),
            FollowError::Unreachable { .. } => Code::TrustUnreachable,
            FollowError::NoTarget { .. } => Code::TrustMissing,
            FollowError::OtherTarget { .. } => Code::TrustMismatch,
            _ => Code::TrustMalformed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<CeremonyError> for CliError {
    fn from(error: CeremonyError) -> Self {
        let code = match &error {
            CeremonyError::Refused(refusal) => refusal.code(),
            CeremonyError::Form(_) | CeremonyError::UnknownKey(_) => Code::TrustMalformed,
            CeremonyError::Version { .. } => Code::TrustMismatch,
            CeremonyError::Algorithm(_) | CeremonyError::NotASigner(_) => Code::KeyUnusable,
            CeremonyError::Sign(_) => Code::KeyUnusable,
            _ => Code::UsageInvalid,
        };
        Self::new(code, error.to_string())
    }
}

impl From<PublisherError> for CliError {
    fn from(error: PublisherError) -> Self {
        let code = match error {
            PublisherError::Ceremony(error) => return error.into(),
            PublisherError::Dir(error) => return error.into(),
            PublisherError::KeyFile(error) => return error.into(),
            PublisherError::Refused(ref refusal) => refusal.code(),
            PublisherError::Staged { .. } => {
                return Self::new(Code::WouldOverwrite, error.to_string()).hint(
                    "have it signed and publish it with `signet trust publish`, or give it up with `--replace`",
                );
            }
            PublisherError::Expired => Code::TrustExpired,
            PublisherError::Form(_) => Code::DataCorrupt,
            PublisherError::NoRoot | PublisherError::NoOnlineKey => Code::TrustMissing,
            _ => Code::ServiceFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<TsaError> for CliError {
    fn from(error: TsaError) -> Self {
        let code = match error {
            TsaError::Authority(error) => return error.into(),
            TsaError::Dir(error) => return error.into(),
            TsaError::Serials { .. } => {
                return Self::new(Code::DataCorrupt, error.to_string()).hint(
                    "restore the file from a backup; or give an empty `--data`, which has numbers of its own, also with the same `--key`",
                );
            }
            _ => Code::ConfigInvalid,
        };
        Self::new(code, error.to_string())
    }
}

impl From<CaError> for CliError {
    fn from(error: CaError) -> Self {
        match error {
            CaError::Authority(error) => error.into(),
            CaError::Ct(error) => error.into(),
            CaError::Dir(error) => error.into(),
            other => Self::new(Code::ServiceFailed, other.to_string()),
        }
    }
}

impl From<StackError> for CliError {
    fn from(error: StackError) -> Self {
        match error {
            StackError::Ca(error) => error.into(),
            StackError::Dev(error) => error.into(),
            StackError::Dir(error) => error.into(),
            StackError::Host(error) => error.into(),
            StackError::Issuers(error) => error.into(),
            StackError::Log(error) => error.into(),
            StackError::Registry(error @ BuildError::OpenToTheNetwork { .. }) => Self::from(error).hint(
                "give the registry users (`registry.htpasswd`), or leave it out (`registry.enabled: false`)",
            ),
            StackError::Registry(error) => error.into(),
            StackError::Tsa(error) => error.into(),
            StackError::Trust(error) => error.into(),
            StackError::Witness(error) => error.into(),
            StackError::Reach(error) => error.into(),
            StackError::Mode { .. } => Self::new(Code::DataDirForeign, error.to_string()).hint(OTHER_MODE),
            StackError::Moved { .. } => Self::new(Code::DataDirForeign, error.to_string())
                .hint("`signet restore` makes a stack of the archive, also in this place once it is empty"),
            StackError::Names { .. } => Self::new(Code::DataCorrupt, error.to_string()),
            StackError::Lost(_) => Self::new(Code::DataCorrupt, error.to_string()).hint(
                "mount it or put it back; without it, `signet restore` makes the stack of a backup. Nothing was made in its place",
            ),
            other => Self::new(Code::ServiceFailed, other.to_string()),
        }
    }
}

impl From<ReachError> for CliError {
    fn from(error: ReachError) -> Self {
        let text = error.to_string();
        match error {
            ReachError::Url { .. } => Self::new(Code::UsageInvalid, text),
            ReachError::Exposed { why, .. } => Self::new(Code::ListenRefused, text).hint(match why {
                Exposure::Development => {
                    "leave `--dev` out, or let it listen, and be told of, on this machine only"
                }
                Exposure::InTheClear => {
                    "give a certificate (`--tls-cert` and `--tls-key`, `tls` of a stack), or the `https://` URL of the proxy in front (`--public-url`)"
                }
                Exposure::OpenRegistry => {
                    "give the registry users (`registry.htpasswd`), leave it out (`registry.enabled: false`), or say that the proxy asks who they are (`registry.anonymous: true`)"
                }
                Exposure::Nameless => "give the URL that clients reach it by (`--public-url`)",
            }),
        }
    }
}

impl From<BackupError> for CliError {
    fn from(error: BackupError) -> Self {
        let code = match error {
            BackupError::Dir(error) => return error.into(),
            BackupError::Foreign(_) => {
                return Self::new(Code::FileUnreadable, error.to_string())
                    .hint("give a file that `signet backup` wrote, and all of it");
            }
            BackupError::Lost(_) => {
                return Self::new(Code::DataCorrupt, error.to_string())
                    .hint("mount it or put it back: a backup without it could not be restored");
            }
            BackupError::Names(_) => Code::DataCorrupt,
            BackupError::Log { .. } => {
                return Self::new(Code::DataCorrupt, error.to_string()).hint("take an older backup");
            }
            BackupError::NotEmpty { .. } => {
                return Self::new(Code::WouldOverwrite, error.to_string()).hint(
                    "choose another directory; one that has a `.restoring` in it was left by a restore that was cut off: remove what is in it",
                );
            }
            BackupError::Inside { .. } => Code::UsageInvalid,
            _ => Code::ServiceFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<MonitorConfigError> for CliError {
    fn from(error: MonitorConfigError) -> Self {
        Self::new(Code::ConfigInvalid, error.to_string())
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(Code::ConfigInvalid, error.to_string())
    }
}

impl From<DevError> for CliError {
    fn from(error: DevError) -> Self {
        match error {
            DevError::Authority(error) => error.into(),
            DevError::Config(error) => error.into(),
            other => Self::new(Code::ServiceFailed, other.to_string()),
        }
    }
}

const OTHER_MODE: &str =
    "begin in a directory of its own: what was signed for development must never be trusted elsewhere";
