//! `signet sign-blob`, and `signet sign --bundle`.

use std::path::Path;

use signet_crypto::{Digest, DigestAlgorithm, Scheme};
use signet_keys::read_private;

use crate::args::{PasswordArgs, SignBlobArgs};
use crate::document::{SignAction, SignDocument, SignedBody};
use crate::error::{Answer, CliError, Status, Stop};
use crate::face::Face;
use crate::runtime::block_on;
use crate::signing::Signing;
use crate::{files, password, render};

/// Signs a file.
pub(crate) fn run(args: &SignBlobArgs, face: Face) -> Answer {
    args.cosign.accept()?;
    sign_file(
        &Blob {
            key: &args.key,
            password: &args.password,
            scheme: args.scheme,
            bundle: &args.bundle,
            file: &args.file,
        },
        face,
    )
}

/// What to sign, with what, and where to put the bundle.
pub(crate) struct Blob<'a> {
    /// The private key's file.
    pub(crate) key: &'a Path,
    /// Where its password comes from.
    pub(crate) password: &'a PasswordArgs,
    /// How to sign, if not as the key usually does.
    pub(crate) scheme: Option<Scheme>,
    /// The bundle to write.
    pub(crate) bundle: &'a Path,
    /// The file to sign.
    pub(crate) file: &'a Path,
}

/// Signs a file and writes its bundle, which must not exist.
pub(crate) fn sign_file(blob: &Blob<'_>, face: Face) -> Answer {
    if blob.bundle.exists() {
        return Err(CliError::unwritable(blob.bundle, &std::io::ErrorKind::AlreadyExists.into()).into());
    }
    let key = read_private(blob.key, &password::source(blob.password))?;
    let signing = Signing::new(&key, blob.scheme)?;
    // Not on the runtime, which would keep Ctrl-C waiting until a large file is read.
    let digest = hash(blob.file, signing.message_digest().unwrap_or(DigestAlgorithm::Sha256), face)?;
    block_on(async {
        let bundle = sign(&signing, blob.file, digest).await?;
        files::create(blob.bundle, bundle.as_bytes())?;
        let signed = SignedBody {
            name: format!("{}@{digest}", blob.file.display()),
            platform: None,
            action: SignAction::Signed,
            stored: Some(blob.bundle.display().to_string()),
            race_possible: false,
        };
        let document = SignDocument { signed: vec![signed] };
        face.result(&document, render::signed)?;
        Ok(Status::Yes)
    })
}

/// The bundle of a file with this digest: a message signature where the scheme hashes, else a statement.
async fn sign(signing: &Signing<'_>, file: &Path, digest: Digest) -> Result<String, Stop> {
    match signing.message_digest() {
        Some(_) => signing.message(digest).await,
        None => {
            let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
            signing.statement(Some(name), digest, &[]).await
        }
    }
}

fn hash(file: &Path, algorithm: DigestAlgorithm, face: Face) -> Result<Digest, CliError> {
    let hashed = files::digests(file, &[algorithm], face)?;
    hashed.digests.first().copied().ok_or_else(|| CliError::internal("no digest was computed"))
}
