//! Options of signing with services, and without a key.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use signet_clients::oidc::Ambient;

/// Which services log, stamp and certify.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Services")]
pub(crate) struct ServicesArgs {
    /// The Sigstore signing config: which services log and stamp the signature and, where there is no key, certify who
    /// signs. Unset: with a key none, without one those that the pinned trust root (`signet trust init`) leads to.
    #[arg(long, value_name = "FILE", requires = "trusted_root")]
    pub(crate) signing_config: Option<PathBuf>,
    /// The Sigstore `trusted_root.json` by which what was signed is verified before it is stored.
    #[arg(long, value_name = "FILE", requires = "signing_config")]
    pub(crate) trusted_root: Option<PathBuf>,
    /// A PEM file of certificate authorities to trust for the services besides the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) services_cacert: Option<PathBuf>,
}

/// How to sign without a key: by a certificate for an identity.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Keyless signing")]
pub(crate) struct KeylessArgs {
    /// The identity token: a file with it, or `-` for standard input. The token itself is taken too, but other
    /// users of this machine can see it then. Unset: what stands ready (`SIGSTORE_ID_TOKEN`, GitHub Actions,
    /// GitLab, Buildkite, CircleCI, a projected Kubernetes token, SPIFFE, Google), else a login at the terminal.
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    pub(crate) identity_token: Option<String>,
    /// Take the token that stands ready here and no other: `environment`, `github-actions`, `buildkite-agent`,
    /// `circleci`, `filesystem`, `spiffe` or `google`.
    #[arg(long, value_name = "PLACE", value_parser = ambient, conflicts_with_all = ["identity_token", "login", "key"])]
    pub(crate) oidc_provider: Option<Ambient>,
    /// Log in, whatever token stands ready: with a browser on this machine, or with a code on another device.
    #[arg(long, value_enum, conflicts_with_all = ["identity_token", "key"])]
    pub(crate) login: Option<LoginFlow>,
    /// Where to log in, if not where the signing config says.
    #[arg(long, value_name = "URL", conflicts_with = "key")]
    pub(crate) oidc_issuer: Option<String>,
    /// As which client to log in.
    #[arg(long, value_name = "ID", default_value = "sigstore", hide_default_value = true)]
    pub(crate) oidc_client_id: String,
    #[command(flatten)]
    pub(crate) services: ServicesArgs,
}

/// How a person logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoginFlow {
    /// In a browser on this machine.
    Browser,
    /// With a code, in a browser anywhere.
    Device,
}

/// Reads the name of a place, by its own name or one of cosign's.
fn ambient(text: &str) -> Result<Ambient, String> {
    let by_name = Ambient::ALL.into_iter().find(|place| place.name() == text);
    by_name.ok_or_else(|| {
        let names: Vec<&str> = Ambient::ALL.into_iter().map(Ambient::name).collect();
        format!("expected one of {}", names.join(", "))
    })
}
