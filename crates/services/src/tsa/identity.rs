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
    AuthorityError, DIGITAL_SIGNATURE, Issuer, Subject, each_issued_by_the_next, random_serial,
    refuse_directory, take_given,
};
use crate::given_key;
use crate::key_files::KeyFiles;
use crate::root::Root;
use crate::succession::{Certified, active, needs_next};

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
    /// (RFC 3161 §2.3); those above it have to be CAs, each the issuer of the one before. Whether they are valid now is
    /// not asked: they are used while they are.
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
        if !matches!(signer.public_key().algorithm(), KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384) {
            return refused("the key is neither of P-256 nor of P-384");
        }
        if !each_issued_by_the_next(&chain) {
            return refused("they are not each issued by the next");
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

    /// What signs its tokens.
    pub(super) fn signer(&self) -> &dyn Signer {
        self.signer.as_ref()
    }

    /// The token of this content; `None` if the key does not sign.
    pub(super) async fn sign(
        &self,
        content: &[u8],
        seconds: i64,
        with_certificates: bool,
    ) -> Option<Vec<u8>> {
        let to_be_signed = self.cms.prepare(TST_INFO, content, seconds).ok()?;
        let payload = Payload::Message(to_be_signed.bytes());
        let signed = given_key::sign(self.signer(), self.scheme, payload).await;
        let signature =
            signed.inspect_err(|error| tracing::debug!(%error, "no timestamp was signed")).ok()?;
        // All but the root, which whoever verifies has from elsewhere.
        let sent = if with_certificates { self.chain.len() - 1 } else { 0 };
        let certificates: Vec<&[u8]> = self.chain.iter().take(sent).map(Certificate::der).collect();
        Some(to_be_signed.signed(&signature, &certificates))
    }
}

impl Certified for Identity {
    fn certificate(&self) -> Option<&Certificate> {
        self.chain.first()
    }
}

/// What an authority signs with: never empty, the oldest first.
pub(super) struct Identities(Vec<Identity>);

impl Identities {
    /// One whose key and certificates come from elsewhere, as the directory says from now on.
    pub(super) fn given(dir: &DataDir, identity: Identity, development: bool) -> Result<Self, TsaError> {
        take_given(dir, identity.chain(), development)?;
        Ok(Self(vec![identity]))
    }

    /// Whether there was an authority in the directory, with a key of its own or with one from elsewhere.
    pub(super) fn were_in(dir: &DataDir) -> bool {
        let is_new = |files: KeyFiles<'_>| !files.is_settled() && matches!(files.read(&leaf(0)), Ok(None));
        !KeyFiles::open(dir.disk(), dir.path()).is_ok_and(is_new)
    }

    /// Those that the directory holds; if there are none, one under a new root. One near its end is followed by a new one.
    pub(super) async fn of_directory(dir: &DataDir, now: i64, development: bool) -> Result<Self, TsaError> {
        refuse_directory(dir, false, development)?;
        let mut files = KeyFiles::open(dir.disk(), dir.path())?;
        let mut all = Vec::new();
        while let Some((key, chain)) = files.read(&leaf(all.len()))? {
            all.push(Identity::new(Arc::new(key), chain)?);
        }
        let root = root(&mut files, now, development).await?;
        if needs_next(&all, root.ends(), now)
            && let Some(root) = root.issuer(all.is_empty())?
        {
            let name = leaf(all.len());
            all.push(next(&mut files, &name, root, now, development).await?);
        }
        files.settle()?;
        Ok(Self(all))
    }

    /// The one to sign with now.
    pub(super) fn active(&self, now: i64) -> Option<&Identity> {
        active(&self.0, now)
    }

    /// The first of them, which is the only one if it was given.
    pub(super) fn first(&self) -> Option<&Identity> {
        self.0.first()
    }

    /// The chains that verifiers need to know.
    pub(super) fn chains(&self) -> impl Iterator<Item = &[Certificate]> {
        self.0.iter().map(Identity::chain)
    }
}

async fn root(files: &mut KeyFiles<'_>, now: i64, development: bool) -> Result<Root, AuthorityError> {
    let (organization, common_name) = names(development);
    let start = now - CLOCKS_DIFFER;
    let name = Subject { organization, common_name: &format!("{common_name} root") };
    Root::of_directory(files, &name, (start, start + ROOT_LIFE)).await
}

async fn next(
    files: &mut KeyFiles<'_>,
    name: &str,
    root: &Issuer,
    now: i64,
    development: bool,
) -> Result<Identity, TsaError> {
    let (organization, common_name) = names(development);
    let above = root.certificate().ok_or(AuthorityError::EmptyChain)?;
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(AuthorityError::Key)?;
    let start = now - CLOCKS_DIFFER;
    let tbs = TbsCertificate {
        serial: random_serial()?,
        issuer: above.subject().der().to_vec(),
        subject: Subject { organization, common_name }.to_der(),
        not_before: start,
        not_after: (start + LEAF_LIFE).min(above.not_after()),
        key: key.public_key().clone(),
        extensions: vec![
            NewExtension::key_usage(&[DIGITAL_SIGNATURE]),
            NewExtension::purpose(oid::TIME_STAMPING, true),
            NewExtension::subject_key_id(&key_id(key.public_key())),
            NewExtension::authority_key_id(above.subject_key_id().unwrap_or_default()),
        ],
    };
    let chain = [vec![root.issue(&tbs).await?], root.chain().to_vec()].concat();
    files.write(name, &key, &chain)?;
    Identity::new(Arc::new(key), chain)
}

fn names(development: bool) -> (&'static str, &'static str) {
    match development {
        true => ("Signet development, not for production", "Signet development timestamp authority"),
        false => ("Signet", "Signet timestamp authority"),
    }
}

fn leaf(number: usize) -> String {
    match number {
        0 => "tsa".to_owned(),
        _ => format!("tsa-{number}"),
    }
}

/// Verifiers' clocks may be behind ours.
const CLOCKS_DIFFER: i64 = 5 * 60;
const YEAR: i64 = 365 * 24 * 60 * 60;
const ROOT_LIFE: i64 = 20 * YEAR;
const LEAF_LIFE: i64 = 10 * YEAR;
