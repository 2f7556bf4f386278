//! Who issues certificates: a key that signs and the certificate that says so; and the root that an
//! authority makes for itself when it is given none.

use std::path::PathBuf;
use std::sync::Arc;

use signet_crypto::{KeyAlgorithm, Scheme};
use signet_formats::pem;
use signet_formats::x509::{
    Certificate, NewExtension, SignatureAlgorithm, TbsCertificate, distinguished_name, key_id, oid,
    signed_certificate,
};
use signet_keys::{FileError, Payload, PrivateKey, SignError, Signer, random};
use signet_store::DataDir;

use crate::given_key;
use crate::key_files::{GIVEN, KeyFiles};

/// A key that issues certificates.
#[derive(Clone)]
pub struct Issuer {
    signer: Arc<dyn Signer>,
    scheme: Scheme,
    algorithm: SignatureAlgorithm,
    /// Its own certificate first, its root last.
    chain: Arc<[Certificate]>,
}

impl Issuer {
    /// The issuer of this chain, whose first certificate has to be the signer's.
    pub fn new(signer: Arc<dyn Signer>, chain: Vec<Certificate>) -> Result<Self, AuthorityError> {
        let own = chain.first().ok_or(AuthorityError::EmptyChain)?;
        if own.spki() != signer.public_key().spki_der() {
            return Err(AuthorityError::OtherKey);
        }
        let (scheme, algorithm) = scheme_of(signer.as_ref())?;
        Ok(Self { signer, scheme, algorithm, chain: chain.into() })
    }

    /// The issuer's certificate.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.chain.first()
    }

    /// Its own certificate first, its root last.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// What signs its certificates.
    pub(crate) fn signer(&self) -> &dyn Signer {
        self.signer.as_ref()
    }

    /// The algorithm that its certificates are signed with.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Signs a certificate.
    pub async fn issue(&self, tbs: &TbsCertificate) -> Result<Certificate, AuthorityError> {
        sign_certificate(self.signer.as_ref(), self.scheme, self.algorithm, tbs).await
    }
}

/// A new serial number: 159 random bits, so that it is positive in 20 bytes (RFC 5280 §4.1.2.2).
pub fn random_serial() -> Result<Vec<u8>, AuthorityError> {
    let mut serial: [u8; 20] = random().map_err(AuthorityError::Key)?;
    let [first, ..] = &mut serial;
    // Never zero in front, so that all serial numbers are of one length.
    *first = *first & 0x7f | 0x40;
    Ok(serial.to_vec())
}

/// The PEM of certificates, one after another.
pub fn chain_pem(chain: &[Certificate]) -> String {
    chain.iter().map(|certificate| pem::encode(pem::CERTIFICATE, certificate.der())).collect()
}

/// Whether these are one chain.
pub(crate) fn each_issued_by_the_next(chain: &[Certificate]) -> bool {
    chain.iter().zip(chain.iter().skip(1)).all(|(below, above)| is_issued_by(below, above))
}

/// By name and by signature.
pub(crate) fn is_issued_by(below: &Certificate, above: &Certificate) -> bool {
    let is_signed = above.public_key().is_ok_and(|key| below.verify_issued_by(&key).is_ok());
    is_signed && below.issuer().der() == above.subject().der()
}

/// Refuses, before anything is made, to put into development what comes from elsewhere: strangers trust it already.
pub fn refuse_given(is_given: bool, development: bool) -> Result<(), AuthorityError> {
    match is_given && development {
        true => Err(AuthorityError::DevelopmentGiven),
        false => Ok(()),
    }
}

/// Refuses, before anything is made, to go on in this directory otherwise than it was begun.
pub fn refuse_directory(dir: &DataDir, is_given: bool, development: bool) -> Result<(), AuthorityError> {
    refuse_given(is_given, development)?;
    let files = KeyFiles::open(dir.disk(), dir.path())?;
    if !is_given && files.is_noted(GIVEN) {
        return Err(AuthorityError::Given);
    }
    match files.chain(ROOT)? {
        Some(own) => refuse_other_mode(own.first().ok_or(AuthorityError::EmptyChain)?, development),
        None => Ok(()),
    }
}

/// Has the authority of this directory use what it is given, from now on: it makes nothing for itself any more.
pub(crate) fn take_given(
    dir: &DataDir,
    chain: &[Certificate],
    development: bool,
) -> Result<(), AuthorityError> {
    let root = chain.last().ok_or(AuthorityError::EmptyChain)?;
    refuse_given(true, development || is_for_development(root))?;
    refuse_directory(dir, true, development)?;
    KeyFiles::open(dir.disk(), dir.path())?.note(GIVEN)
}

/// Refuses a directory whose root was made for development where another is wanted, and the other way round: what
/// one has signed would be trusted as the other's.
fn refuse_other_mode(root: &Certificate, development: bool) -> Result<(), AuthorityError> {
    match is_for_development(root) == development {
        true => Ok(()),
        false => Err(AuthorityError::Mode { development: !development }),
    }
}

