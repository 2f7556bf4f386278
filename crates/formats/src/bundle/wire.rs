//! The bundle as it is written, in proto3 JSON.

use serde::{Deserialize, Serialize};
use signet_crypto::Digest;

use super::{Bundle, BundleError, Content, MAX_CHAIN, MAX_TIMESTAMPS, MAX_TLOG_ENTRIES, Material, Version};
use crate::bounded::List;
use crate::dsse::WireEnvelope;
use crate::oci::media_type::SIGSTORE_BUNDLE;
use crate::proto_json::{self, EnumValue, FieldError, HASH_ALGORITHMS, Text};
use crate::rekor::WireEntry;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireBundle<'a> {
    #[serde(borrow, alias = "media_type", default)]
    media_type: Option<Text<'a>>,
    #[serde(borrow, alias = "verification_material", default)]
    verification_material: Option<WireMaterial<'a>>,
    #[serde(borrow, alias = "message_signature", default, skip_serializing_if = "Option::is_none")]
    message_signature: Option<WireMessageSignature<'a>>,
    #[serde(borrow, alias = "dsse_envelope", default, skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<WireEnvelope<'a>>,
}

impl<'a> WireBundle<'a> {
    pub(super) fn read(self) -> Result<Bundle, BundleError> {
        let media_type = proto_json::required(self.media_type, "mediaType")?.into_str();
        let version = Version::of_media_type(&media_type)
            .ok_or_else(|| BundleError::UnknownVersion(media_type.into_owned()))?;
        let content = match (self.message_signature, self.dsse_envelope) {
            (Some(message), None) => message.read()?,
            (None, Some(envelope)) => Content::Dsse(envelope.read()?),
            (None, None) => return Err(BundleError::OneOf { field: "content", values: 0 }),
            (Some(_), Some(_)) => return Err(BundleError::OneOf { field: "content", values: 2 }),
        };
        let mut wire = proto_json::required(self.verification_material, "verificationMaterial")?;
        let entries = proto_json::list(wire.tlog_entries.take(), "tlogEntries")?;
        let tlog_entries = entries.into_iter().map(WireEntry::read).collect::<Result<_, _>>()?;
        let timestamps = wire.timestamp_verification_data.take().map_or(Ok(vec![]), WireTimestamps::read)?;
        Ok(Bundle { version, content, material: wire.read()?, tlog_entries, timestamps })
    }

