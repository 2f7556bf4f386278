use signet_formats::cms::SignedData;
use signet_formats::sct::{Sct, read_list};
use signet_formats::static_ct::tile_leaves;
use signet_formats::timestamp::{ReceivedRequest, TimestampToken, TstInfo};
use signet_formats::x509::{Certificate, CertificateRequest, Name};

/// A certificate keeps its bytes; everything it says can be asked.
pub fn x509(data: &[u8]) {
    let _ = Name::from_der(data).map(|name| name.to_string());
    if let Ok(request) = CertificateRequest::from_der(data) {
        let _ = request.public_key().map(|key| request.verify(&key));
    }
    let Ok(certificate) = Certificate::from_der(data) else { return };
    assert_eq!(certificate.der(), data);
    let _ = (certificate.fulcio(), certificate.scts(), certificate.public_key());
    let _ = (certificate.subject().to_string(), format!("{certificate:?}"));
    // Taking the SCT list out is idempotent and never grows it by more than its three lengths.
    assert!(certificate.precert_tbs().len() <= certificate.tbs().len());
    if let Ok(key) = certificate.public_key() {
        let _ = certificate.verify_issued_by(&key);
    }
}

/// Timestamps of certificate logs, alone and in a list.
pub fn sct(data: &[u8]) {
    if let Ok(sct) = Sct::parse(data) {
        assert_eq!(sct.to_bytes().as_deref(), Some(data));
        let _ = sct.leaf_index();
    }
    let _ = read_list(data).map(|scts| scts.iter().map(Sct::leaf_index).collect::<Vec<_>>());
}

/// Entries of logs of certificates: one spelling each.
pub fn static_ct(data: &[u8]) {
    let leaves: Result<Vec<_>, _> = tile_leaves(data).collect();
    let Ok(leaves) = leaves else { return };
    let written: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.to_bytes().expect("it was read")).collect();
    assert_eq!(written, data);
    assert!(leaves.iter().all(|leaf| leaf.hash().is_some()));
}

/// CMS SignedData: every certificate inside may be asked whether it signed.
pub fn cms(data: &[u8]) {
    let Ok(signed) = SignedData::parse(data) else { return };
    for certificate in signed.certificates() {
        let _ = signed.verify_signer(certificate);
    }
}

/// Responses, tokens and their content.
pub fn timestamp(data: &[u8]) {
    let _ = ReceivedRequest::parse(data);
    let _ = TstInfo::parse(data).map(|info| info.verify_imprint(b"signature"));
    for token in [TimestampToken::from_response(data), TimestampToken::from_token(data)].into_iter().flatten()
    {
        assert_eq!(
            TimestampToken::from_token(token.der()).map(|again| again.info().clone()).as_ref(),
            Ok(token.info())
        );
        for certificate in token.certificates() {
            let _ = token.verify(certificate);
        }
    }
}
