//! `signet sign-blob`, and `signet sign --bundle`.

use std::path::Path;

use signet_crypto::Digest;
use signet_verify::Code;

use crate::args::SignBlobArgs;
use crate::document::{SignAction, SignDocument, SignedBody};
use crate::error::{Answer, CliError, Status, Stop};
use crate::face::Face;
use crate::method::{Method, MethodArgs};
use crate::runtime::block_on;
use crate::{files, render};

/// Signs a file.
pub(crate) fn run(args: &SignBlobArgs, face: Face) -> Answer {
    let method = MethodArgs {
        key: args.key.as_deref(),
        password: &args.password,
        scheme: args.scheme,
        keyless: &args.keyless,
        cosign: &args.cosign,
    };
    sign_file(&method, &args.file, &args.bundle, face)
}

/// Signs a file and writes its bundle, which must not exist.
pub(crate) fn sign_file(method: &MethodArgs<'_>, file: &Path, bundle: &Path, face: Face) -> Answer {
    if bundle == Path::new("-") {
        return Err(CliError::new(
            Code::UsageInvalid,
            "the bundle is written to a file, not to standard output",
        )
        .hint("name one with `--bundle OUT`")
        .into());
    }
    if bundle.exists() {
        return Err(CliError::unwritable(bundle, &std::io::ErrorKind::AlreadyExists.into()).into());
    }
    let method = Method::of(method, face)?;
    // Not on the runtime, which would keep Ctrl-C waiting until a large file is read.
    let digest = match method.message_digest() {
        Some(algorithm) => files::digest_to_sign(file, algorithm, face)?,
        None => files::sha256(file, face)?,
    };
    block_on(async {
        let written = sign(&method, file, digest).await?;
        files::create(bundle, written.as_bytes())?;
        let signed = SignedBody {
            name: format!("{}@{digest}", file.display()),
            platform: None,
            action: SignAction::Signed,
            identity: method.identity().await?,
            stored: Some(bundle.display().to_string()),
            race_possible: false,
        };
        let document = SignDocument { signed: vec![signed], failed: Vec::new() };
        face.result(&document, render::signed)?;
        Ok(Status::Yes)
    })
}

/// The bundle of a file with this digest: a message signature where the scheme hashes, else a statement.
async fn sign(method: &Method, file: &Path, digest: Digest) -> Result<String, Stop> {
    match method.message_digest() {
        Some(_) => method.message(digest).await,
        None => {
            let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
            method.statement(Some(name), digest, &[]).await
        }
    }
}
