use std::sync::LazyLock;

use signet_crypto::PublicKey;
use signet_formats::checkpoint::{Checkpoint, SignedCheckpoint};
use signet_formats::jwt::Jwt;
use signet_formats::merkle::{self, Hash};
use signet_formats::note::{Note, VerifierKey};
use signet_formats::oci::Reference;
use signet_formats::tlog::{AddCheckpoint, WitnessPolicy, parse_log_list};

/// A value has one spelling.
pub fn base64(data: &[u8]) {
    if let Ok(bytes) = signet_formats::base64::decode(data) {
        assert_eq!(signet_formats::base64::encode(bytes).as_bytes(), data);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = signet_formats::base64::decode_folded(text);
        // What has the strict spelling has the same bytes in the lenient one.
        if let Ok(bytes) = signet_formats::base64::decode(text) {
            assert_eq!(signet_formats::base64::decode_any(text), Ok(bytes));
        }
    }
    let bytes = signet_formats::base64::encode(data);
    assert_eq!(signet_formats::base64::decode(bytes).as_deref(), Ok(data));
}

/// What was read and written again is the same content under the same labels.
pub fn pem(data: &[u8]) {
    let Ok(blocks) = signet_formats::pem::parse(data) else { return };
    let written: String =
        blocks.iter().map(|block| signet_formats::pem::encode(&block.label, &block.contents)).collect();
    let again = signet_formats::pem::parse(written.as_bytes()).expect("what we write we read");
    assert_eq!(again.len(), blocks.len());
    for (one, other) in again.iter().zip(&blocks) {
        assert_eq!((&one.label, &one.contents), (&other.label, &other.contents));
    }
}

/// A time that has a text reads back as itself, and its start is not before it.
pub fn time(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(seconds) = signet_formats::time::parse(text) else { return };
    if let Ok(text) = signet_formats::time::format(seconds) {
        assert_eq!(signet_formats::time::parse(&text), Ok(seconds));
    }
    let start = signet_formats::time::parse_start(text).expect("what parse takes parse_start takes");
    assert!((0..=1).contains(&(start - seconds)));
}

/// What an identity token says can be asked for, and it is checked under a key of its kind without a panic.
pub fn jwt(data: &[u8]) {
    let Some(token) = std::str::from_utf8(data).ok().and_then(|text| Jwt::parse(text).ok()) else { return };
    let claims = token.claims();
    let _ = (claims.text("sub"), claims.time("exp"), claims.at(&["a", "b"]), claims.is_for("sigstore"));
    let _ = (token.key_id(), token.algorithm().name());
    assert!(token.verify(&NOBODY).is_err(), "nobody has the private key");
}

/// A key whose other half was thrown away.
static NOBODY: LazyLock<PublicKey> = LazyLock::new(|| {
    let spki = signet_formats::base64::decode(NOBODYS_KEY).expect("it is base64");
    PublicKey::from_spki_der(&spki).expect("it is a key")
});
const NOBODYS_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECjzpUDKDGCApY5HSmJW7w+dajzJfQsLHmlnUo6tFNe0WgpOI0t7s7gKzBaSRcg+tsbjKbol4VI6NpS0HNEX+Gg==";

/// A note's bytes are its text and lines; a key's text is its vkey.
pub fn note(data: &[u8]) {
    if let Ok(note) = Note::parse(data) {
        assert_eq!(Note::parse(note.to_string().as_bytes()).as_ref(), Ok(&note));
    }
    if let Some(key) = std::str::from_utf8(data).ok().and_then(|text| text.parse::<VerifierKey>().ok()) {
        assert_eq!(key.to_string().parse().as_ref(), Ok(&key));
    }
    // Files of such keys: a quorum is reached by all witnesses together, or by none at all.
    if let Ok(policy) = WitnessPolicy::parse(data) {
        assert!(policy.is_met(|_| true));
    }
    let _ = std::str::from_utf8(data).map(parse_log_list);
}

/// A checkpoint has one spelling.
pub fn checkpoint(data: &[u8]) {
    if let Ok(signed) = SignedCheckpoint::parse(data) {
        assert_eq!(signed.checkpoint().to_string(), signed.note().text());
    }
    if let Some((text, checkpoint)) =
        std::str::from_utf8(data).ok().and_then(|text| Some((text, Checkpoint::parse(text).ok()?)))
    {
        assert_eq!(checkpoint.to_string(), text);
    }
    // As has the request to cosign it.
    if let Ok(request) = AddCheckpoint::parse(data) {
        assert_eq!(AddCheckpoint::parse(request.to_string().as_bytes()).as_ref(), Ok(&request));
    }
}

/// Of two roots a proof leads to one; a proof with one bit changed does not lead there.
pub fn merkle(data: &[u8]) {
    let Some((numbers, hashes)) = data.split_first_chunk::<16>() else { return };
    let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    let (index, size) = (number(&numbers[..8]), number(&numbers[8..]));
    let proof: Vec<Hash> = hashes.chunks_exact(32).map(|hash| hash.try_into().expect("32 bytes")).collect();
    let leaf = merkle::leaf_hash(b"leaf");
    if let Ok(root) = merkle::inclusion_root(index, size, &leaf, &proof) {
        assert!(index < size && merkle::verify_inclusion(index, size, &leaf, &proof, &root).is_ok());
        let mut bent = proof.clone();
        if let Some(first) = bent.first_mut() {
            first[0] ^= 1;
            assert!(merkle::verify_inclusion(index, size, &leaf, &bent, &root).is_err());
        }
    }
    let _ = merkle::verify_consistency(index, size, &leaf, &leaf, &proof);
}

/// The normal form of a reference is one.
pub fn oci_reference(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse().as_ref(), Ok(&reference));
    }
}
