//! Signatures that services prove: entries of logs and timestamps, for a key that verifiers know or for a certificate
//! of an identity, whose key lives as long as this process. All of it is verified before anybody sees it.

mod config;
mod identity;
mod root;
mod services;
mod signatory;
mod tokens;

use std::path::Path;
use std::sync::Arc;

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::base64::Base64;
use signet_formats::bundle::{Bundle, Content, Version};
use signet_formats::in_toto::{MAX_STATEMENT_BYTES, Statement};
use signet_services::trust::SIGNING_CONFIG;
use signet_verify::{
    Code, Content as EvidenceContent, Evidence, EvidenceItem, PredicateRule, Subject, decide,
};

use crate::args::{KeylessArgs, ServicesArgs};
use crate::error::{CliError, Stop};
use crate::face::Face;
use crate::signing::Signing;
use crate::trust::{self, Trust};
use crate::{clock, method, pinned};
use config::Config;
use identity::Identities;
use root::Root;
use services::Services;
use signatory::Signatory;

/// Who signs and with which services, for one run of a command.
pub(crate) struct Proven {
    services: Services,
    signatories: Signatories,
    root: Root,
}

enum Signatories {
    /// Always this key.
    Key(Arc<Signatory>),
    /// An identity, certified when it is needed.
    Identity(Identities),
}

impl Proven {
    /// By an identity, as the options say. Nothing is asked for yet.
    pub(crate) fn by_identity(args: &KeylessArgs, face: Face) -> Result<Self, CliError> {
        let (config, root) = configured(&args.services, face)?;
        let proven = Self {
            services: Services::of(&config, args.services.services_cacert.as_deref(), &root.current())?,
            signatories: Signatories::Identity(Identities::new(args, config.authority()?, face)),
            root,
        };
        proven.tell_what_is_missing(face);
        Ok(proven)
    }

    /// By a key, with the services of the config that was given.
    pub(crate) fn by_key(signing: Signing, args: &ServicesArgs, face: Face) -> Result<Self, CliError> {
        let (config, root) = configured(args, face).map_err(|error| match error.code {
            Code::SigningUnconfigured => error.hint(NO_SERVICES),
            _ => error,
        })?;
        let services = Services::of(&config, args.services_cacert.as_deref(), &root.current())?;
        if services.counts() == (0, 0) {
            return Err(config
                .invalid("it names neither a log nor a timestamp authority")
                .hint("a key needs nothing else: leave `--signing-config` out to sign without services"));
        }
        services.take(&signing)?;
        let root = root.and_key(signing.public_key());
        Ok(Self { services, signatories: Signatories::Key(Arc::new(Signatory::of_key(signing))), root })
    }

    /// Who signs, and who vouches for it; `None` if it is a key.
    pub(crate) async fn identity(&self) -> Result<Option<String>, Stop> {
        Ok(self.signatory().await?.identity())
    }

    /// The hash that a message must be given as; none if only a statement over its SHA-256 can be signed.
    pub(crate) fn message_digest(&self) -> Option<DigestAlgorithm> {
        match &self.signatories {
            Signatories::Key(signatory) => signatory.signing().message_digest(),
            Signatories::Identity(_) => Some(DigestAlgorithm::Sha256),
        }
    }

    /// Trust in this signer alone, with all the proofs that the services give.
    pub(crate) async fn own_trust(&self, annotations: &[(String, String)]) -> Result<Trust, Stop> {
        let signatory = self.signatory().await?;
        Ok(self.trust_in(&signatory, annotations)?)
    }

    /// A bundle with a statement about `digest` that says no more than "signed".
    pub(crate) async fn statement(
        &self,
        name: Option<String>,
        digest: Digest,
        annotations: &[(String, String)],
    ) -> Result<String, Stop> {
        let signatory = self.signatory().await?;
        let content = signatory.signing().statement(name.clone(), digest, annotations).await?;
        let subject = Subject { name, ..Subject::of(digest) };
        self.bundle(&signatory, content, &subject, &self.trust_in(&signatory, annotations)?).await
    }

    /// A bundle with a signature over the message that has `digest`, by [`Self::message_digest`].
    pub(crate) async fn message(&self, digest: Digest) -> Result<String, Stop> {
        let signatory = self.signatory().await?;
        let content = signatory.signing().message(digest).await?;
        self.bundle(&signatory, content, &Subject::of(digest), &self.trust_in(&signatory, &[])?).await
    }

    /// A bundle with a statement that somebody else wrote, about its first subject.
    pub(crate) async fn envelope(&self, payload: Vec<u8>) -> Result<String, Stop> {
        let unusable = |why: String| CliError::new(Code::StatementMalformed, why);
        let statement = Statement::parse(&payload, MAX_STATEMENT_BYTES);
        let statement = statement.map_err(|error| unusable(error.to_string()))?;
        let stated = statement.subjects.into_iter().next().unwrap_or_default();
        let digest = stated.digests.first().copied();
        let digest = digest.ok_or_else(|| unusable("its first subject has no digest".to_owned()))?;
        let subject = Subject { name: stated.name, ..Subject::of(digest) };
        let signatory = self.signatory().await?;
        let mut trust = self.trust_in(&signatory, &[])?;
        trust.policy.spec.rules.iter_mut().for_each(|rule| rule.predicate_type = PredicateRule::Any);
        let content = signatory.signing().envelope(payload).await?;
        self.bundle(&signatory, content, &subject, &trust).await
    }