fn is_for_development(root: &Certificate) -> bool {
    root.subject().to_string().contains(DEVELOPMENT)
}

/// Makes a root: a key and its own certificate.
pub async fn make_root(
    subject: &Subject<'_>,
    validity: (i64, i64),
) -> Result<(PrivateKey, Certificate), AuthorityError> {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP384).map_err(AuthorityError::Key)?;
    let id = key_id(key.public_key());
    let name = subject.to_der();
    let tbs = TbsCertificate {
        serial: random_serial()?,
        issuer: name.clone(),
        subject: name,
        not_before: validity.0,
        not_after: validity.1,
        key: key.public_key().clone(),
        extensions: vec![
            NewExtension::key_usage(&[KEY_CERT_SIGN, CRL_SIGN]),
            NewExtension::certificate_authority(Some(1)),
            NewExtension::subject_key_id(&id),
        ],
    };
    let (scheme, algorithm) = scheme_of(&key)?;
    let certificate = sign_certificate(&key, scheme, algorithm, &tbs).await?;
    Ok((key, certificate))
}

/// The name of an authority.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The organization.
    pub organization: &'a str,
    /// The common name.
    pub common_name: &'a str,
}

impl Subject<'_> {
    /// The DER of the name.
    pub fn to_der(&self) -> Vec<u8> {
        distinguished_name(&[(oid::ORGANIZATION, self.organization), (oid::COMMON_NAME, self.common_name)])
    }
}

/// Why an authority cannot be used, or did not issue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The file is not a chain of certificates.
    #[error("`{}` is not a PEM chain of certificates", path.display())]
    Chain {
        /// The file.
        path: PathBuf,
    },
    /// Keys from elsewhere in development, or those of development elsewhere.
    #[error("an authority for development makes its own key and certificates, for itself alone")]
    DevelopmentGiven,
    /// A chain without certificates.
    #[error("the certificate chain is empty")]
    EmptyChain,
    /// The authority has used a key from elsewhere, and is not given one now.
    #[error(
        "the authority in this directory uses a key and certificates from elsewhere, which were not given"
    )]
    Given,
    /// The disk failed.
    #[error("`{}`: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A key could not be made.
    #[error(transparent)]
    Key(signet_keys::Error),
    /// A key file is unusable.
    #[error(transparent)]
    KeyFile(#[from] FileError),
    /// A file that was made is gone.
    #[error("`{}` was made and is gone: restore it from a backup", path.display())]
    Lost {
        /// The file.
        path: PathBuf,
    },
    /// What is there is for development, or is not, and the other was asked for.
    #[error("the authority in this directory was {}made for development", if *development { "" } else { "not " })]
    Mode {
        /// Whether it is for development.
        development: bool,
    },
    /// Nobody could verify what an authority with these certificates issues.
    #[error("the certificates do not make a certificate authority: {why}")]
    NotACa {
        /// The rule that is broken.
        why: &'static str,
    },
    /// The chain begins with the certificate of another key.
    #[error("the first certificate of the chain is not that of the signing key")]
    OtherKey,
    /// There is nothing to go on with until the root's key is put back.
    #[error("the next certificate is made with `{}`, which is not there", path.display())]
    RootElsewhere {
        /// The file.
        path: PathBuf,
    },
    /// The signer did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The signer's algorithm has no name in certificates, or a time no text.
    #[error("a certificate cannot be written with this key or these times")]
    Unwritable,
}

/// The first scheme of the signer that certificates have a name for.
pub(crate) fn scheme_of(signer: &dyn Signer) -> Result<(Scheme, SignatureAlgorithm), AuthorityError> {
    let named = |scheme: &Scheme| {
        let algorithm = SignatureAlgorithm::of_scheme(*scheme)?;
        algorithm.identifier().map(|_| (*scheme, algorithm))
    };
    signer.schemes().iter().find_map(named).ok_or(AuthorityError::Unwritable)
}

async fn sign_certificate(
    signer: &dyn Signer,
    scheme: Scheme,
    algorithm: SignatureAlgorithm,
    tbs: &TbsCertificate,
) -> Result<Certificate, AuthorityError> {
    let tbs = tbs.to_der(algorithm).ok_or(AuthorityError::Unwritable)?;
    let signature = given_key::sign(signer, scheme, Payload::Message(&tbs)).await?;
    let der = signed_certificate(&tbs, algorithm, &signature).ok_or(AuthorityError::Unwritable)?;
    Certificate::from_der(&der).map_err(|_| AuthorityError::Unwritable)
}

/// The name of the files of an authority's own root.
pub(crate) const ROOT: &str = "root";
/// What the name of an authority that is for development begins with.
pub(crate) const DEVELOPMENT: &str = "Signet development";
/// Bits of keyUsage (RFC 5280 §4.2.1.3).
pub(crate) const DIGITAL_SIGNATURE: u32 = 0;
pub(crate) const KEY_CERT_SIGN: u32 = 5;
pub(crate) const CRL_SIGN: u32 = 6;
