//! Keys that a program holds: in a token, in a KMS, behind a network. The program is one of cosign's plugins,
//! `sigstore-kms-NAME` on the `PATH`, and is asked anew for each signature.
//!
//! Who asks a service for signatures can cause as many as they like, so few programs of a key run at once, and few wait.
//!
//! Trusted? With what the key signs, and with nothing else: each signature is verified before it is used. What it needs to get at
//! the key (a PIN, credentials) it takes from its environment, which is this process's.

mod fault;
mod protocol;
mod reference;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use signet_crypto::{KeyAlgorithm, PublicKey, Scheme};
use signet_formats::text::shortened;
use signet_platform::Answered;
use tokio::sync::Semaphore;

use crate::encoding::read_public_bytes;
use crate::signer::{Payload, SignError, Signer};
use protocol::{Answer, Request};

pub use fault::{Fault, OutsideError};
pub use reference::OutsideReference;

/// A key that a program holds.
#[derive(Debug)]
pub struct OutsideKey {
    reference: OutsideReference,
    public: PublicKey,
    schemes: &'static [Scheme],
    /// Those who wait, and those whose program runs.
    places: Semaphore,
    /// Those whose program runs.
    turns: Semaphore,
    /// Why it did not sign the last time.
    doubt: Mutex<Option<String>>,
}

impl OutsideKey {
    /// Asks the program for the public half.
    pub async fn open(reference: &OutsideReference) -> Result<Self, OutsideError> {
        Self::known(reference, Self::public_half(reference).await?)
    }

    /// The public half alone, for who does not sign.
    pub async fn public_half(reference: &OutsideReference) -> Result<PublicKey, OutsideError> {
        let answer = ask(reference, &Request::public_key(reference.id()), &[]).await?;
        let pem = answer.public_key().ok_or_else(|| reference.fault(Fault::NoAnswer))?;
        read_public_bytes(&pem).map_err(|error| reference.fault(Fault::Key(error)))
    }

    /// The key whose public half is known. The program is not asked before it signs.
    pub fn known(reference: &OutsideReference, public: PublicKey) -> Result<Self, OutsideError> {
        let schemes = schemes(public.algorithm())
            .ok_or_else(|| reference.fault(Fault::Algorithm(public.algorithm())))?;
        Ok(Self {
            reference: reference.clone(),
            public,
            schemes,
            places: Semaphore::new(PLACES),
            turns: Semaphore::new(TURNS),
            doubt: Mutex::new(Some(UNASKED.to_owned())),
        })
    }

    async fn sign_in_turn(&self, scheme: Scheme, payload: Payload<'_>) -> Result<Vec<u8>, SignError> {
        let busy = || self.reference.fault(Fault::Busy);
        let _place = self.places.try_acquire().map_err(|_| busy())?;
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| busy())?;
        let signed = match self.ask_to_sign(scheme, payload).await {
            Ok(signature) => payload.released(&self.public, scheme, signature),
            Err(error) => Err(error.into()),
        };
        let doubt = signed.as_ref().err().map(SignError::to_string);
        *self.doubt.lock().unwrap_or_else(PoisonError::into_inner) = doubt;
        signed
    }

    async fn ask_to_sign(&self, scheme: Scheme, payload: Payload<'_>) -> Result<Vec<u8>, OutsideError> {
        let (digest, message) = match payload.prehashed(scheme) {
            Ok(digest) => (Some(digest), &[][..]),
            Err(message) => (None, message),
        };
        let request = Request::sign(self.reference.id(), digest.as_ref());
        let answer = ask(&self.reference, &request, message).await?;
        answer.signature().ok_or_else(|| self.reference.fault(Fault::NoAnswer))
    }
}

#[async_trait]
impl Signer for OutsideKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn schemes(&self) -> &[Scheme] {
        self.schemes
    }

    async fn sign(&self, scheme: Scheme, payload: Payload<'_>) -> Result<Vec<u8>, SignError> {
        if !self.schemes.contains(&scheme) {
            return Err(SignError::UnsupportedScheme { scheme, key: self.public.algorithm() });
        }
        self.sign_in_turn(scheme, payload.fit(scheme)?).await
    }

    fn doubt(&self) -> Option<String> {
        self.doubt.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn ask(
    reference: &OutsideReference,
    request: &Request<'_>,
    message: &[u8],
) -> Result<Answer, OutsideError> {
    let program = signet_platform::program(&format!("sigstore-kms-{}", reference.name()));
    run(program.as_ref(), request, message).await.map_err(|fault| reference.fault(fault))
}

async fn run(program: &Path, request: &Request<'_>, message: &[u8]) -> Result<Answer, Fault> {
    let arguments = [protocol::VERSION, &request.to_json()];
    let asked = signet_platform::ask(program, arguments, message, MAX_ANSWER);
    let answered = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => return Err(Fault::Run { program: program.display().to_string(), error }),
        Err(_) => return Err(Fault::Silent),
    };
    // Whether it ended well is not told by the protocol: what it wrote counts.
    let answer = Answer::parse(&answered.output).ok_or_else(|| complaint(&answered))?;
    match answer.refusal() {
        Some(words) => Err(Fault::Refused(plain(words))),
        None => Ok(answer),
    }
}

