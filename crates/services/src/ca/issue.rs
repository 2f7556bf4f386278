//! What a certificate says, and what has to be so before anybody gets it.

use signet_crypto::{Digest, PublicKey};
use signet_formats::sct::Sct;
use signet_formats::x509::{Certificate, NewExtension, TbsCertificate, distinguished_name, key_id, oid};

use super::{CtError, Inner, IssueError, PrecertEntry, Proof};
use crate::authority::{AuthorityError, DIGITAL_SIGNATURE, Issuer, random_serial};
use crate::journal::JournalError;
use crate::oidc::Identity;

impl Inner {
    pub(super) async fn issue(&self, token: &str, proof: &Proof) -> Result<Vec<Certificate>, IssueError> {
        let identity = self.verifier.verify(token).await?;
        let key = proof.check(&identity.challenge)?;
        self.limit(&identity)?;
        let now = self.clock.seconds();
        let hierarchy = self.hierarchy();
        let issuer = hierarchy.active(now).ok_or(IssueError::Expired)?;
        let own = issuer.certificate().ok_or(IssueError::Expired)?;
        if now + LIFE > own.not_after() {
            return Err(IssueError::Expired);
        }
        // Not after the promise: the log would show what nobody was ever given.
        if !self.audit.is_writing() {
            return Err(JournalError::Ended.into());
        }
        let mut tbs = certificate(&identity, &key, own, now)?;
        let sct = self.promise(issuer, &tbs).await?;
        tbs.extensions.push(NewExtension::sct_list(&[sct]).ok_or(AuthorityError::Unwritable)?);
        let issued = issuer.issue(&tbs).await?;
        self.audit.append(record(&identity, &issued, now)).await?;
        Ok([vec![issued], issuer.chain().to_vec()].concat())
    }

    fn limit(&self, identity: &Identity) -> Result<(), IssueError> {
        let now = self.clock.read().steady;
        let name = format!("{} {}", identity.issuer, identity.name.text().unwrap_or_default());
        let limited = |wait| IssueError::RateLimited { wait };
        self.identities.take(&name, now).map_err(limited)?;
        self.issuers.take(&identity.issuer, now).map_err(limited)
    }

    /// Has the log promise to publish the certificate, and checks that another's log did.
    async fn promise(&self, issuer: &Issuer, tbs: &TbsCertificate) -> Result<Sct, IssueError> {
        let mut poisoned = tbs.clone();
        poisoned.extensions.push(NewExtension::poison());
        let entry = PrecertEntry {
            precertificate: issuer.issue(&poisoned).await?,
            chain: issuer.chain().to_vec(),
            tbs: tbs.to_der(issuer.algorithm()).ok_or(AuthorityError::Unwritable)?,
        };
        let sct = self.log.add_pre_chain(&entry).await?;
        let is_signed = |keys: &[PublicKey]| {
            keys.iter().any(|key| sct.verify(key, &entry.issuer_key_hash(), &entry.tbs).is_ok())
        };
        match self.log.keys().is_none_or(is_signed) {
            true => Ok(sct),
            false => Err(CtError("its promise is not signed by its key".to_owned()).into()),
        }
    }
}

/// What the certificate says, in the order that Fulcio writes it.
fn certificate(
    identity: &Identity,
    key: &PublicKey,
    issuer: &Certificate,
    now: i64,
) -> Result<TbsCertificate, AuthorityError> {
    let mut extensions = vec![
        NewExtension::key_usage(&[DIGITAL_SIGNATURE]),
        NewExtension::purpose(oid::CODE_SIGNING, false),
        NewExtension::subject_key_id(&key_id(key)),
        NewExtension::authority_key_id(issuer.subject_key_id().unwrap_or_default()),
        NewExtension::subject_alt_name(&identity.name),
    ];
    extensions.extend(identity.extensions.iter().map(|(n, value)| NewExtension::fulcio(*n, value)));
    Ok(TbsCertificate {
        serial: random_serial()?,
        issuer: issuer.subject().der().to_vec(),
        subject: distinguished_name(&[]),
        not_before: now,
        not_after: now + LIFE,
        key: key.clone(),
        extensions,
    })
}

/// The audit record: one line of JSON.
fn record(identity: &Identity, issued: &Certificate, now: i64) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let record = serde_json::json!({
        "time": now,
        "serial": hex(issued.serial()),
        "certificate": issued.fingerprint().to_string(),
        "issuer": identity.issuer,
        "subject": identity.subject,
        "identity": identity.name.text(),
        "key": Digest::sha256(issued.spki()).to_string(),
        "notAfter": issued.not_after(),
        "extensions": identity.extensions,
    });
    record.to_string()
}

/// How long a certificate is valid, in seconds.
const LIFE: i64 = 10 * 60;
