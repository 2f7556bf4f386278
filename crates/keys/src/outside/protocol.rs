//! Version 1 of the protocol of Sigstore's KMS plugins: a JSON document as argument, another one as answer.

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};
use signet_crypto::{Digest, DigestAlgorithm};

/// The version, as the first argument states it.
pub(super) const VERSION: &str = "v1";

/// What the program is asked.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    init_options: InitOptions<'a>,
    #[serde(flatten)]
    method: Method,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InitOptions<'a> {
    protocol_version: &'static str,
    #[serde(rename = "keyResourceID")]
    key_resource_id: &'a str,
    hash_func: u8,
    rpc_options: RpcOptions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "methodName")]
enum Method {
    PublicKey {
        #[serde(rename = "publicKey")]
        arguments: PublicKeyArguments,
    },
    SignMessage {
        #[serde(rename = "signMessage")]
        arguments: SignArguments,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyArguments {
    public_key_options: PublicKeyOptions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyOptions {
    rpc_options: RpcOptions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignArguments {
    sign_options: SignOptions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignOptions {
    rpc_options: RpcOptions,
    message_options: MessageOptions,
}

/// As cosign states them where it has nothing to say.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct RpcOptions {
    key_version: &'static str,
    remote_verification: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MessageOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    hash_func: u8,
}

impl<'a> Request<'a> {
    /// For the public half of a key.
    pub(super) fn public_key(id: &'a str) -> Self {
        let arguments = PublicKeyArguments {
            public_key_options: PublicKeyOptions { rpc_options: RpcOptions::default() },
        };
        // Of a key that is not known yet, as cosign does.
        Self::new(id, hash_number(Some(DigestAlgorithm::Sha256)), Method::PublicKey { arguments })
    }

    /// For a signature over this digest; without one, over what the program reads.
    pub(super) fn sign(id: &'a str, digest: Option<&Digest>) -> Self {
        let hash_func = hash_number(digest.map(Digest::algorithm));
        let message_options =
            MessageOptions { digest: digest.map(|it| Base64::encode_string(it.as_bytes())), hash_func };
        let sign_options = SignOptions { rpc_options: RpcOptions::default(), message_options };
        Self::new(id, hash_func, Method::SignMessage { arguments: SignArguments { sign_options } })
    }

    fn new(id: &'a str, hash_func: u8, method: Method) -> Self {
        let rpc_options = RpcOptions::default();
        Self {
            init_options: InitOptions {
                protocol_version: VERSION,
                key_resource_id: id,
                hash_func,
                rpc_options,
            },
            method,
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("it has neither maps nor numbers that JSON cannot state")
    }
}

/// What the program answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    #[serde(default)]
    error_message: String,
    public_key: Option<PublicKeyAnswer>,
    sign_message: Option<SignatureAnswer>,
}

#[derive(Deserialize)]
struct PublicKeyAnswer {
    #[serde(rename = "publicKeyPEM")]
    pem: String,
}

#[derive(Deserialize)]
struct SignatureAnswer {
    signature: String,
}

impl Answer {
    /// Reads an answer.
    pub(super) fn parse(output: &[u8]) -> Option<Self> {
        serde_json::from_slice(output).ok()
    }

    /// Why there is none, in the program's words.
    pub(super) fn refusal(&self) -> Option<&str> {
        Some(self.error_message.as_str()).filter(|words| !words.is_empty())
    }

    /// The PEM of a public key.
    pub(super) fn public_key(&self) -> Option<Vec<u8>> {
        Base64::decode_vec(&self.public_key.as_ref()?.pem).ok()
    }

    /// A signature.
    pub(super) fn signature(&self) -> Option<Vec<u8>> {
        Base64::decode_vec(&self.sign_message.as_ref()?.signature).ok()
    }
}

/// The number of a hash in Go's `crypto.Hash`.
fn hash_number(algorithm: Option<DigestAlgorithm>) -> u8 {
    match algorithm {
        None => 0,
        Some(DigestAlgorithm::Sha256) => 5,
        Some(DigestAlgorithm::Sha384) => 6,
        Some(DigestAlgorithm::Sha512) => 7,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sent(request: &Request<'_>) -> Value {
        serde_json::from_str(&request.to_json()).unwrap()
    }

    /// What cosign 3.1 was seen to send, but for its deadline; it says no hash beside a digest.
    #[test]
    fn requests_are_those_of_cosign() {
        let none = json!({ "keyVersion": "", "remoteVerification": false });
        let init = |hash: u8| json!({ "protocolVersion": "v1", "keyResourceID": "some/id", "hashFunc": hash, "rpcOptions": none });
        assert_eq!(
            sent(&Request::public_key("some/id")),
            json!({
                "initOptions": init(5),
                "methodName": "publicKey",
                "publicKey": { "publicKeyOptions": { "rpcOptions": none } },
            })
        );
        let digest = Digest::of(DigestAlgorithm::Sha384, b"hi\n");
        let options = json!({ "digest": Base64::encode_string(digest.as_bytes()), "hashFunc": 6 });
        assert_eq!(
            sent(&Request::sign("some/id", Some(&digest))),
            json!({
                "initOptions": init(6),
                "methodName": "signMessage",
                "signMessage": { "signOptions": { "rpcOptions": none, "messageOptions": options } },
            })
        );
        let whole = sent(&Request::sign("some/id", None));
        assert_eq!(whole.pointer("/signMessage/signOptions/messageOptions"), Some(&json!({ "hashFunc": 0 })));
    }
}