    /// Verifiers ask for an entry of a log and a promise of one for certificates, unless they are told not to.
    fn tell_what_is_missing(&self, face: Face) {
        let (logs, _) = self.services.counts();
        let missing = [
            (logs == 0, "the signing config names no log", "--insecure-ignore-tlog"),
            (
                self.root.current().certificate_logs.is_empty(),
                "the trust root has no log of certificates",
                "--insecure-ignore-sct",
            ),
        ];
        for (_, what, option) in missing.iter().filter(|(missing, ..)| *missing) {
            // A note that cannot be written changes nothing of what is signed.
            let _ = face.note(&format!("note: {what}; who verifies has to say `{option}`"));
        }
    }

    async fn signatory(&self) -> Result<Arc<Signatory>, Stop> {
        match &self.signatories {
            Signatories::Key(signatory) => Ok(Arc::clone(signatory)),
            Signatories::Identity(identities) => identities.current(&self.services.web).await,
        }
    }

    /// Logs and stamps the signature, and lets out nothing that would not verify.
    async fn bundle(
        &self,
        signatory: &Signatory,
        content: Content,
        subject: &Subject,
        trust: &Trust,
    ) -> Result<String, Stop> {
        let proofs = self.services.prove(signatory, &content).await?;
        let bundle = Bundle {
            version: Version::V03,
            content,
            material: signatory.material(),
            tlog_entries: proofs.entries,
            timestamps: proofs.timestamps,
        };
        let json = bundle.to_json().map_err(CliError::internal)?;
        let judged = verified(json.as_bytes(), subject, trust);
        if judged.is_err() && self.root.renew().await {
            let newer = Trust { snapshot: self.root.current(), policy: trust.policy.clone() };
            verified(json.as_bytes(), subject, &newer)?;
            return Ok(json);
        }
        judged.map(|()| json).map_err(Stop::from)
    }

    fn trust_in(&self, signatory: &Signatory, annotations: &[(String, String)]) -> Result<Trust, CliError> {
        let (logs, stamps) = self.services.counts();
        // An instance without logs of certificates has none in its root.
        let root = self.root.current();
        let promises = u32::from(!root.certificate_logs.is_empty());
        method::own_trust(root, signatory.principal(), annotations, |mut rule| {
            rule.log_entries = Some(logs);
            rule.timestamps = stamps;
            rule.certificate_timestamps = Some(promises);
            rule
        })
    }
}

/// The services and the root by which they are judged: of the files that were given, else those that are pinned.
fn configured(args: &ServicesArgs, face: Face) -> Result<(Config, Root), CliError> {
    if let (Some(config), Some(root)) = (&args.signing_config, &args.trusted_root) {
        return Ok((Config::read(config)?, Root::given(trust::trusted_root(root)?)));
    }
    let home = pinned::standard()?.ok_or_else(|| {
        CliError::new(Code::SigningUnconfigured, "no services were given, and no trust root is pinned")
    })?;
    pinned::refresh(&home, face)?;
    let config = Config::parse(&pinned::signing_config(&home)?, Path::new(SIGNING_CONFIG))?;
    let snapshot = pinned::trusted_root(&home)?;
    Ok((config, Root::pinned(snapshot, home)))
}

/// Verifies a bundle as others will, a moment from now.
fn verified(bundle: &[u8], subject: &Subject, trust: &Trust) -> Result<(), CliError> {
    let item = EvidenceItem {
        origin: "the new signature".to_owned(),
        content: EvidenceContent::Bundle { bytes: Base64(bundle.to_vec()) },
    };
    let evidence = Evidence { items: vec![item], ..Evidence::default() };
    let verdict = decide(subject, &evidence, &trust.snapshot, &trust.policy, clock::now() + MAX_SKEW);
    if verdict.is_allowed() {
        return Ok(());
    }
    let why = verdict.code.map_or_else(String::new, |code| format!("{code}: {}", code.title()));
    let hint = verdict.code.map_or_else(|| Code::OwnSignatureInvalid.hint(), Code::hint);
    Err(CliError::new(Code::OwnSignatureInvalid, format!("for {}, {why}", digest_of(subject))).hint(hint))
}

fn digest_of(subject: &Subject) -> String {
    let sha256 = subject.digests.iter().find(|digest| digest.algorithm() == DigestAlgorithm::Sha256);
    sha256.map_or_else(String::new, ToString::to_string)
}

/// How far the clocks of logs and timestamp authorities may be ahead of this one's, in seconds.
const MAX_SKEW: i64 = 60;
const NO_SERVICES: &str = "give `--signing-config FILE` and `--trusted-root FILE`, or pin a root that leads to both with `signet trust init`; without services the key signs if the option that asks for them is left out";
