use std::path::Path;
use std::time::Duration;

use signet_crypto::{Digest, DigestAlgorithm};
use signet_formats::cms::CmsError;
use signet_formats::timestamp::{TimestampError, TimestampRequest, TimestampToken, TstInfo};
use signet_formats::x509::{Certificate, certificates_from_pem};

use crate::peers;
use crate::vectors::{self, Case};

#[test]
fn timestamps_of_the_conformance_suite_have_their_verdicts() {
    let Some(folder) = vectors::folder() else { return };
    let mut good = 0;
    for case in Case::all(&folder) {
        for response in case.timestamps() {
            let token = TimestampToken::from_response(&response).unwrap();
            let authorities = case.chains("timestampAuthorities");
            let signed = token.verify(&authorities[0][0]);
            let stamped = token.info().verify_imprint(&case.signature().unwrap());
            let expected = match case.name.as_str() {
                "rekor2-timestamp-payload-mismatch_fail" => (Ok(()), Err(TimestampError::ImprintMismatch)),
                name if name.starts_with("rekor2-timestamp-untrusted-tsa") => {
                    (Err(TimestampError::Cms(CmsError::SignerIdMismatch)), Ok(()))
                }
                _ => (Ok(()), Ok(())),
            };
            good += usize::from(signed.is_ok() && stamped.is_ok());
            assert_eq!((signed, stamped), expected, "{}", case.name);
        }
    }
    assert!(good >= 25, "only {good}");
}

/// The tokens of Notary's libraries; the files' names say what is wrong with them.
#[test]
fn tokens_of_notary_have_their_verdicts() {
    let Some(folder) = vectors::folder() else { return };
    let folder = folder.join("notary/tsp");
    for (path, expected) in NOTARY_TOKENS {
        assert_eq!(notary_verdict(&folder.join(path)), *expected, "{path}");
    }
    let tokens =
        vectors::files(&folder).iter().filter(|path| path.extension().is_some_and(|e| e == "p7s")).count();
    assert_eq!(NOTARY_TOKENS.len(), tokens, "a token has no line in the table");
}

/// The error, in its Debug form up to its values; `Ok` if a certificate inside made the token, and
/// `no certificate` if none inside matches.
fn notary_verdict(path: &Path) -> String {
    let verdict = TimestampToken::from_token(&vectors::read(path)).and_then(|token| {
        let signer = token.signed_data().signer_certificates().next();
        signer.map(|signer| token.verify(signer)).transpose()
    });
    let text = match verdict {
        Ok(Some(())) => "Ok".to_owned(),
        Ok(None) => "no certificate".to_owned(),
        Err(TimestampError::Cms(error)) => format!("{error:?}"),
        Err(error) => format!("{error:?}"),
    };
    text.split('(').next().unwrap().to_owned()
}

