//! Who a timestamp authority is: its key and the certificates that say what the key is for.

use std::sync::Arc;

use signet_crypto::{KeyAlgorithm, Scheme};
use signet_formats::cms::CmsSigner;
use signet_formats::timestamp::TST_INFO;
use signet_formats::x509::{Certificate, NewExtension, TbsCertificate, key_id, oid};
use signet_keys::{Payload, PrivateKey, Signer};
use signet_store::DataDir;

use super::TsaError;
use crate::authority::{
    AuthorityError, DIGITAL_SIGNATURE, Issuer, KeyFiles, Subject, make_root, random_serial,
};

/// A signer and its chain, known to be a timestamp authority's.
pub struct Identity {
    signer: Arc<dyn Signer>,
    scheme: Scheme,
    cms: CmsSigner,
    /// Its own certificate first, its root last.
    chain: Vec<Certificate>,
}

impl Identity {
    /// The holder of this key, whose certificate is the first of the chain and whose root is the last.
    ///
    /// The certificate has to be an end entity's, with timestamping as its only purpose, critical
    /// (RFC 3161 §2.3); those above it have to be CAs.
    pub fn new(signer: Arc<dyn Signer>, chain: Vec<Certificate>) -> Result<Self, TsaError> {
        let refused = |why| Err(TsaError::Certificate { why });
        let [own, above @ ..] = chain.as_slice() else { return refused("there is none") };
        if own.spki() != signer.public_key().spki_der() {
            return Err(AuthorityError::OtherKey.into());
        }
        if above.is_empty() || !above.iter().all(Certificate::is_ca) {
            return refused("above the first there has to be a CA, and nothing but CAs");
        }
        if own.is_ca() {
            return refused("the first is a CA");
        }
        let only = own
            .extended_key_usage()
            .is_some_and(|usage| usage.critical && usage.purposes == [oid::TIME_STAMPING]);
        if !only {
            return refused("the purpose of the first is not timestamping alone, marked critical");
        }
        if own.key_usage().is_some_and(|usage| !usage.digital_signature()) {
            return refused("the key of the first may not make signatures");
        }
        let usable =
            signer.schemes().iter().find_map(|scheme| Some((*scheme, CmsSigner::new(own, *scheme)?)));
        let (scheme, cms) = usable.ok_or(AuthorityError::Unwritable)?;
        Ok(Self { signer, scheme, cms, chain })
    }

    /// The authority's certificate first, its root last.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// Whether the directory holds an identity.
    pub(super) fn is_in(dir: &DataDir) -> bool {
        !matches!(leaf_files(dir).read(), Ok(None))
    }

    /// The identity that the directory holds; if there is none, a new one under a new root.
    pub(super) async fn of_directory(dir: &DataDir, now: i64, development: bool) -> Result<Self, TsaError> {
        if let Some((key, chain)) = leaf_files(dir).read()? {
            return Self::new(Arc::new(key), chain);
        }
        let (organization, common_name) = match development {
            true => ("Signet development, not for production", "Signet development timestamp authority"),
            false => ("Signet", "Signet timestamp authority"),
        };
        let start = now - CLOCKS_DIFFER;
        let root_name = Subject { organization, common_name: &format!("{common_name} root") };
        let (root_key, root) = make_root(&root_name, (start, start + ROOT_LIFE)).await?;
        KeyFiles::new(dir.path(), "root").write(dir.disk(), &root_key, std::slice::from_ref(&root))?;
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(AuthorityError::Key)?;
        let tbs = TbsCertificate {
            serial: random_serial()?,
            issuer: root.subject().der().to_vec(),
            subject: Subject { organization, common_name }.to_der(),
            not_before: start,
            not_after: start + LEAF_LIFE,
            key: key.public_key().clone(),
            extensions: vec![
                NewExtension::key_usage(&[DIGITAL_SIGNATURE]),
                NewExtension::purpose(oid::TIME_STAMPING, true),
                NewExtension::subject_key_id(&key_id(key.public_key())),
                NewExtension::authority_key_id(&key_id(root_key.public_key())),
            ],
        };
        let issuer = Issuer::new(Arc::new(root_key), vec![root.clone()])?;
        let chain = vec![issuer.issue(&tbs).await?, root];
        leaf_files(dir).write(dir.disk(), &key, &chain)?;
        Self::new(Arc::new(key), chain)
    }

    /// The token of this content; `None` if the key does not sign.
    pub(super) async fn sign(
        &self,
        content: &[u8],
        seconds: i64,
        with_certificates: bool,
    ) -> Option<Vec<u8>> {
        let to_be_signed = self.cms.prepare(TST_INFO, content, seconds).ok()?;
        let signed = self.signer.sign(self.scheme, Payload::Message(to_be_signed.bytes())).await;
        let signature =
            signed.inspect_err(|error| tracing::error!(%error, "no timestamp was signed")).ok()?;
        // All but the root, which whoever verifies has from elsewhere.
        let sent = if with_certificates { self.chain.len() - 1 } else { 0 };
        let certificates: Vec<&[u8]> = self.chain.iter().take(sent).map(Certificate::der).collect();
        Some(to_be_signed.signed(&signature, &certificates))
    }
}

fn leaf_files(dir: &DataDir) -> KeyFiles {
    KeyFiles::new(dir.path(), "tsa")
}

/// Verifiers' clocks may be behind ours.
const CLOCKS_DIFFER: i64 = 5 * 60;
const YEAR: i64 = 365 * 24 * 60 * 60;
const ROOT_LIFE: i64 = 20 * YEAR;
const LEAF_LIFE: i64 = 10 * YEAR;
