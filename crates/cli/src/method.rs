//! With what an invocation signs: a key, or certificates for an identity.

use std::collections::BTreeMap;
use std::path::Path;

use signet_crypto::{Digest, DigestAlgorithm, Scheme};
use signet_formats::cosign::LegacySignature;
use signet_verify::{Code, KeyReference, Policy, Principal, RepositoryRule, Rule, TrustSnapshot};

use crate::args::{CosignSignArgs, KeylessArgs, PasswordArgs};
use crate::error::{CliError, Stop};
use crate::face::Face;
use crate::proven::Proven;
use crate::signing::Signing;
use crate::trust::Trust;
use crate::{key_file, password, runtime};

/// The options that say with what to sign.
pub(crate) struct MethodArgs<'a> {
    /// The private key: its file, or what holds it.
    pub(crate) key: Option<&'a Path>,
    /// Where its password comes from.
    pub(crate) password: &'a PasswordArgs,
    /// How to sign, if not as the key usually does.
    pub(crate) scheme: Option<Scheme>,
    /// Which services prove the signature, and how to sign without a key.
    pub(crate) keyless: &'a KeylessArgs,
    /// cosign's options, some of which ask for services.
    pub(crate) cosign: &'a CosignSignArgs,
}

impl MethodArgs<'_> {
    /// Whether services are to prove the signature. A key needs none.
    fn with_services(&self) -> bool {
        let configured = self.keyless.services.signing_config.is_some();
        self.key.is_none() || configured || self.cosign.wants_services()
    }
}

/// With what is signed.
pub(crate) enum Method {
    /// A key, which the verifier has to know.
    Key(Signing),
    /// A key or certificates for an identity, and whatever services the config demands.
    Proven(Box<Proven>),
}

impl Method {
    /// What the options say.
    pub(crate) fn of(args: &MethodArgs<'_>, face: Face) -> Result<Self, CliError> {
        args.cosign.accept(args.with_services())?;
        let Some(key) = args.key else {
            if args.scheme.is_some() {
                return Err(CliError::new(
                    Code::UsageInvalid,
                    "`--scheme` says how a key signs, and there is none",
                )
                .hint("leave it out: without a key, ECDSA on P-256 signs"));
            }
            return Proven::by_identity(args.keyless, face).map(Box::new).map(Self::Proven);
        };
        let key = runtime::wait(key_file::signer(key, &password::source(args.password)))?;
        let signing = Signing::new(key, args.scheme)?;
        match args.with_services() {
            true => Proven::by_key(signing, &args.keyless.services, face).map(Box::new).map(Self::Proven),
            false => Ok(Self::Key(signing)),
        }
    }

    /// The hash that a message must be given as; none if only a statement over its SHA-256 can be signed.
    pub(crate) fn message_digest(&self) -> Option<DigestAlgorithm> {
        match self {
            Self::Key(signing) => signing.message_digest(),
            Self::Proven(proven) => proven.message_digest(),
        }
    }

    /// Who signs, if it is not a key that the user gave.
    pub(crate) async fn identity(&self) -> Result<Option<String>, Stop> {
        match self {
            Self::Key(_) => Ok(None),
            Self::Proven(proven) => proven.identity().await,
        }
    }

    /// Trust in whoever signs alone, for a signature that names the very repository and has these
    /// annotations: what a rerun looks for.
    pub(crate) async fn own_trust(&self, annotations: &[(String, String)]) -> Result<Trust, Stop> {
        match self {
            Self::Key(signing) => {
                let public = signing.public_key();
                let principal = Principal::Key(KeyReference::id(public.id()));
                let snapshot = TrustSnapshot::from_keys([public]);
                Ok(own_trust(snapshot, principal, annotations, |rule| rule)?)
            }
            Self::Proven(proven) => proven.own_trust(annotations).await,
        }
    }

    /// A bundle with a statement about `digest` that says no more than "signed".
    pub(crate) async fn statement(
        &self,
        name: Option<String>,
        digest: Digest,
        annotations: &[(String, String)],
    ) -> Result<String, Stop> {
        match self {
            Self::Key(signing) => signing.bundle(signing.statement(name, digest, annotations).await?),
            Self::Proven(proven) => proven.statement(name, digest, annotations).await,
        }
    }

    /// A bundle with a signature over the message that has `digest`, by [`Self::message_digest`].
    pub(crate) async fn message(&self, digest: Digest) -> Result<String, Stop> {
        match self {
            Self::Key(signing) => signing.bundle(signing.message(digest).await?),
            Self::Proven(proven) => proven.message(digest).await,
        }
    }

    /// A simple signature: that `digest` is the image called `reference`.
    pub(crate) async fn simple(
        &self,
        reference: &str,
        digest: Digest,
        annotations: &[(String, String)],
    ) -> Result<LegacySignature, Stop> {
        match self {
            Self::Key(signing) => signing.simple(reference, digest, annotations).await,
            Self::Proven(_) => Err(no_legacy().into()),
        }
    }

    /// Refuses what readers of the legacy format do not agree on.
    pub(crate) fn fits_legacy(&self) -> Result<(), CliError> {
        match self {
            Self::Key(signing) => signing.fits_legacy(),
            Self::Proven(_) => Err(no_legacy()),
        }
    }
}

/// Trust in one signer, by a rule with the proofs that are to be demanded.
pub(crate) fn own_trust(
    snapshot: TrustSnapshot,
    principal: Principal,
    annotations: &[(String, String)],
    demand: impl FnOnce(Rule) -> Rule,
) -> Result<Trust, CliError> {
    let principals = BTreeMap::from([("signer".to_owned(), principal)]);
    let annotations = annotations.iter().cloned().collect();
    let rule = demand(Rule { annotations, ..Rule::any_of(principals.keys().cloned()) });
    let mut policy = Policy::of_principals("own signature", principals, rule).map_err(CliError::internal)?;
    policy.spec.repository = RepositoryRule::Deny;
    Ok(Trust { snapshot, policy })
}

fn no_legacy() -> CliError {
    let detail = "the legacy format is written for keys and without proofs: podman and CRI-O, which read it, ask for a key";
    CliError::new(Code::AlgorithmNotInFormat, detail)
        .hint("sign with the default format, or give `--key` and no `--signing-config`")
}
