//! Picking services from a signing config.

use std::path::{Path, PathBuf};

use signet_clients::{fulcio, rekor, tsa};
use signet_formats::signing_config::{MAX_SIGNING_CONFIG_BYTES, Selector, Service, SigningConfig, select};
use signet_verify::Code;

use crate::error::{CliError, about};
use crate::{clock, files};

/// A signing config, and what it is called where something is wrong with it.
pub(super) struct Config {
    file: PathBuf,
    config: SigningConfig,
}

/// Who certifies identities.
pub(super) struct Authority {
    /// Its base URL.
    pub(super) url: String,
    /// Where to log in.
    pub(super) issuer: Option<String>,
}

impl Config {
    /// Reads a file.
    pub(super) fn read(file: &Path) -> Result<Self, CliError> {
        Self::parse(&files::read(file, MAX_SIGNING_CONFIG_BYTES)?, file)
    }

    /// Reads what is called `file`.
    pub(super) fn parse(bytes: &[u8], file: &Path) -> Result<Self, CliError> {
        match SigningConfig::parse(bytes) {
            Ok(config) => Ok(Self { file: file.to_owned(), config }),
            Err(error) => Err(invalid(file, error)),
        }
    }

    /// The certificate authority to use now.
    pub(super) fn authority(&self) -> Result<Authority, CliError> {
        let any = Some(Selector::Any);
        let pick = |services, versions, what| {
            Ok::<_, CliError>(self.pick(services, any, versions, what)?.into_iter().next())
        };
        let authority =
            pick(&self.config.certificate_authorities, fulcio::API_VERSIONS, "certificate authorities")?;
        let issuer = pick(&self.config.identity_providers, OIDC_VERSIONS, "identity providers")?;
        let authority = authority.ok_or_else(|| self.invalid("it names no certificate authority"))?;
        Ok(Authority { url: authority.url, issuer: issuer.map(|issuer| issuer.url) })
    }

    /// The logs to use now.
    pub(super) fn logs(&self) -> Result<Vec<Service>, CliError> {
        self.pick(&self.config.logs, self.config.log_selector, rekor::API_VERSIONS, "logs")
    }

    /// The timestamp authorities to use now.
    pub(super) fn timestamp_authorities(&self) -> Result<Vec<Service>, CliError> {
        let SigningConfig { timestamp_authorities, timestamp_selector, .. } = &self.config;
        self.pick(timestamp_authorities, *timestamp_selector, tsa::API_VERSIONS, "timestamp authorities")
    }

    /// What is wrong with the config.
    pub(super) fn invalid(&self, why: &str) -> CliError {
        invalid(&self.file, why)
    }

    fn pick(
        &self,
        services: &[Service],
        selector: Option<Selector>,
        versions: &[u32],
        what: &str,
    ) -> Result<Vec<Service>, CliError> {
        // No service of a kind is a choice that the config makes, unless it demands a number of them.
        if services.is_empty() && !matches!(selector, Some(Selector::Exact(_))) {
            return Ok(Vec::new());
        }
        let selector = selector
            .ok_or_else(|| self.invalid(&format!("it does not say of how many {what} one is wanted")))?;
        let chosen = select(services, selector, versions, clock::now()).map_err(|error| {
            CliError::new(Code::ServicesTooFew, about(&self.file, format!("of its {what}, {error}")))
        })?;
        Ok(chosen.into_iter().cloned().collect())
    }
}

fn invalid(file: &Path, why: impl ToString) -> CliError {
    CliError::new(Code::SigningConfigInvalid, about(file, why.to_string()))
}

const OIDC_VERSIONS: &[u32] = &[1];
