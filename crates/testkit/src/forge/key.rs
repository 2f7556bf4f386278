use signet_crypto::{KeyAlgorithm, PublicKey, Scheme};
use signet_keys::{Payload, PrivateKey};

/// A private key and the scheme it signs with.
pub struct Key {
    secret: PrivateKey,
    /// The scheme of its signatures.
    pub scheme: Scheme,
}

impl Key {
    /// A new key that signs with its algorithm's default scheme.
    pub fn new(algorithm: KeyAlgorithm) -> Self {
        let secret = PrivateKey::generate(algorithm).expect("the provider makes keys");
        let scheme = *secret.schemes().first().expect("every key has a scheme");
        Self { secret, scheme }
    }

    /// A new ECDSA P-256 key.
    pub fn p256() -> Self {
        Self::new(KeyAlgorithm::EcdsaP256)
    }

    /// The same key under another scheme of its algorithm.
    #[must_use]
    pub fn with_scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Signs the message.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.secret.sign(self.scheme, Payload::Message(message)).expect("the provider signs")
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        self.secret.public_key()
    }

    /// Every algorithm and scheme that is signed with, one key each.
    pub fn of_every_kind() -> Vec<Self> {
        use KeyAlgorithm as A;
        let rsa = A::Rsa { bits: 2048 };
        let mut keys: Vec<Self> =
            [A::EcdsaP256, A::EcdsaP384, A::EcdsaP521, A::Ed25519, A::MlDsa44, A::MlDsa65, A::MlDsa87, rsa]
                .map(Self::new)
                .into();
        keys.push(Self::new(A::EcdsaP521).with_scheme(Scheme::EcdsaP521Sha256));
        keys.push(Self::new(A::Ed25519).with_scheme(Scheme::Ed25519ph));
        keys.push(Self::new(rsa).with_scheme(Scheme::RsaPssSha256));
        keys
    }
}