/// Where OpenSSL says otherwise it is by rule: it lets SHA-1 bind the certificate, and two signers.
const NOTARY_TOKENS: &[(&str, &str)] = &[
    ("internal/cms/testdata/Sha1SignedData.p7s", "Detached"),
    ("internal/cms/testdata/SignedDataWithoutSignedAttributes.p7s", "NoSignedAttributes"),
    ("internal/cms/testdata/TimeStampToken.p7s", "Ok"),
    ("internal/cms/testdata/TimeStampTokenInvalidSignedAttributeContentType.p7s", "ContentTypeMismatch"),
    ("internal/cms/testdata/TimeStampTokenWithAnInvalidAndAValidSignerInfo.p7s", "SignerCount"),
    ("internal/cms/testdata/TimeStampTokenWithInvalidCertificates.p7s", "Certificate"),
    ("internal/cms/testdata/TimeStampTokenWithInvalidContentType.p7s", "SignerCount"),
    ("internal/cms/testdata/TimeStampTokenWithInvalidSignature.p7s", "SignatureInvalid"),
    ("internal/cms/testdata/TimeStampTokenWithInvalidSigningTime.p7s", "Malformed"),
    ("internal/cms/testdata/TimeStampTokenWithSignedAttributeSHA1.p7s", "UnsupportedDigest"),
    ("internal/cms/testdata/TimeStampTokenWithSignerVersion2.p7s", "Version"),
    ("internal/cms/testdata/TimeStampTokenWithSigningTime.p7s", "SignatureInvalid"),
    ("internal/cms/testdata/TimeStampTokenWithSigningTimeBeforeExpected.p7s", "SignatureInvalid"),
    ("internal/cms/testdata/TimeStampTokenWithUnknownSignerIssuer.p7s", "no certificate"),
    ("internal/cms/testdata/TimeStampTokenWithoutCertificate.p7s", "no certificate"),
    ("internal/cms/testdata/TimeStampTokenWithoutSignedAttributeContentType.p7s", "MissingAttribute"),
    ("internal/cms/testdata/TimeStampTokenWithoutSignedAttributeDigest.p7s", "MissingAttribute"),
    ("internal/cms/testdata/TimeStampTokenWithoutSignedAttributes.p7s", "MissingAttribute"),
    ("internal/cms/testdata/TimeStampTokenWithoutSigner.p7s", "SignerCount"),
    ("testdata/SHA1TimeStampToken.p7s", "UnsupportedImprint"),
    ("testdata/TimeStampToken.p7s", "Ok"),
    ("testdata/TimeStampTokenNoRoot.p7s", "Ok"),
    ("testdata/TimeStampTokenWithInvalidSignature.p7s", "SignatureInvalid"),
    ("testdata/TimeStampTokenWithInvalidSigningCertificateV1.p7s", "SigningCertificateSha1"),
    ("testdata/TimeStampTokenWithInvalidSigningCertificateV2.p7s", "Malformed"),
    ("testdata/TimeStampTokenWithInvalidTSTInfo.p7s", "Malformed"),
    ("testdata/TimeStampTokenWithInvalideContentType.p7s", "NotTstInfo"),
    ("testdata/TimeStampTokenWithMismatchCertHash.p7s", "SigningCertificateMismatch"),
    ("testdata/TimeStampTokenWithSHA1CertHash.p7s", "UnsupportedDigest"),
    ("testdata/TimeStampTokenWithSigningCertificateV1.p7s", "SigningCertificateSha1"),
    ("testdata/TimeStampTokenWithSigningCertificateV1NoCert.p7s", "SigningCertificateSha1"),
    ("testdata/TimeStampTokenWithSigningCertificateV2NoCert.p7s", "Malformed"),
    ("testdata/TimeStampTokenWithTSTInfoVersion2.p7s", "Version"),
    ("testdata/TimeStampTokenWithValidAndInvalidSignerInfos.p7s", "SignerCount"),
    ("testdata/TimeStampTokenWithWrongSigningCertificateV2IssuerChoiceTag.p7s", "Malformed"),
    ("testdata/TimeStampTokenWithoutCertificate.p7s", "no certificate"),
    ("testdata/TimeStampTokenWithoutSigningCertificate.p7s", "MissingAttribute"),
    ("testdata/TimeStampTokenWithoutSigningCertificateV2IssuerSerial.p7s", "SignatureInvalid"),
];

#[test]
fn a_rejection_gives_the_authoritys_reason() {
    let Some(folder) = vectors::folder() else { return };
    let rejection = vectors::read(&folder.join("notary/tsp/testdata/rejection.tsq"));
    let reason = "request contains unknown algorithm, badAlg".to_owned();
    assert_eq!(
        TimestampToken::from_response(&rejection).unwrap_err(),
        TimestampError::Rejected { status: 2, reason }
    );
}

