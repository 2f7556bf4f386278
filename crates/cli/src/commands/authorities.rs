//! What the commands that serve authorities share.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_formats::x509::{Certificate, certificates_from_pem};
use signet_keys::{KeyReference, KeyUnavailable, PasswordSource, Signer};
use signet_server::exposure::Reach;
use signet_services::authority::AuthorityError;
use signet_services::oidc::Issuers;
use signet_services::tsa::ntp::NtpConfig;
use signet_verify::Code;

use crate::args::OperatorArgs;
use crate::error::CliError;

/// Refuses to let a network reach what is for development, or what its operators are told.
pub(crate) fn on_loopback(listen: SocketAddr, operators: &OperatorArgs) -> Result<(), CliError> {
    let reach = Reach { listen, admin: operators.admin, tls: false, url: None, dev: true };
    Ok(reach.stated_url().map(drop)?)
}

/// A key, in a file or held by a program, and the certificates that begin with its own.
pub(crate) async fn read_authority(
    key: &Path,
    chain: &Path,
) -> Result<(Arc<dyn Signer>, Vec<Certificate>), CliError> {
    let (reference, chain) = (KeyReference::parse(key)?, read_certificates(chain)?);
    let own = chain.first().ok_or(AuthorityError::EmptyChain)?;
    let public = own.public_key().map_err(|_| AuthorityError::OtherKey)?;
    match reference.open_certified(&public, &PasswordSource::Environment).await {
        Ok(signer) => Ok((signer.into(), chain)),
        Err(KeyUnavailable::Another { .. }) => Err(AuthorityError::OtherKey.into()),
        Err(error) => Err(error.into()),
    }
}

/// The certificates of all of these files.
pub(crate) fn read_roots(files: &[PathBuf]) -> Result<Vec<Certificate>, CliError> {
    let read = files.iter().map(|file| read_certificates(file)).collect::<Result<Vec<_>, _>>()?;
    Ok(read.concat())
}

/// Whose identity tokens are believed.
pub(crate) fn read_issuers(path: &Path) -> Result<Issuers, CliError> {
    let yaml = std::fs::read_to_string(path).map_err(|error| CliError::unreadable(path, error))?;
    Ok(Issuers::from_yaml(&yaml)?)
}

/// The time servers, of which so many have to agree; `None` if there are none.
pub(crate) fn time_servers(servers: &[String], agree: Option<usize>) -> Result<Option<NtpConfig>, CliError> {
    if servers.is_empty() && agree.is_none() {
        return Ok(None);
    }
    let config = NtpConfig::new(servers.to_vec(), agree);
    config.map(Some).map_err(|error| {
        CliError::new(Code::UsageInvalid, error.to_string()).hint(
            "name three or more different servers; `--ntp-agree` (`tsa.ntpAgree`) says how many have to agree",
        )
    })
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate>, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| CliError::unreadable(path, error))?;
    certificates_from_pem(&text).map_err(|error| CliError::unreadable(path, error))
}
