//! `signet conformance`: the protocol of the Sigstore conformance suite (docs/cli_protocol.md there).

use signet_formats::in_toto::MAX_STATEMENT_BYTES;

use super::verify_blob::{read_bundle, verify};
use crate::args::{
    ConformanceCommand, KeylessArgs, ServicesArgs, SignBundleArgs, TrustArgs, VerifyBundleArgs,
};
use crate::document::{ImageBody, VerifyDocument};
use crate::error::{Answer, CliError, Status};
use crate::face::Face;
use crate::proven::Proven;
use crate::runtime::block_on;
use crate::trust::Trust;
use crate::{clock, files, render};

/// Runs one of the commands.
pub(crate) fn run(command: &ConformanceCommand, face: Face) -> Answer {
    match command {
        ConformanceCommand::VerifyBundle(args) => verify_bundle(args, face),
        ConformanceCommand::SignBundle(args) => sign_bundle(args, face),
        ConformanceCommand::Tuf(args) => super::conformance_tuf::run(args, face),
    }
}

fn verify_bundle(args: &VerifyBundleArgs, face: Face) -> Answer {
    let trust = TrustArgs {
        key: args.key.iter().cloned().collect(),
        certificate_identity: args.certificate_identity.clone(),
        certificate_oidc_issuer: args.certificate_oidc_issuer.clone(),
        trusted_root: args.trusted_root.clone(),
        // The suite verifies attestations of any type as it does signatures.
        predicate_type: "any".to_owned(),
        ..TrustArgs::default()
    };
    let trust = Trust::from_args(&trust, face)?;
    let name = args.file_or_digest.display().to_string();
    let verdict = verify(&name, read_bundle(&args.bundle)?, &trust, clock::now(), face)?;
    let document = VerifyDocument { results: vec![ImageBody::new(&name, Ok(&verdict))] };
    face.result(&document, |_| render::verdict(&name, &verdict))?;
    Ok(Status::of_verdict(&verdict))
}

/// The suite overwrites bundles, and gives the token itself.
fn sign_bundle(args: &SignBundleArgs, face: Face) -> Answer {
    let services = ServicesArgs {
        signing_config: args.signing_config.clone(),
        trusted_root: args.trusted_root.clone(),
        ..ServicesArgs::default()
    };
    let keyless =
        KeylessArgs { services, identity_token: Some(args.identity_token.clone()), ..KeylessArgs::default() };
    let proven = Proven::by_identity(&keyless, face)?;
    block_on(async {
        let bundle = match args.in_toto {
            true => proven.envelope(files::read(&args.file, MAX_STATEMENT_BYTES)?).await?,
            false => proven.message(files::sha256(&args.file, face)?).await?,
        };
        std::fs::write(&args.bundle, bundle).map_err(|error| CliError::unwritable(&args.bundle, &error))?;
        Ok(Status::Yes)
    })
}
