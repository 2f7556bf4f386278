//! Fulcio's first form, which cosign 2 and gitsign speak: JSON in, PEM out.

use serde::Deserialize;
use signet_crypto::PublicKey;
use signet_formats::{base64, json, pem};
use signet_services::ca::Proof;

use super::wire::certificate_request;

/// Reads a request, whose token has come in a header, and its proof.
pub(super) fn read(body: &[u8], bearer: Option<&str>) -> Result<(String, Proof), String> {
    let request: Request = json::parse(body, super::MAX_BODY).map_err(|error| error.to_string())?;
    let token = bearer.filter(|token| !token.is_empty()).ok_or("there is no bearer token")?;
    let proof = match (request.public_key, request.certificate_signing_request) {
        (Some(key), None) => signature(&key, &request.signed_email_address)?,
        (None, Some(request)) => certificate_request(&request)?,
        _ => return Err("give either `publicKey` or `certificateSigningRequest`".to_owned()),
    };
    Ok((token.to_owned(), proof))
}

fn signature(key: &Key, signature: &str) -> Result<Proof, String> {
    let content = base64::decode_any(&key.content).map_err(|_| "`publicKey.content` is not base64")?;
    // The API asks for DER, cosign sends PEM.
    let key = match std::str::from_utf8(&content) {
        Ok(text) => pem::public_key(text),
        Err(_) => PublicKey::from_spki_der(&content),
    };
    let key = key.map_err(|error| format!("`publicKey.content`: {error}"))?;
    let signature = base64::decode_any(signature).map_err(|_| "`signedEmailAddress` is not base64")?;
    Ok(Proof::Signature { key, signature })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    /// An empty one stands beside a request.
    #[serde(default, deserialize_with = "filled")]
    public_key: Option<Key>,
    /// Of whatever the token's challenge is.
    #[serde(default)]
    signed_email_address: String,
    certificate_signing_request: Option<String>,
}

/// The algorithm that clients name beside is the key's own, and not asked for.
#[derive(Deserialize)]
struct Key {
    #[serde(default)]
    content: String,
}

fn filled<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Key>, D::Error> {
    Ok(Option::<Key>::deserialize(deserializer)?.filter(|key| !key.content.is_empty()))
}
