use signet_formats::cms::SignedData;
use signet_formats::sct::{Sct, read_list};
use signet_formats::static_ct::tile_leaves;
use signet_formats::timestamp::{ReceivedRequest, TimestampToken, TstInfo};
use signet_formats::tlog::{Entries, EntryProof, Nodes, Resource, TileNodes, full_path, push_entry};
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

/// What a reader of a log gets: the name of a resource and, after a zero byte, its content. Names and bundles
/// have one spelling; a tile is as wide as its name says, and any node can be asked for.
pub fn tlog(data: &[u8]) {
    let zero = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (name, content) = (&data[..zero], data.get(zero + 1..).unwrap_or_default());
    let Ok(name) = std::str::from_utf8(name) else { return };
    if let Ok(proof) = name.parse::<EntryProof>() {
        assert_eq!(proof.to_string().parse().as_ref(), Ok(&proof));
        let _ = proof.verify(content);
    }
    let _ = full_path(name);
    let Ok(resource) = name.parse::<Resource>() else { return };
    assert_eq!(resource.to_string(), name);
    match resource {
        Resource::Checkpoint => {}
        Resource::Entries(_) => {
            let mut written = Vec::new();
            let whole = Entries::new(content)
                .try_for_each(|entry| entry.and_then(|entry| push_entry(&mut written, entry)));
            assert!(whole.is_err() || written == content);
        }
        Resource::Tile(tile) => {
            let mut nodes = TileNodes::new(u64::from(tile.width()));
            if nodes.insert(tile, content).is_ok() {
                assert_eq!(content.len(), 32 * usize::from(tile.width()));
            }
            let _ = nodes.node(tile.level().wrapping_mul(8), tile.index());
            let _ = nodes.node(tile.level(), tile.index());
        }
    }
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