#[test]
fn openssl_answers_our_request_and_we_read_its_answer() {
    if !peers::has_openssl() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    authority(folder);
    let request = TimestampRequest {
        imprint: Digest::of(DigestAlgorithm::Sha384, b"signed"),
        policy: None,
        nonce: Some(0x8000_0000_0000_0001),
        with_certificates: true,
    };
    std::fs::write(folder.join("q.tsq"), request.to_der()).unwrap();
    let reply = ["ts", "-reply", "-config", "ts.cnf", "-queryfile", "q.tsq", "-out", "r.tsr"];
    peers::openssl_text(folder, &reply);
    let response = vectors::read(&folder.join("r.tsr"));
    let token = TimestampToken::from_response(&response).unwrap();
    assert_eq!(request.verify_answer(token.info()), Ok(()));
    assert_eq!(token.info().verify_imprint(b"signed"), Ok(()));
    assert_eq!(token.info().accuracy, Some(Duration::from_micros(1_002_003)));
    assert_eq!(
        (token.info().policy.to_string(), token.info().ordering),
        ("1.3.6.1.4.1.57264.2".to_owned(), true)
    );
    let pem = String::from_utf8(vectors::read(&folder.join("tsa.pem"))).unwrap();
    let authority = certificates_from_pem(&pem).unwrap().remove(0);
    assert_eq!(token.verify(&authority), Ok(()));
    assert_eq!(token.certificates(), std::slice::from_ref(&authority));
    let other = TimestampRequest { nonce: Some(1), ..request };
    assert_eq!(other.verify_answer(token.info()), Err(TimestampError::NonceMismatch));
    let without = TimestampRequest { nonce: None, ..request };
    assert_eq!(without.verify_answer(token.info()), Err(TimestampError::NonceMismatch));
    refuses_every_changed_byte(&token, &authority);
}

/// No change of a byte survives reading and checking, except where nothing rests on it: in the
/// certificates that came along and in the hint of the digest algorithms.
fn refuses_every_changed_byte(token: &TimestampToken, authority: &Certificate) {
    let find = |part: &[u8]| {
        let start = token.der().windows(part.len()).position(|it| it == part).unwrap();
        start..start + part.len()
    };
    let algorithms = find(&hex::decode("310f300d06096086480165030402010500").unwrap());
    let certificate = find(authority.der());
    // With another tag, the four-byte header makes them revocation lists, which are not read.
    let certificates = certificate.start - 4..certificate.end;
    for at in (0..token.der().len()).filter(|at| !algorithms.contains(at) && !certificates.contains(at)) {
        for change in [0x01, 0x80] {
            let mut changed = token.der().to_vec();
            changed[at] ^= change;
            let read = TimestampToken::from_token(&changed);
            assert!(
                read.and_then(|read| read.verify(authority)).is_err(),
                "byte {at} of {}",
                token.der().len()
            );
        }
    }
}

/// A timestamp authority of openssl in a folder.
fn authority(folder: &Path) {
    let config = "[tsa]\ndefault_tsa = t\n[t]\nserial = serial\ncrypto_device = builtin\nsigner_cert = tsa.pem\n\
                  signer_key = k.pem\nsigner_digest = sha256\ndefault_policy = 1.3.6.1.4.1.57264.2\n\
                  digests = sha256, sha384\naccuracy = secs:1, millisecs:2, microsecs:3\nordering = yes\n\
                  tsa_name = yes\ness_cert_id_alg = sha256\n";
    std::fs::write(folder.join("ts.cnf"), config).unwrap();
    std::fs::write(folder.join("serial"), "01\n").unwrap();
    let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out tsa.pem \
                   -subj /O=example/CN=tsa -addext extendedKeyUsage=critical,timeStamping \
                   -addext keyUsage=critical,digitalSignature -addext basicConstraints=critical,CA:FALSE";
    peers::openssl_text(folder, &request.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn fractions_of_seconds_are_read_and_odd_ones_refused() {
    let info = |time: &str| {
        let mut der = hex::decode(concat!(
            "020101060a2b0601040183bf300201",
            "3031300d060960864801650304020105000420",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "020101"
        ))
        .unwrap();
        der.extend([&[0x18, time.len() as u8], time.as_bytes()].concat());
        let length = der.len() as u8;
        TstInfo::parse(&[&[0x30, length], der.as_slice()].concat()).map(|info| (info.seconds, info.millis))
    };
    assert_eq!(info("20261121120000Z"), Ok((1_795_262_400, 0)));
    assert_eq!(info("20261121120000.5Z"), Ok((1_795_262_400, 500)));
    assert_eq!(info("20261121120000.0079Z"), Ok((1_795_262_400, 7)));
    for bad in
        ["20261121120000.Z", "20261121120000.50Z", "20261121120000.5", "202611211200Z", "20261321120000Z"]
    {
        assert_eq!(info(bad), Err(TimestampError::Malformed), "{bad}");
    }
}
