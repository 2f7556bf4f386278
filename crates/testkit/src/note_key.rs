use signet_formats::base64;
use signet_formats::note::VerifierKey;
use signet_keys::PrivateKey;

/// The Ed25519 key of a log in the forms that Go's note package and Rekor read, and as verifiers do.
#[derive(Clone, Debug)]
pub struct NoteKey {
    /// The private key as golang.org/x/mod/sumdb/note writes it.
    pub secret: String,
    /// The public key as C2SP signed-note has it.
    pub public: String,
    /// The private key as PKCS#8 in PEM.
    pub pem: String,
}

impl NoteKey {
    /// The key of the log of this name: always the same one, for tests only.
    pub fn new(name: &str) -> Self {
        let seed = [7; 32];
        // RFC 8410: a PKCS#8 of an Ed25519 key is a fixed prefix and its 32 bytes.
        let pkcs8 =
            [b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".as_slice(), &seed].concat();
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", base64::encode(&pkcs8));
        let key = PrivateKey::from_pkcs8_der(&pkcs8).expect("it is the PKCS#8 of a key");
        let public = VerifierKey::log(name, key.public_key().clone()).expect("it is a name of a log");
        let typed = base64::encode([&[1][..], &seed].concat());
        let secret = format!("PRIVATE+KEY+{name}+{}+{typed}", public.id());
        Self { secret, public: public.to_string(), pem }
    }
}
