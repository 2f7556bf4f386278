//! Certificates from a keyless authority (sigstore/fulcio, `fulcio.proto`).

use serde::{Deserialize, Serialize};
use signet_crypto::PublicKey;
use signet_formats::base64::Base64;
use signet_formats::pem;
use signet_formats::x509::{Certificate, certificates_from_pem};

use crate::oidc::Token;
use crate::web::{Call, Repeat, Web};
use crate::{Error, Result};

/// The versions of the API in a signing config that this client speaks. Fulcio's `/api/v2` is version 1 there.
pub const API_VERSIONS: &[u32] = &[1];

/// Asks the authority at `base` to certify that the token's holder has this key. `proof` is the key's
/// signature over [`Token::challenge`]. The chain begins with the certificate, which holds the key.
pub async fn certify(
    web: &Web,
    base: &str,
    token: &Token,
    key: &PublicKey,
    proof: &[u8],
) -> Result<Vec<Certificate>> {
    let url = format!("{}/api/v2/signingCert", base.trim_end_matches('/'));
    let request = Request {
        credentials: Credentials { oidc_identity_token: token.secret() },
        public_key_request: PublicKeyRequest {
            public_key: Key { algorithm: "ECDSA", content: pem::encode(pem::PUBLIC_KEY, key.spki_der()) },
            proof_of_possession: Base64(proof.to_vec()),
        },
    };
    let body = serde_json::to_vec(&request).unwrap_or_default();
    // Every certificate stays in a log of certificates.
    let call =
        Call::post(&url, "a certificate", MAX_ANSWER, Repeat::IfNotBegun, ("application/json", body.into()))?;
    let answer: Answer = web.ask(&call).await?.json(&call)?;
    let chain = chain(&call, answer)?;
    match chain.first() {
        Some(leaf) if leaf.spki() == key.spki_der() => Ok(chain),
        Some(_) => Err(call.malformed("the certificate is for another key")),
        None => Err(call.malformed("there is no certificate in it")),
    }
}

fn chain(call: &Call<'_>, answer: Answer) -> Result<Vec<Certificate>, Error> {
    // An authority without a log of certificates gives the second. A detached promise has no place in a bundle:
    // whether one is needed is said by the trust root, and found out when the bundle is verified.
    let issued = answer.signed_certificate_embedded_sct.or(answer.signed_certificate_detached_sct);
    let issued = issued.ok_or_else(|| call.malformed("there is no certificate in it"))?;
    if issued.chain.certificates.len() > MAX_CHAIN {
        return Err(call.malformed("the chain is too long"));
    }
    certificates_from_pem(&issued.chain.certificates.join("\n")).map_err(|error| call.malformed(error))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    credentials: Credentials<'a>,
    public_key_request: PublicKeyRequest,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credentials<'a> {
    oidc_identity_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyRequest {
    public_key: Key,
    proof_of_possession: Base64,
}

#[derive(Serialize)]
struct Key {
    algorithm: &'static str,
    content: String,
}

/// What is not asked for here may stand beside.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    signed_certificate_embedded_sct: Option<Issued>,
    signed_certificate_detached_sct: Option<Issued>,
}

#[derive(Deserialize)]
struct Issued {
    chain: Chain,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<String>,
}

const MAX_ANSWER: usize = 256 * 1024;
const MAX_CHAIN: usize = 16;
