//! `signet verify-blob`, and `signet verify --bundle`.

use std::path::Path;

use signet_crypto::Digest;
use signet_formats::base64::Base64;
use signet_formats::bundle::MAX_BUNDLE_BYTES;
use signet_verify::{
    Code, Content, Evidence, EvidenceItem, MAX_ARTIFACT_BYTES, Needs, Subject, Verdict, decide,
};

use crate::args::{TrustArgs, VerifyBlobArgs};
use crate::document::{ImageBody, VerifyDocument};
use crate::error::{Answer, CliError, Status, about};
use crate::face::Face;
use crate::trust::Trust;
use crate::{clock, files, render};

/// Verifies one file against its bundle.
pub(crate) fn run(args: &VerifyBlobArgs, face: Face) -> Answer {
    verify_files(&args.trust, &args.bundle, &[args.file.display().to_string()], face)
}

/// Verifies files against one bundle, and ends as the worst of them.
pub(crate) fn verify_files(trust: &TrustArgs, bundle: &Path, names: &[String], face: Face) -> Answer {
    let trust = Trust::from_args(trust, face)?;
    let evidence = read_bundle(bundle)?;
    let at = clock::now();
    let verdicts: Vec<(String, Verdict)> = names
        .iter()
        .map(|name| Ok((name.clone(), verify(name, evidence.clone(), &trust, at, face)?)))
        .collect::<Result<_, CliError>>()?;
    let bodies = verdicts.iter().map(|(name, verdict)| ImageBody::new(name, Ok(verdict)));
    let document = VerifyDocument { results: bodies.collect() };
    face.result(&document, |_| {
        verdicts.iter().map(|(name, verdict)| render::verdict(name, verdict)).collect()
    })?;
    Ok(verdicts.iter().map(|(_, verdict)| Status::of_verdict(verdict)).max().unwrap_or(Status::Undecided))
}

/// Reads a bundle as evidence, without looking into it.
pub(crate) fn read_bundle(path: &Path) -> Result<Evidence, CliError> {
    let bytes = Base64(files::read(path, MAX_BUNDLE_BYTES)?);
    if bytes.0.trim_ascii_start().starts_with(b"-----BEGIN ") {
        return Err(CliError::new(Code::UsageInvalid, about(path, "this is a PEM file and no bundle"))
            .hint("give keys with `--key`, and with `--bundle` what `signet sign-blob` wrote"));
    }
    let origin = format!("file {}", path.display());
    Ok(Evidence {
        items: vec![EvidenceItem { origin, content: Content::Bundle { bytes } }],
        ..Evidence::default()
    })
}

/// Decides about a file, or about what has a digest (`sha256:…`, where no file is called so).
pub(crate) fn verify(
    name: &str,
    mut evidence: Evidence,
    trust: &Trust,
    at: i64,
    face: Face,
) -> Result<Verdict, CliError> {
    let path = Path::new(name);
    let subject = match name.parse::<Digest>() {
        Ok(digest) if !path.exists() => Subject::file(vec![digest], None),
        _ => {
            let needs = Needs::of(&evidence, &trust.policy, &trust.snapshot);
            let subject = hashed(path, &needs, face)?;
            if needs.artifact {
                evidence.artifact = artifact(path, &subject)?;
            }
            subject
        }
    };
    Ok(decide(&subject, &evidence, &trust.snapshot, &trust.policy, at))
}

/// The file by the digests that the decision needs, read once.
fn hashed(path: &Path, needs: &Needs, face: Face) -> Result<Subject, CliError> {
    let algorithms: Vec<_> = needs.digests.iter().copied().collect();
    let hashed = files::digests(path, &algorithms, face)?;
    Ok(Subject::file(hashed.digests, Some(hashed.size)))
}

/// The file itself, for a signature over the whole of it, where it is not too large.
fn artifact(path: &Path, subject: &Subject) -> Result<Option<Base64>, CliError> {
    let fits =
        subject.size.is_some_and(|size| usize::try_from(size).is_ok_and(|size| size <= MAX_ARTIFACT_BYTES));
    match fits {
        true => files::read(path, MAX_ARTIFACT_BYTES).map(|bytes| Some(Base64(bytes))),
        false => Ok(None),
    }
}
