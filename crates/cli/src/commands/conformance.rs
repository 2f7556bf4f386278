//! `signet conformance`: the protocol of the Sigstore conformance suite (docs/cli_protocol.md there).

use signet_verify::Code;

use super::verify_blob::{read_bundle, verify};
use crate::args::{ConformanceCommand, SignBundleArgs, TrustArgs, VerifyBundleArgs};
use crate::document::{ImageBody, VerifyDocument};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::trust::Trust;
use crate::{clock, render};

/// Runs one of the commands.
pub(crate) fn run(command: &ConformanceCommand, face: Face) -> Answer {
    match command {
        ConformanceCommand::VerifyBundle(args) => verify_bundle(args, face),
        ConformanceCommand::SignBundle(args) => sign_bundle(args),
        ConformanceCommand::Tuf(args) => super::conformance_tuf::run(args, face),
    }
}

fn verify_bundle(args: &VerifyBundleArgs, face: Face) -> Answer {
    let trust = Trust::from_args(&TrustArgs {
        key: args.key.iter().cloned().collect(),
        certificate_identity: args.certificate_identity.clone(),
        certificate_oidc_issuer: args.certificate_oidc_issuer.clone(),
        trusted_root: args.trusted_root.clone(),
        // The suite verifies attestations of any type as it does signatures.
        predicate_type: "any".to_owned(),
        ..TrustArgs::default()
    })?;
    let name = args.file_or_digest.display().to_string();
    let verdict = verify(&name, read_bundle(&args.bundle)?, &trust, clock::now(), face)?;
    let document = VerifyDocument { results: vec![ImageBody::new(&name, Ok(&verdict))] };
    face.result(&document, |_| render::verdict(&name, &verdict))?;
    Ok(Status::of_verdict(&verdict))
}

/// The suite signs with an identity token, which needs a certificate authority.
fn sign_bundle(args: &SignBundleArgs) -> Answer {
    let detail = format!(
        "`{}` would be signed with a certificate for an identity token, which this version cannot get",
        args.file.display()
    );
    let hint = "sign with a key: `signet sign-blob --key KEY --bundle OUT FILE`";
    Err(CliError::new(Code::UsageInvalid, detail).hint(hint).into())
}
