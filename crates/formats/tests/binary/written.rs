//! What is written here against what the field's own authorities have written.

use signet_crypto::Digest;
use signet_formats::sct::{self, Sct};
use signet_formats::timestamp::{PkiFailure, ReceivedRequest, Statement, TimestampRequest, TstInfo};
use signet_formats::x509::{Certificate, NewExtension, TbsCertificate, oid};

use crate::vectors::{self, Case};

/// The certificates of Sigstore's own CA, written again from what they say: the same bytes.
#[test]
fn fulcios_certificates_are_written_byte_for_byte() {
    let Some(folder) = vectors::folder() else { return };
    let mut written = 0;
    for case in Case::all(&folder) {
        let Some(leaf) = case.leaf() else { continue };
        // Some cases bring certificates that Fulcio did not write.
        if !leaf.issuer().to_string().contains("O=sigstore.dev") {
            continue;
        }
        assert_eq!(again(&leaf), leaf.tbs(), "{}", case.name);
        written += 1;
    }
    assert!(written >= 20, "only {written}");
}

fn again(leaf: &Certificate) -> Vec<u8> {
    let [name] = leaf.subject_alt_names() else { panic!("one name") };
    let purpose = NewExtension::purpose(oid::CODE_SIGNING, leaf.is_critical(oid::EXTENDED_KEY_USAGE));
    let mut extensions = vec![
        NewExtension::key_usage(&[0]),
        purpose,
        NewExtension::subject_key_id(leaf.subject_key_id().unwrap()),
        NewExtension::authority_key_id(leaf.authority_key_id().unwrap()),
        NewExtension::subject_alt_name(name),
    ];
    let claims = leaf.fulcio().unwrap();
    extensions.extend(claims.iter().map(|(n, value)| NewExtension::fulcio(u8::try_from(n).unwrap(), value)));
    extensions.push(NewExtension::sct_list(&leaf.scts().unwrap()).unwrap());
    let tbs = TbsCertificate {
        serial: leaf.serial().to_vec(),
        issuer: leaf.issuer().der().to_vec(),
        subject: leaf.subject().der().to_vec(),
        not_before: leaf.not_before(),
        not_after: leaf.not_after(),
        key: leaf.public_key().unwrap(),
        extensions,
    };
    tbs.to_der(leaf.signature_algorithm()).unwrap()
}

#[test]
fn a_request_is_read_as_it_was_written() {
    let request = TimestampRequest {
        imprint: Digest::sha256(b"x"),
        policy: Some("1.2.3.4".parse().unwrap()),
        nonce: Some(u64::MAX),
        with_certificates: true,
    };
    let received = ReceivedRequest::parse(&request.to_der()).unwrap();
    assert_eq!((received.imprint, received.policy), (request.imprint, request.policy));
    assert_eq!(received.nonce.as_deref(), Some(&[0, 255, 255, 255, 255, 255, 255, 255, 255][..]));
    assert!(received.with_certificates);
    let longest = [&[0x02, 64][..], &[0x7f; 64]].concat();
    let shortest = TimestampRequest { policy: None, nonce: None, with_certificates: false, ..request };
    let with_nonce = |nonce: &[u8]| {
        let mut der = [&shortest.to_der(), nonce].concat();
        der[1] += u8::try_from(nonce.len()).unwrap();
        ReceivedRequest::parse(&der)
    };
    assert_eq!(with_nonce(&longest).unwrap().nonce.map(|nonce| nonce.len()), Some(64));
    assert_eq!(with_nonce(&[&[0x02, 65][..], &[0x7f; 65]].concat()), Err(PkiFailure::BadRequest));
    assert_eq!(with_nonce(&[0x02, 2, 0, 1]), Err(PkiFailure::BadDataFormat), "not the shortest form");
}

#[test]
fn a_statement_is_read_as_it_was_written() {
    let request = ReceivedRequest::new(Digest::sha256(b"x"), None, Some(&[0x80]));
    let accuracies = [None, Some(1_500_250), Some(1_000_000), Some(1), Some(999_000)];
    for accuracy in accuracies.map(|micros| micros.map(std::time::Duration::from_micros)) {
        let statement = Statement {
            request: &request,
            policy: "1.2.3".parse().unwrap(),
            serial: u64::MAX.into(),
            seconds: 1_795_000_000,
            millis: 120,
            accuracy,
            authority: Some(&[0x30, 0]),
        };
        let info = TstInfo::parse(&statement.to_der().unwrap()).unwrap();
        assert_eq!((info.seconds, info.millis, info.accuracy), (1_795_000_000, 120, accuracy));
        assert_eq!(info.nonce.as_deref(), Some(&[0, 0x80][..]));
        assert_eq!(info.tsa.as_deref(), Some(&[0xa4, 2, 0x30, 0][..]));
        info.verify_imprint(b"x").unwrap();
    }
}

#[test]
fn certificate_timestamps_are_read_as_they_were_written() {
    let sct = Sct::new([7; 32], 12, sct::leaf_index_extension(0x01_0203_0405).unwrap(), vec![1, 2, 3]);
    assert_eq!(Sct::parse(&sct.to_bytes().unwrap()), Ok(sct.clone()));
    assert_eq!(sct.leaf_index(), Some(0x01_0203_0405));
    assert_eq!(
        sct::read_list(&sct::write_list(&[sct.clone(), sct.clone()]).unwrap()),
        Ok(vec![sct.clone(), sct])
    );
    assert_eq!(sct::leaf_index_extension(1 << 40), None);
    assert_eq!(Sct::new([0; 32], 0, vec![0; 65_536], Vec::new()).to_bytes(), None);
}
