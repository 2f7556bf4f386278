//! The first entry of a log.

use std::io;

use bytes::Bytes;
use serde_json::json;
use signet_crypto::{Digest, KeyAlgorithm, Scheme};
use signet_formats::base64;
use signet_formats::rekor::PublicKeyDetails;
use signet_keys::{Payload, PrivateKey};
use signet_services::log::{AddError, Log};

use super::checks::check;

/// Gives a log that has none its first entry, signed by a key that nobody has afterwards.
///
/// Clients that write proto3 JSON leave out an index of zero and the empty proof of a tree of one, and sigstore-python
/// 4.5 refuses what they leave out: so that the first signature of a new log is not the one that it cannot read.
pub(crate) async fn begin(log: &Log) -> io::Result<()> {
    if log.head().checkpoint.size > 0 {
        return Ok(());
    }
    let entry = first_entry(log.signer().origin())?;
    match log.add(entry).await {
        // It is kept, and published as soon as there are witnesses.
        Ok(_) | Err(AddError::Unwitnessed(_)) => Ok(()),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn first_entry(origin: &str) -> io::Result<Bytes> {
    let message = format!("the first entry of {origin}\n");
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).map_err(io::Error::other)?;
    let signed = key.sign(Scheme::EcdsaP256Sha256, Payload::Message(message.as_bytes()));
    let request = json!({ "hashedRekordRequestV002": {
        "digest": base64::encode(Digest::sha256(message.as_bytes()).as_bytes()),
        "signature": {
            "content": base64::encode(signed.map_err(io::Error::other)?),
            "verifier": {
                "publicKey": { "rawBytes": base64::encode(key.public_key().spki_der()) },
                "keyDetails": PublicKeyDetails::PkixEcdsaP256Sha256.name(),
            },
        },
    }});
    check(request.to_string().as_bytes()).map_err(|error| io::Error::other(format!("{error:?}")))
}
