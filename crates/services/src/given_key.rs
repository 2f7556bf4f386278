//! The key that an authority is given may be held by something outside of this process, and be away for a while.

use std::time::Duration;

use signet_crypto::Scheme;
use signet_keys::{Payload, SignError, Signer};
use tokio::time::{Instant, sleep, timeout};

/// Asks a key at the start whether it signs.
pub(crate) async fn ask_first(signer: &dyn Signer) {
    // One that hangs does not keep from starting what goes on without it: it stays in doubt.
    let _ = timeout(AT_START, ask(signer)).await;
}

/// Asks again and again, for ever: who only waits until an authority is ready asks it for nothing.
pub(crate) async fn keep_asking(signer: &dyn Signer) {
    let mut asked = Instant::now();
    loop {
        sleep(IN_DOUBT).await;
        if signer.doubt().is_some() || asked.elapsed() >= ELSE {
            ask(signer).await;
            asked = Instant::now();
        }
    }
}

/// Signs. That the key does not, and that it does again, is said when it comes to be known, and not each time.
pub(crate) async fn sign(
    signer: &dyn Signer,
    scheme: Scheme,
    payload: Payload<'_>,
) -> Result<Vec<u8>, SignError> {
    let before = signer.doubt();
    let signed = signer.sign(scheme, payload).await;
    match signer.doubt() {
        after if after == before => {}
        Some(doubt) => tracing::error!(%doubt, "the key of the authority does not sign"),
        None => tracing::info!("the key of the authority signs"),
    }
    signed
}

async fn ask(signer: &dyn Signer) {
    if let Some(scheme) = signer.schemes().first() {
        // What comes of it is the doubt that the signer has, or has no more.
        let _ = sign(signer, *scheme, Payload::Message(QUESTION)).await;
    }
}

/// No certificate and no timestamp, which begin with the byte of a sequence or a set.
const QUESTION: &[u8] = b"Signet asks whether this key signs\n";
const AT_START: Duration = Duration::from_secs(3);
const IN_DOUBT: Duration = Duration::from_secs(5);
const ELSE: Duration = Duration::from_secs(60);