/// Why there is no answer, in the first line that the program wrote about it.
fn complaint(answered: &Answered) -> Fault {
    let text = String::from_utf8_lossy(&answered.complaint);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map_or(Fault::NoAnswer, |line| Fault::Refused(plain(line)))
}

/// Somebody else's words: in one line, and not many.
fn plain(words: &str) -> String {
    let line: String = words.chars().filter(|character| !character.is_control()).collect();
    shortened(&line, MAX_WORDS).into_owned()
}

/// What programs can be asked to sign by: the protocol names a hash, and no padding.
fn schemes(algorithm: KeyAlgorithm) -> Option<&'static [Scheme]> {
    Some(match algorithm {
        KeyAlgorithm::EcdsaP256 => &[Scheme::EcdsaP256Sha256],
        KeyAlgorithm::EcdsaP384 => &[Scheme::EcdsaP384Sha384, Scheme::EcdsaP384Sha256],
        KeyAlgorithm::EcdsaP521 => &[Scheme::EcdsaP521Sha512, Scheme::EcdsaP521Sha256],
        KeyAlgorithm::Ed25519 => &[Scheme::Ed25519],
        KeyAlgorithm::Rsa { .. } => &[Scheme::RsaPkcs1Sha256],
        _ => return None,
    })
}

/// How long a program may take: a person may have to touch a token.
const PATIENCE: Duration = Duration::from_secs(15);
/// Programs of a key that run at once.
const TURNS: usize = 4;
/// Those that run and those that wait: what waits longer than [`PATIENCE`] is of no use to who asked.
const PLACES: usize = 64;
const UNASKED: &str = "it was not asked yet";
/// Bytes of an answer: the largest is a public key.
const MAX_ANSWER: usize = 64 * 1024;
/// The most characters of a program's words that are shown.
const MAX_WORDS: usize = 200;

#[cfg(all(test, unix))]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;
    use tokio::time::Instant;

    use super::*;

    async fn play(part: &str) -> Result<Answer, Fault> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helpers/sigstore-kms-play");
        run(&program, &Request::public_key(part), b"message").await
    }

    async fn fault(part: &str) -> String {
        play(part).await.err().map(|fault| fault.to_string()).unwrap_or_default()
    }

    #[tokio::test]
    async fn a_program_that_gives_no_key_is_told_apart_from_one_that_fails() {
        assert_eq!(fault("refusing").await, "its program failed: the token is locked");
        assert_eq!(fault("complaining").await, "its program failed: no such slot");
        assert_eq!(fault("unknown").await, "its program gave no answer that is understood");
        assert!(play("no-signature").await.is_err(), "an answer lacks what it is about");
        let none = play("no-key").await.unwrap().public_key().unwrap();
        assert!(read_public_bytes(&none).is_err());
    }

    #[tokio::test]
    async fn a_program_is_bounded_in_what_it_answers() {
        assert_eq!(fault("endless").await, "its program gave no answer that is understood");
    }

    /// The clock goes on as soon as there is nothing to do but to wait.
    #[tokio::test(start_paused = true)]
    async fn a_program_is_bounded_in_time() {
        assert_eq!(fault("silent").await, "its program gave no answer within 15 s");
    }

    /// The key that `sigstore-kms-NAME` would hold, if there were one.
    fn absent() -> OutsideKey {
        let reference =
            OutsideReference::parse("absent-in-tests://key").expect("a name").expect("of a program");
        let key = crate::PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key");
        OutsideKey::known(&reference, key.public_key().clone()).expect("of ECDSA")
    }

    async fn not_signed(key: &OutsideKey) -> OutsideError {
        match key.sign(Scheme::EcdsaP256Sha256, Payload::Message(b"message")).await {
            Err(SignError::Outside(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_when_all_places_are_taken_is_refused_at_once_and_who_waits_after_a_while() {
        let key = Arc::new(absent());
        let running = key.turns.acquire_many(TURNS as u32).await.unwrap();
        let wait = |_| {
            let key = Arc::clone(&key);
            async move { not_signed(&key).await }
        };
        let waiting: JoinSet<_> = (0..PLACES).map(wait).collect();
        while key.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        assert!(matches!(not_signed(&key).await.fault, Fault::Busy));
        assert_eq!(began.elapsed().as_secs(), 0);
        let waited = waiting.join_all().await;
        assert!(waited.iter().all(|error| matches!(error.fault, Fault::Busy)));
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
        assert_eq!(key.doubt().as_deref(), Some(UNASKED), "that says nothing about the key");
        drop(running);
        let error = not_signed(&key).await;
        assert!(matches!(error.fault, Fault::Run { .. }), "{error}");
        assert_eq!(key.doubt(), Some(error.to_string()));
    }

    #[test]
    fn a_key_that_no_program_signs_by_is_refused() {
        let reference = OutsideReference::parse("hsm://key").unwrap().unwrap();
        let key = crate::PrivateKey::generate(KeyAlgorithm::MlDsa44).unwrap();
        let refused = OutsideKey::known(&reference, key.public_key().clone()).unwrap_err();
        assert!(matches!(refused.fault, Fault::Algorithm(KeyAlgorithm::MlDsa44)), "{refused}");
    }
}
