//! Fulcio's JSON (sigstore/fulcio, `fulcio.proto`).

use http::StatusCode;
use serde::{Deserialize, Serialize};
use signet_formats::x509::CertificateRequest;
use signet_formats::{base64, json, pem};
use signet_services::ca::Proof;

/// Reads a request: its token, which may have come in a header, and its proof.
pub(super) fn read(body: &[u8], bearer: Option<&str>) -> Result<(String, Proof), String> {
    let request: Request = json::parse(body, super::MAX_BODY).map_err(|error| error.to_string())?;
    let token = request.credentials.and_then(|credentials| credentials.oidc_identity_token);
    let token = token.filter(|token| !token.is_empty()).or_else(|| bearer.map(str::to_owned));
    let token =
        token.ok_or("there is no identity token: give `credentials.oidcIdentityToken` or a bearer token")?;
    let proof = match (request.public_key_request, request.certificate_signing_request) {
        (Some(key), None) => signature(&key)?,
        (None, Some(request)) => certificate_request(&request)?,
        _ => return Err("give either `publicKeyRequest` or `certificateSigningRequest`".to_owned()),
    };
    Ok((token, proof))
}

fn signature(request: &PublicKeyRequest) -> Result<Proof, String> {
    let key = pem::public_key(&request.public_key.content);
    let key = key.map_err(|error| format!("`publicKeyRequest.publicKey.content`: {error}"))?;
    let signature = base64::decode_any(&request.proof_of_possession);
    let signature = signature.map_err(|_| "`publicKeyRequest.proofOfPossession` is not base64")?;
    Ok(Proof::Signature { key, signature })
}

/// A request in PEM, in base64.
pub(super) fn certificate_request(text: &str) -> Result<Proof, String> {
    let text = base64::decode_any(text).map_err(|_| "`certificateSigningRequest` is not base64")?;
    let block = pem::single(&text).map_err(|error| format!("`certificateSigningRequest`: {error}"))?;
    if !LABELS.contains(&block.label.as_str()) {
        return Err(format!("`certificateSigningRequest` is a PEM `{}`", block.label));
    }
    let request = CertificateRequest::from_der(&block.contents);
    request.map(Proof::Request).map_err(|_| "`certificateSigningRequest` is not a PKCS#10 request".to_owned())
}

/// As proto3 JSON has it: fields by their names in JSON, or by those in the schema.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    credentials: Option<Credentials>,
    #[serde(alias = "public_key_request")]
    public_key_request: Option<PublicKeyRequest>,
    #[serde(alias = "certificate_signing_request")]
    certificate_signing_request: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    #[serde(alias = "oidc_identity_token")]
    oidc_identity_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyRequest {
    #[serde(alias = "public_key")]
    public_key: Key,
    #[serde(alias = "proof_of_possession")]
    proof_of_possession: String,
}

/// The algorithm that clients name beside is the key's own, and not asked for.
#[derive(Deserialize)]
struct Key {
    content: String,
}

/// The answer: the certificate has its promise inside.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SigningCertificate {
    signed_certificate_embedded_sct: Embedded,
}

impl SigningCertificate {
    pub(super) fn of(chain: Chain) -> Self {
        Self { signed_certificate_embedded_sct: Embedded { chain } }
    }
}

#[derive(Serialize)]
struct Embedded {
    chain: Chain,
}

#[derive(Serialize)]
pub(super) struct Chain {
    pub(super) certificates: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Bundle {
    pub(super) chains: Vec<Chain>,
}

#[derive(Serialize)]
pub(super) struct Configuration {
    pub(super) issuers: Vec<IssuerEntry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IssuerEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issuer_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wildcard_issuer_url: Option<String>,
    pub(super) audience: String,
    pub(super) challenge_claim: String,
    pub(super) spiffe_trust_domain: String,
    pub(super) issuer_type: String,
    pub(super) subject_domain: String,
}

/// An error as gRPC gateways write it.
#[derive(Serialize)]
pub(super) struct Problem {
    code: u8,
    message: String,
    details: [(); 0],
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: &str) -> Self {
        let code = match status {
            StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
            StatusCode::FORBIDDEN => PERMISSION_DENIED,
            StatusCode::TOO_MANY_REQUESTS => RESOURCE_EXHAUSTED,
            StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
            _ if status.is_server_error() => INTERNAL,
            _ => INVALID_ARGUMENT,
        };
        Self { code, message: message.to_owned(), details: [] }
    }
}

/// What tools call the PEM of PKCS#10.
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

// Codes of gRPC.
const INVALID_ARGUMENT: u8 = 3;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;
