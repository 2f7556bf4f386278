//! Keys that the user names.

use std::path::Path;

use signet_crypto::PublicKey;
use signet_formats::bundle::{Bundle, MAX_BUNDLE_BYTES};
use signet_keys::{
    FileError, KeyReference, KeyUnavailable, OutsideKey, PasswordSource, PrivateKey, Signer, read_private,
    read_public,
};
use signet_verify::Code;

use crate::error::{CliError, about};
use crate::files;
use crate::runtime;

/// The private key in a file.
pub(crate) fn private(path: &Path, source: &PasswordSource) -> Result<PrivateKey, CliError> {
    read_private(path, source).map_err(|error| match (told(path, error), source.variable()) {
        (error, Some(variable)) if error.code == Code::PasswordWrong => error.hint(format!(
            "the password is that of `{variable}`; correct it, or unset it to be asked for another"
        )),
        (error, _) => error,
    })
}

/// The private key that is in a file, or that a program holds.
pub(crate) async fn signer(key: &Path, source: &PasswordSource) -> Result<Box<dyn Signer>, CliError> {
    Ok(match KeyReference::parse(key)? {
        KeyReference::File(path) => Box::new(private(&path, source)?),
        outside @ KeyReference::Outside(_) => outside.open(source).await?,
    })
}

/// The public key in a file.
pub(crate) fn public(path: &Path) -> Result<PublicKey, CliError> {
    read_public(path).map_err(|error| told(path, error))
}

/// The public key that is in a file, or that a program holds. For who has not begun yet, as a program may take its time.
pub(crate) fn verifying(key: &Path) -> Result<PublicKey, CliError> {
    match KeyReference::parse(key)? {
        KeyReference::File(path) => public(&path),
        KeyReference::Outside(reference) => runtime::wait(async {
            OutsideKey::public_half(&reference).await.map_err(|error| KeyUnavailable::from(error).into())
        }),
    }
}

/// The error, with what the user may have meant.
fn told(path: &Path, error: FileError) -> CliError {
    let told = CliError::from(error);
    match told.code {
        Code::FileUnreadable if path.to_string_lossy().contains("://") => told.hint(FILES_ONLY),
        Code::KeyUnusable if is_bundle(path) => {
            CliError::new(Code::KeyUnusable, about(path, "this is a Sigstore bundle and no key"))
                .hint("give it with `--bundle`, and with `--key` the key of the signer")
        }
        _ => told,
    }
}

fn is_bundle(path: &Path) -> bool {
    files::read(path, MAX_BUNDLE_BYTES).is_ok_and(|bytes| Bundle::parse(&bytes).is_ok())
}

const FILES_ONLY: &str = "here public keys are read from files: \
     `signet keys export-public --key NAME://ID --out FILE` writes what a program gives into one";