    pub(super) fn of(bundle: &'a Bundle) -> Self {
        let (message_signature, dsse_envelope) = match &bundle.content {
            Content::MessageSignature { digest, signature } => {
                (Some(WireMessageSignature::of(digest.as_ref(), signature)), None)
            }
            Content::Dsse(envelope) => (None, Some(WireEnvelope::of(envelope))),
        };
        Self {
            media_type: Some(SIGSTORE_BUNDLE.into()),
            verification_material: Some(WireMaterial::of(bundle)),
            message_signature,
            dsse_envelope,
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMaterial<'a> {
    #[serde(borrow, alias = "public_key", default, skip_serializing_if = "Option::is_none")]
    public_key: Option<WirePublicKey<'a>>,
    #[serde(borrow, alias = "x509_certificate_chain", default, skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<WireChain<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    certificate: Option<WireRaw<'a>>,
    #[serde(borrow, alias = "tlog_entries", default, skip_serializing_if = "Option::is_none")]
    tlog_entries: Option<List<WireEntry<'a>, MAX_TLOG_ENTRIES>>,
    #[serde(borrow, alias = "timestamp_verification_data", default, skip_serializing_if = "Option::is_none")]
    timestamp_verification_data: Option<WireTimestamps<'a>>,
}

impl<'a> WireMaterial<'a> {
    fn read(self) -> Result<Material, BundleError> {
        match (self.public_key, self.x509_certificate_chain, self.certificate) {
            (Some(key), None, None) => Ok(Material::PublicKeyHint(
                key.hint.map(|hint| hint.into_str().into_owned()).unwrap_or_default(),
            )),
            (None, Some(chain), None) => chain.read().map(Material::Chain),
            (None, None, Some(raw)) => {
                Ok(Material::Certificate(proto_json::bytes(raw.raw_bytes, "certificate.rawBytes")?))
            }
            (key, chain, certificate) => {
                let present = [key.is_some(), chain.is_some(), certificate.is_some()];
                let values = present.into_iter().filter(|there| *there).count();
                Err(BundleError::OneOf { field: "verificationMaterial", values })
            }
        }
    }

    fn of(bundle: &'a Bundle) -> Self {
        let raw = |der: &'a Vec<u8>| WireRaw { raw_bytes: Some(Text::Base64(der)) };
        let (mut public_key, mut chain, mut certificate) = (None, None, None);
        match &bundle.material {
            Material::PublicKeyHint(hint) => {
                public_key = Some(WirePublicKey { hint: Some(hint.as_str().into()) });
            }
            Material::Certificate(der) => certificate = Some(raw(der)),
            Material::Chain(ders) => {
                chain = Some(WireChain { certificates: Some(ders.iter().map(raw).collect()) });
            }
        }
        let stamp = |der: &'a Vec<u8>| WireTimestamp { signed_timestamp: Some(Text::Base64(der)) };
        let stamps = bundle.timestamps.iter().map(stamp).collect::<List<_, MAX_TIMESTAMPS>>();
        Self {
            public_key,
            x509_certificate_chain: chain,
            certificate,
            tlog_entries: Some(bundle.tlog_entries.iter().map(WireEntry::of).collect()),
            timestamp_verification_data: Some(stamps)
                .filter(|stamps| stamps.count > 0)
                .map(|stamps| WireTimestamps { rfc3161_timestamps: Some(stamps) }),
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WirePublicKey<'a> {
    #[serde(borrow, default)]
    hint: Option<Text<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireChain<'a> {
    #[serde(borrow, default)]
    certificates: Option<List<WireRaw<'a>, MAX_CHAIN>>,
}

impl WireChain<'_> {
    fn read(self) -> Result<Vec<Vec<u8>>, BundleError> {
        let certificates = proto_json::list(self.certificates, "x509CertificateChain")?;
        if certificates.is_empty() {
            return Err(BundleError::EmptyChain);
        }
        let der = |raw: WireRaw<'_>| proto_json::bytes(raw.raw_bytes, "x509CertificateChain.rawBytes");
        Ok(certificates.into_iter().map(der).collect::<Result<_, FieldError>>()?)
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireRaw<'a> {
    #[serde(borrow, alias = "raw_bytes", default)]
    raw_bytes: Option<Text<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireTimestamps<'a> {
    #[serde(borrow, rename = "rfc3161Timestamps", alias = "rfc3161_timestamps", default)]
    rfc3161_timestamps: Option<List<WireTimestamp<'a>, MAX_TIMESTAMPS>>,
}

impl WireTimestamps<'_> {
    fn read(self) -> Result<Vec<Vec<u8>>, FieldError> {
        let stamps = proto_json::list(self.rfc3161_timestamps, "rfc3161Timestamps")?;
        stamps
            .into_iter()
            .map(|stamp| proto_json::folded_bytes(stamp.signed_timestamp, "signedTimestamp"))
            .collect()
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireTimestamp<'a> {
    #[serde(borrow, alias = "signed_timestamp", default)]
    signed_timestamp: Option<Text<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMessageSignature<'a> {
    #[serde(borrow, alias = "message_digest", default, skip_serializing_if = "Option::is_none")]
    message_digest: Option<WireDigest<'a>>,
    #[serde(borrow, default)]
    signature: Option<Text<'a>>,
}

impl<'a> WireMessageSignature<'a> {
    fn read(self) -> Result<Content, BundleError> {
        Ok(Content::MessageSignature {
            digest: self.message_digest.filter(WireDigest::is_stated).map(WireDigest::read).transpose()?,
            signature: proto_json::bytes(self.signature, "messageSignature.signature")?,
        })
    }

    fn of(digest: Option<&'a Digest>, signature: &'a [u8]) -> Self {
        Self { message_digest: digest.map(WireDigest::of), signature: Some(Text::Base64(signature)) }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireDigest<'a> {
    #[serde(borrow, default)]
    algorithm: Option<EnumValue<'a>>,
    #[serde(borrow, default)]
    digest: Option<Text<'a>>,
}

impl<'a> WireDigest<'a> {
    /// cosign writes `{}` beside an Ed25519 signature, which is over the message itself.
    fn is_stated(&self) -> bool {
        self.algorithm.is_some() || self.digest.is_some()
    }

    fn read(self) -> Result<Digest, BundleError> {
        let algorithm = proto_json::required(self.algorithm, "messageDigest.algorithm")?;
        let algorithm = algorithm.find(HASH_ALGORITHMS, "messageDigest.algorithm")?;
        let value = proto_json::bytes(self.digest, "messageDigest.digest")?;
        Digest::from_bytes(algorithm, &value).map_err(|_| BundleError::Digest)
    }

    fn of(digest: &'a Digest) -> Self {
        let name = proto_json::hash_name(digest.algorithm());
        Self { algorithm: Some(EnumValue::Name(name.into())), digest: Some(Text::Base64(digest.as_bytes())) }
    }
}
