use proptest::prelude::*;
use signet_formats::checkpoint::SignedCheckpoint;
use signet_formats::cms::SignedData;
use signet_formats::jwt::Jwt;
use signet_formats::merkle;
use signet_formats::note::{Note, VerifierKey};
use signet_formats::sct;
use signet_formats::timestamp::{ReceivedRequest, TimestampToken, TstInfo};
use signet_formats::x509::{Certificate, CertificateRequest, Name};

use crate::vectors::{self, Case};

/// Reads the bytes as everything, and what could be read is looked at in full.
fn read_as_everything(bytes: &[u8]) {
    if let Ok(certificate) = Certificate::from_der(bytes) {
        let _ = (certificate.fulcio(), certificate.scts(), certificate.public_key());
        let _ = (certificate.precert_tbs(), certificate.subject().to_string(), format!("{certificate:?}"));
    }
    let _ = (Name::from_der(bytes).map(|name| name.to_string()), SignedData::parse(bytes));
    let _ = (TimestampToken::from_response(bytes), TimestampToken::from_token(bytes), TstInfo::parse(bytes));
    let _ = sct::read_list(bytes).map(|scts| scts.iter().map(sct::Sct::leaf_index).collect::<Vec<_>>());
    let _ = (SignedCheckpoint::parse(bytes), Note::parse(bytes));
    let _ = std::str::from_utf8(bytes).map(str::parse::<VerifierKey>);
    let _ = (ReceivedRequest::parse(bytes), std::str::from_utf8(bytes).map(Jwt::parse));
    let _ = CertificateRequest::from_der(bytes)
        .map(|request| request.public_key().map(|key| request.verify(&key)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn arbitrary_notes(text in "[a-z0-9\n]{0,40}\n\n(\u{2014} [a-z+]{1,4} [A-Za-z0-9+/=]{0,16}\n){0,4}") {
        read_as_everything(text.as_bytes());
    }

    #[test]
    fn arbitrary_proofs(
        index: u64, size: u64,
        proof in proptest::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let _ = merkle::inclusion_root(index, size, &[0; 32], &proof);
        let _ = merkle::verify_consistency(index, size, &[0; 32], &[1; 32], &proof);
    }
}

#[test]
fn every_byte_of_a_certificate_and_a_token_changed() {
    let Some(folder) = vectors::folder() else { return };
    let case = Case::named(&folder, "rekor2-happy-path");
    for original in [case.leaf().unwrap().der().to_vec(), case.timestamps().remove(0)] {
        for at in 0..original.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = original.clone();
                changed[at] ^= change;
                read_as_everything(&changed);
            }
        }
    }
}
