//! Signing without a key that anybody keeps: an identity token, a certificate for a key that lives as long as
//! this process, entries of logs, timestamps; and all of it verified before anybody sees it.

mod identity;
mod services;
mod tokens;

use std::path::Path;

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::base64::Base64;
use signet_formats::bundle::{Bundle, Content, Material, Version};
use signet_formats::in_toto::{MAX_STATEMENT_BYTES, Statement};
use signet_services::trust::SIGNING_CONFIG;
use signet_verify::{
    Code, Content as EvidenceContent, Evidence, EvidenceItem, PredicateRule, Subject, TrustSnapshot, decide,
};

use crate::args::KeylessArgs;
use crate::error::{CliError, Stop};
use crate::face::Face;
use crate::trust::{self, Trust};
use crate::{clock, method, pinned};
use identity::{Identities, Identity};
use services::Services;

/// Who signs and with which services, for one run of a command.
pub(crate) struct Keyless {
    services: Services,
    identities: Identities,
    root: TrustSnapshot,
}

impl Keyless {
    /// What the options say. Nothing is asked for yet.
    pub(crate) fn new(args: &KeylessArgs, face: Face) -> Result<Self, CliError> {
        let authorities = args.services_cacert.as_deref();
        let (services, root) = match (&args.signing_config, &args.trusted_root) {
            (Some(config), Some(root)) => {
                let root = trust::trusted_root(root)?;
                (Services::read(config, authorities, &root)?, root)
            }
            _ if pinned::is_there() => {
                pinned::refresh()?;
                let (config, root) = (pinned::signing_config()?, pinned::trusted_root()?);
                (Services::of(&config, Path::new(SIGNING_CONFIG), authorities, &root)?, root)
            }
            _ => {
                return Err(CliError::new(
                    Code::SigningUnconfigured,
                    "neither a key nor services were given",
                ));
            }
        };
        let identities = Identities::new(args, &services, face)?;
        let keyless = Self { services, identities, root };
        keyless.tell_what_is_missing(face);
        Ok(keyless)
    }

    /// Who signs, and who vouches for it.
    pub(crate) async fn identity(&self) -> Result<String, Stop> {
        Ok(self.identities.current(&self.services).await?.to_string())
    }

    /// Trust in this identity alone, with all the proofs that the services give.
    pub(crate) async fn own_trust(&self, annotations: &[(String, String)]) -> Result<Trust, Stop> {
        let identity = self.identities.current(&self.services).await?;
        Ok(self.trust_in(&identity, annotations)?)
    }

    /// A bundle with a statement about `digest` that says no more than "signed".
    pub(crate) async fn statement(
        &self,
        name: Option<String>,
        digest: Digest,
        annotations: &[(String, String)],
    ) -> Result<String, Stop> {
        let identity = self.identities.current(&self.services).await?;
        let content = identity.signing().statement(name.clone(), digest, annotations).await?;
        let subject = Subject { name, ..Subject::of(digest) };
        self.bundle(&identity, content, &subject, &self.trust_in(&identity, annotations)?).await
    }

    /// A bundle with a signature over the message that has `digest`.
    pub(crate) async fn message(&self, digest: Digest) -> Result<String, Stop> {
        let identity = self.identities.current(&self.services).await?;
        let content = identity.signing().message(digest).await?;
        self.bundle(&identity, content, &Subject::of(digest), &self.trust_in(&identity, &[])?).await
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
        let identity = self.identities.current(&self.services).await?;
        let mut trust = self.trust_in(&identity, &[])?;
        trust.policy.spec.rules.iter_mut().for_each(|rule| rule.predicate_type = PredicateRule::Any);
        let content = identity.signing().envelope(payload).await?;
        self.bundle(&identity, content, &subject, &trust).await
    }

    /// Verifiers ask for an entry of a log and a promise of one for certificates, unless they are told not to.
    fn tell_what_is_missing(&self, face: Face) {
        let (logs, _) = self.services.counts();
        let missing = [
            (logs == 0, "the signing config names no log", "--insecure-ignore-tlog"),
            (
                self.root.certificate_logs.is_empty(),
                "the trust root has no log of certificates",
                "--insecure-ignore-sct",
            ),
        ];
        for (_, what, option) in missing.iter().filter(|(missing, ..)| *missing) {
            // A note that cannot be written changes nothing of what is signed.
            let _ = face.note(&format!("note: {what}; who verifies has to say `{option}`"));
        }
    }

    /// Logs and stamps the signature, and lets out nothing that would not verify.
    async fn bundle(
        &self,
        identity: &Identity,
        content: Content,
        subject: &Subject,
        trust: &Trust,
    ) -> Result<String, Stop> {
        let proofs = self.services.prove(identity, &content).await?;
        let bundle = Bundle {
            version: Version::V03,
            content,
            material: Material::Certificate(identity.certificate().der().to_vec()),
            tlog_entries: proofs.entries,
            timestamps: proofs.timestamps,
        };
        let json = bundle.to_json().map_err(CliError::internal)?;
        verified(json.as_bytes(), subject, trust)?;
        Ok(json)
    }

    fn trust_in(&self, identity: &Identity, annotations: &[(String, String)]) -> Result<Trust, CliError> {
        let (logs, stamps) = self.services.counts();
        // An instance without logs of certificates has none in its root.
        let promises = u32::from(!self.root.certificate_logs.is_empty());
        method::own_trust(self.root.clone(), identity.principal(), annotations, |mut rule| {
            rule.log_entries = Some(logs);
            rule.timestamps = stamps;
            rule.certificate_timestamps = Some(promises);
            rule
        })
    }
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
