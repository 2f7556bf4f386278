//! What our own services say, with its code.

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
use signet_services::trust::{CeremonyError, FetchError, FollowError, PublisherError};
use signet_services::tsa::TsaError;
use signet_services::witness::OpenError as WitnessOpenError;
use signet_store::OpenError;
use signet_store::registry::StoreError;
use signet_verify::Code;

use super::CliError;

impl From<OpenError> for CliError {
    fn from(error: OpenError) -> Self {
        let code = match error {
            OpenError::InUse { .. } => Code::DataDirLocked,
            OpenError::Newer { .. } => Code::DataDirTooNew,
            OpenError::Foreign { .. } | OpenError::Kind { .. } | OpenError::NotBegun { .. } => {
                Code::DataDirForeign
            }
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
            LogOpenError::NotOurs { .. } => {
                return Self::new(Code::DataDirForeign, error.to_string())
                    .hint("give an empty directory, or that of an earlier export of this log");
            }
            LogOpenError::Unpublished { .. } => {
                return Self::new(Code::ServiceFailed, error.to_string()).hint(
                    "the log publishes it when it runs, with a quorum of its witnesses if it has a policy",
                );
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
            BuildError::Host(error) => return error.into(),
            _ => Code::ServiceFailed,
        };
        Self::new(code, error.to_string())
    }
}

impl From<HostError> for CliError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Tls(_) => Self::new(Code::ConfigInvalid, error.to_string()),
            _ => Self::new(Code::ServiceFailed, error.to_string())
                .hint("choose another address; port 0 takes a free one"),
        }
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
            AuthorityError::Mode { development } => {
                return Self::new(Code::DataDirForeign, error.to_string()).hint(other_mode(development));
            }
            AuthorityError::Lost { .. } => Code::DataCorrupt,
            AuthorityError::RootElsewhere { .. } => {
                return Self::new(Code::ServiceFailed, error.to_string())
                    .hint("put the file back for this start, and take it away again when it has begun");
            }
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
            FollowError::Unreachable { error: FetchError::Untrusted(_), .. } => {
                return Self::new(Code::TrustUnreachable, error.to_string()).hint(
                    "an authority that the system does not know is named with `signet trust init --services-cacert FILE`, of a root that is pinned already too",
                );
            }
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
        let code = match error {
            CeremonyError::Sign(error) => return error.into(),
            CeremonyError::Refused(ref refusal) => refusal.code(),
            CeremonyError::Form(_) | CeremonyError::UnknownKey(_) => Code::TrustMalformed,
            CeremonyError::Version { .. } => Code::TrustMismatch,
            CeremonyError::Algorithm(_) | CeremonyError::NotASigner(_) => Code::KeyUnusable,
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
            PublisherError::KeyUnavailable(error) => return error.into(),
            PublisherError::Refused(ref refusal) => refusal.code(),
            PublisherError::OfStack { .. } => {
                return Self::new(Code::UsageInvalid, error.to_string()).hint(
                    "name other trusted roots in `alsoTrust` of the stack's file; roots are published as everywhere",
                );
            }
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
    /// As the part says it, with the part's name.
    fn from(error: StackError) -> Self {
        let detail = error.to_string();
        let told = of_part(error);
        match detail.ends_with(&told.detail) {
            true => Self { detail, ..told },
            false => told,
        }
    }
}

fn of_part(error: StackError) -> CliError {
    match error {
        StackError::Ca(error) => error.into(),
        StackError::Dev(error) => error.into(),
        StackError::Dir(error) => error.into(),
        StackError::Host(error) => error.into(),
        StackError::Issuers(error) => error.into(),
        StackError::Log(error) => error.into(),
        StackError::Registry(error @ BuildError::OpenToTheNetwork { .. }) => CliError::from(error).hint(
            "give the registry users (`registry.htpasswd`), or leave it out (`registry.enabled: false`)",
        ),
        StackError::Registry(error) => error.into(),
        StackError::Tsa(error) => error.into(),
        StackError::Trust(error) => error.into(),
        StackError::Witness(error) => error.into(),
        StackError::Reach(error) => error.into(),
        StackError::Mode { dev } => CliError::new(Code::DataDirForeign, error.to_string()).hint(other_mode(dev)),
        StackError::Moved { .. } => CliError::new(Code::DataDirForeign, error.to_string())
            .hint("`signet restore` makes a stack of the archive, also in this place once it is empty"),
        StackError::Names { .. } => CliError::new(Code::DataCorrupt, error.to_string()),
        StackError::Lost(_) => CliError::new(Code::DataCorrupt, error.to_string()).hint(
            "mount it or put it back; without it, `signet restore` makes the stack of a backup. Nothing was made in its place",
        ),
        other => CliError::new(Code::ServiceFailed, other.to_string()),
    }
}

impl From<ReachError> for CliError {
    fn from(error: ReachError) -> Self {
        let text = error.to_string();
        match error {
            ReachError::Url { .. } => Self::new(Code::UsageInvalid, text),
            ReachError::DevelopmentTls => Self::new(Code::ConfigInvalid, text)
                .hint("leave `--dev` out, or the certificate (`--tls-cert` and `--tls-key`, `tls` of a stack)"),
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

/// What to do with a directory that was begun for development, or was not, where the other was asked for.
fn other_mode(development: bool) -> String {
    let given = if development { "give `--dev`" } else { "leave `--dev` out" };
    format!(
        "{given}, or begin in a directory of its own: what was signed for development must never be trusted elsewhere"
    )
}
