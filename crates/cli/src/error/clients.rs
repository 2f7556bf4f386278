//! What keys, registries and the services of others say, with its code.

use std::io;

use signet_clients::Error as ClientError;
use signet_keys::{
    Error as KeyError, Fault, FileError, KeyUnavailable, OutsideError, PasswordError, SignError,
};
use signet_registry::{Advice, Error as RegistryError};
use signet_verify::Code;

use super::CliError;
use crate::app::INTERRUPTED;

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

impl From<KeyUnavailable> for CliError {
    fn from(error: KeyUnavailable) -> Self {
        match error {
            KeyUnavailable::File(error) => error.into(),
            KeyUnavailable::Outside(error) => error.into(),
            _ => Self::new(Code::KeyUnusable, error.to_string()),
        }
    }
}

impl From<OutsideError> for CliError {
    fn from(error: OutsideError) -> Self {
        let code = match error.fault {
            Fault::Malformed | Fault::Secret => Code::UsageInvalid,
            Fault::Algorithm(_) | Fault::Key(KeyError::UnsupportedAlgorithm) => Code::KeyUnusable,
            _ => Code::KeyOutOfReach,
        };
        let told = Self::new(code, error.to_string());
        match error.fault {
            Fault::Run { .. } => told.hint(NO_PROGRAM),
            _ => told,
        }
    }
}

impl From<SignError> for CliError {
    fn from(error: SignError) -> Self {
        let code = match error {
            SignError::UnsupportedScheme { .. } => Code::AlgorithmNotInFormat,
            SignError::NeedsMessage { .. } | SignError::WrongDigest { .. } => Code::Internal,
            SignError::Outside(error) => return error.into(),
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

const NO_PROGRAM: &str = "install the program and put it on the `PATH`; what cosign reads from `env://NAME`, \
     `printenv NAME > cosign.key` writes into a file";
