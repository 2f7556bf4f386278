//! Options of cosign's that scripts pass. Those that say what Signet does anyway are taken; those that ask
//! for something else are refused with what to do, because ignoring them would be a silent yes.

use clap::Args;
use signet_verify::Code;

use crate::error::CliError;

/// cosign's options of `sign` and `sign-blob`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CosignSignArgs {
    /// Signet asks nothing before it signs.
    #[arg(long, short, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    yes: Option<bool>,
    /// The index and what is in it are signed.
    #[arg(long, short, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    recursive: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tlog_upload: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    upload: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    use_signing_config: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    new_bundle_format: Option<bool>,
    #[arg(long, hide = true, value_name = "URL")]
    rekor_url: Option<String>,
    #[arg(long, hide = true, value_name = "URL")]
    fulcio_url: Option<String>,
    #[arg(long, hide = true, value_name = "URL")]
    timestamp_server_url: Option<String>,
    #[arg(long, hide = true, value_name = "FILE")]
    output_signature: Option<String>,
    #[arg(long, hide = true, value_name = "FILE")]
    output_certificate: Option<String>,
    #[arg(long, hide = true, value_name = "FILE")]
    certificate: Option<String>,
    #[arg(long, hide = true, value_name = "FILE")]
    certificate_chain: Option<String>,
    #[arg(long, hide = true, value_name = "MODE")]
    registry_referrers_mode: Option<String>,
}

impl CosignSignArgs {
    /// Whether services are asked for without a config, which the pinned trust root leads to then.
    pub(crate) fn wants_services(&self) -> bool {
        self.tlog_upload == Some(true) || self.use_signing_config == Some(true)
    }

    /// Refuses what this version does not do, signing with services or without them.
    pub(crate) fn accept(&self, services: bool) -> Result<(), CliError> {
        refuse(&[
            (self.tlog_upload == Some(false) && services, "--tlog-upload=false", BY_CONFIG),
            (self.use_signing_config == Some(false) && services, "--use-signing-config=false", BY_CONFIG),
            (self.rekor_url.is_some(), "--rekor-url", BY_CONFIG),
            (self.fulcio_url.is_some(), "--fulcio-url", BY_CONFIG),
            (self.timestamp_server_url.is_some(), "--timestamp-server-url", BY_CONFIG),
            (self.upload == Some(false), "--upload=false", NO_DRY_RUN),
            (self.new_bundle_format == Some(false), "--new-bundle-format=false", OLD_FORMAT),
            (self.recursive == Some(false), "--recursive=false", INDEX_ONLY),
            (self.output_signature.is_some(), "--output-signature", IN_BUNDLE),
            (self.output_certificate.is_some(), "--output-certificate", IN_BUNDLE),
            (self.certificate.is_some(), "--certificate", NO_OWN_CERTIFICATE),
            (self.certificate_chain.is_some(), "--certificate-chain", NO_OWN_CERTIFICATE),
            (self.registry_referrers_mode.is_some(), "--registry-referrers-mode", BY_FORMAT),
        ])
    }
}

/// cosign's options of `verify` and `verify-blob`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CosignVerifyArgs {
    /// Verification asks the registry and nobody else.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    offline: Option<bool>,
    /// At least one trusted timestamp is demanded.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    use_signed_timestamps: Option<bool>,
    /// Both formats are always read.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    new_bundle_format: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    check_claims: Option<bool>,
    #[arg(long, hide = true, value_name = "URL")]
    rekor_url: Option<String>,
    #[arg(long, hide = true, value_name = "FILE")]
    certificate_chain: Option<String>,
    #[arg(long, hide = true, value_name = "FILE")]
    certificate: Option<String>,
    #[arg(long, hide = true, value_name = "FILE")]
    signature: Option<String>,
    /// Referrers are always looked for.
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    experimental_oci11: Option<bool>,
    /// How many work side by side is not asked: the answer is the same.
    #[arg(long, hide = true, value_name = "NUMBER")]
    max_workers: Option<u32>,
}

impl CosignVerifyArgs {
    /// Whether a signature without a trusted timestamp is not good enough.
    pub(crate) fn wants_timestamps(&self) -> bool {
        self.use_signed_timestamps == Some(true)
    }

    /// Refuses what a policy says by itself.
    pub(crate) fn accept_with_policy(&self) -> Result<(), CliError> {
        match self.wants_timestamps() {
            false => Ok(()),
            true => Err(CliError::new(
                Code::UsageInvalid,
                "`--use-signed-timestamps` is given beside a policy, which says what it demands",
            )
            .hint("say `timestamps: 1` in the rules of the policy")),
        }
    }

    /// Refuses what would make the answer mean something else.
    pub(crate) fn accept(&self) -> Result<(), CliError> {
        refuse(&[
            (self.check_claims == Some(false), "--check-claims=false", NO_BARE_SIGNATURES),
            (self.rekor_url.is_some(), "--rekor-url", NO_LOOKUP),
            (self.certificate_chain.is_some(), "--certificate-chain", NO_CHAIN),
            (self.certificate.is_some(), "--certificate", NOT_BESIDE),
            (self.signature.is_some(), "--signature", NOT_BESIDE),
        ])
    }
}

fn refuse(asked: &[(bool, &str, &str)]) -> Result<(), CliError> {
    match asked.iter().find(|(asked, ..)| *asked) {
        None => Ok(()),
        Some((_, option, hint)) => {
            let detail = format!("`{option}` is an option of cosign's that Signet does not have");
            Err(CliError::new(Code::UsageInvalid, detail).hint(*hint))
        }
    }
}

const BY_CONFIG: &str = "leave it out: which services are used is said by `--signing-config FILE` alone";
const OLD_FORMAT: &str = "sign images with `--format cosign-legacy`; files are signed in the new format only";
const NO_DRY_RUN: &str =
    "leave it out: an image's signature is stored in its registry; `sign-blob --bundle OUT` writes a file";
const NO_BARE_SIGNATURES: &str = "leave it out: a signature is only good for the digest that it names";
const NO_LOOKUP: &str =
    "leave it out: the proof of the log is in the signature, and `--trusted-root` holds the log's key";
const INDEX_ONLY: &str = "sign with `--index-only`, which leaves the platforms of an index out";
const IN_BUNDLE: &str = "give `--bundle OUT`: the bundle holds signature and certificate";
const NO_OWN_CERTIFICATE: &str = "leave it out: with `--key` the key is the signer, and certificates come from the services of `--signing-config`";
const BY_FORMAT: &str =
    "leave it out: a bundle is attached as a referrer, and `--format cosign-legacy` writes a tag";
const NOT_BESIDE: &str = "have the file signed again with `--bundle OUT`: signature and certificate are read from a bundle, which binds them";
const NO_CHAIN: &str = "put the authority into a trust root and give it with `--trusted-root`";
