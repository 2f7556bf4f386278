//! Making signatures in the formats that Signet writes. What is signed is built here; where it goes is not known.

use signet_crypto::{Digest, DigestAlgorithm, PublicKey, Scheme};
use signet_formats::base64;
use signet_formats::bundle::{Bundle, Content, Material, Version};
use signet_formats::cosign::{LegacyMaterial, LegacySignature};
use signet_formats::dsse::{Envelope, IN_TOTO_PAYLOAD_TYPE, Signature, pae};
use signet_formats::in_toto::{Statement, Subject};
use signet_formats::simple_signing::SimpleSigning;
use signet_keys::{Payload, Signer};
use signet_verify::Code;

use crate::error::{CliError, Stop};

/// A key and how it signs.
pub(crate) struct Signing {
    signer: Box<dyn Signer>,
    scheme: Scheme,
}

impl Signing {
    /// Signs with the scheme asked for, else with the key's own.
    pub(crate) fn new(signer: Box<dyn Signer>, asked: Option<Scheme>) -> Result<Self, CliError> {
        let scheme = asked.or_else(|| signer.schemes().first().copied());
        let scheme = scheme.filter(|scheme| signer.schemes().contains(scheme));
        let scheme = scheme.ok_or_else(|| {
            let algorithm = signer.public_key().algorithm();
            let names: Vec<&str> = signer.schemes().iter().map(|scheme| scheme.name()).collect();
            let detail = format!("a key of algorithm {algorithm} signs as {}", names.join(" or "));
            CliError::new(Code::AlgorithmNotInFormat, detail).hint("leave out `--scheme`, or use another key")
        })?;
        Ok(Self { signer, scheme })
    }

    /// The public half of the key.
    pub(crate) fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    /// The scheme it signs with.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The hash that a message must be given as; none if only a statement over its SHA-256 can be signed.
    pub(crate) fn message_digest(&self) -> Option<DigestAlgorithm> {
        self.scheme.digest()
    }

    /// A statement about `digest` that says no more than "signed".
    pub(crate) async fn statement(
        &self,
        name: Option<String>,
        digest: Digest,
        annotations: &[(String, String)],
    ) -> Result<Content, Stop> {
        let annotations = annotations.iter().cloned().collect();
        let subject = Subject { name, annotations, ..Subject::of(digest) };
        let payload = Statement::signed(vec![subject]).to_json().map_err(CliError::internal)?.into_bytes();
        self.envelope(payload).await
    }

    /// A statement that somebody else wrote, whatever it says.
    pub(crate) async fn envelope(&self, payload: Vec<u8>) -> Result<Content, Stop> {
        let message = pae(IN_TOTO_PAYLOAD_TYPE, &payload);
        let sig = self.signer.sign(self.scheme, Payload::Message(&message)).await?;
        let signatures = vec![Signature { sig, keyid: None }];
        Ok(Content::Dsse(Envelope { payload, payload_type: IN_TOTO_PAYLOAD_TYPE.to_owned(), signatures }))
    }

    /// A signature over the message that has `digest`, by [`Self::message_digest`].
    pub(crate) async fn message(&self, digest: Digest) -> Result<Content, Stop> {
        let signature = self.signer.sign(self.scheme, Payload::Digest(&digest)).await?;
        Ok(Content::MessageSignature { digest: Some(digest), signature })
    }

    /// The signature over a text that proves that the key is at hand.
    pub(crate) async fn proof(&self, challenge: &str) -> Result<Vec<u8>, Stop> {
        Ok(self.signer.sign(self.scheme, Payload::Message(challenge.as_bytes())).await?)
    }

    /// A simple signature: that `digest` is the image called `reference`.
    pub(crate) async fn simple(
        &self,
        reference: &str,
        digest: Digest,
        annotations: &[(String, String)],
    ) -> Result<LegacySignature, Stop> {
        self.fits_legacy()?;
        let optional = annotations.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let claim = SimpleSigning { optional, ..SimpleSigning::cosign(reference, digest) };
        let payload = claim.to_json().map_err(CliError::internal)?.into_bytes();
        let signature = self.signer.sign(self.scheme, Payload::Message(&payload)).await?;
        Ok(LegacySignature { payload, signature, material: LegacyMaterial::default() })
    }

    /// Refuses what readers of the legacy format do not agree on.
    pub(crate) fn fits_legacy(&self) -> Result<(), CliError> {
        match self.scheme {
            Scheme::EcdsaP256Sha256 | Scheme::RsaPkcs1Sha256 => Ok(()),
            scheme => Err(CliError::new(
                Code::AlgorithmNotInFormat,
                format!("{scheme} is not read by podman and CRI-O"),
            )),
        }
    }

    /// What a bundle names a key by that the verifier has to know.
    pub(crate) fn hint(&self) -> Material {
        Material::PublicKeyHint(base64::encode(self.signer.public_key().id().as_bytes()))
    }

    /// The bundle of what this key signed, without any proof.
    pub(crate) fn bundle(&self, content: Content) -> Result<String, Stop> {
        let bundle = Bundle {
            version: Version::V03,
            content,
            material: self.hint(),
            tlog_entries: Vec::new(),
            timestamps: Vec::new(),
        };
        Ok(bundle.to_json().map_err(CliError::internal)?)
    }
}
