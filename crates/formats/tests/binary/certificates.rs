use std::collections::BTreeMap;
use std::path::Path;

use signet_crypto::Digest;
use signet_formats::x509::{Certificate, SubjectAltName, X509Error, certificates_from_pem, oid};

use crate::peers;
use crate::vectors::{self, Case};

/// Every certificate in the vectors that is in a file of its own, a bundle or a trust root.
fn all(folder: &Path) -> Vec<Certificate> {
    let mut found = BTreeMap::new();
    let mut add = |certificate: Certificate| drop(found.insert(certificate.fingerprint(), certificate));
    for case in Case::all(folder) {
        case.leaf().into_iter().for_each(&mut add);
        for authorities in ["certificateAuthorities", "timestampAuthorities"] {
            case.chains(authorities).into_iter().flatten().for_each(&mut add);
        }
    }
    for path in vectors::files(&folder.join("notary")) {
        let bytes = vectors::read(&path);
        let text = String::from_utf8_lossy(&bytes);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("crt" | "pem" | "cer") if text.contains("BEGIN CERTIFICATE") => {
                certificates_from_pem(&text).into_iter().flatten().for_each(&mut add);
            }
            Some("crt" | "cer" | "der") => Certificate::from_der(&bytes).into_iter().for_each(&mut add),
            _ => {}
        }
    }
    found.into_values().collect()
}

#[test]
fn openssl_reads_the_same_from_every_certificate() {
    let Some(folder) = vectors::folder() else { return };
    if !peers::has_openssl() {
        return;
    }
    let certificates = all(&folder);
    assert!(certificates.len() > 40, "only {} certificates", certificates.len());
    let scratch = tempfile::tempdir().unwrap();
    for certificate in certificates {
        std::fs::write(scratch.path().join("c.der"), certificate.der()).unwrap();
        let options = "-inform DER -in c.der -noout -serial -issuer -subject -nameopt RFC2253,-esc_msb,utf8 \
                       -dates -dateopt iso_8601 -pubkey";
        let arguments: Vec<&str> = std::iter::once("x509").chain(options.split_whitespace()).collect();
        let theirs = peers::openssl_text(scratch.path(), &arguments);
        let field = |name: &str| {
            let line = theirs.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name} in {theirs}")).to_owned()
        };
        assert_eq!(field("serial="), hex_serial(certificate.serial()), "{certificate:?}");
        assert_eq!(field("issuer="), certificate.issuer().to_string());
        assert_eq!(field("subject="), certificate.subject().to_string());
        assert_eq!(field("notBefore="), iso(certificate.not_before()));
        assert_eq!(field("notAfter="), iso(certificate.not_after()));
        let pem = theirs.get(theirs.find("-----BEGIN").unwrap()..).unwrap();
        match (certificate.public_key(), signet_formats::pem::public_key(pem)) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
            (ours, theirs) => assert_eq!(ours.err(), theirs.err()),
        }
    }
}

/// The magnitude of the serial number as openssl prints it.
fn hex_serial(serial: &[u8]) -> String {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => hex::encode_upper(rest),
        _ => hex::encode_upper(serial),
    }
}

fn iso(seconds: i64) -> String {
    let time = time::UtcDateTime::from_unix_timestamp(seconds).unwrap();
    format!("{} {:02}:{:02}:{:02}Z", time.date(), time.hour(), time.minute(), time.second())
}

#[test]
fn chains_of_trust_roots_verify_and_a_changed_byte_does_not() {
    let Some(folder) = vectors::folder() else { return };
    let case = Case::named(&folder, "happy-path-v0.3");
    let mut links = 0;
    for chain in [case.chains("certificateAuthorities"), case.chains("timestampAuthorities")].concat() {
        for pair in chain.windows(2) {
            let issuer = pair[1].public_key().unwrap();
            pair[0].verify_issued_by(&issuer).unwrap();
            assert_eq!(pair[0].issuer(), pair[1].subject());
            let mut changed = pair[0].der().to_vec();
            let serial = changed.windows(2).position(|at| at == [0x02, 0x14]).unwrap();
            changed[serial + 3] ^= 1;
            Certificate::from_der(&changed).unwrap().verify_issued_by(&issuer).unwrap_err();
            links += 1;
        }
    }
    assert_eq!(links, 2);
}

#[test]
fn a_fulcio_certificate_states_its_identity() {
    let Some(folder) = vectors::folder() else { return };
    let leaf = Case::named(&folder, "happy-path-v0.3").leaf().unwrap();
    let workflow = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/\
                    workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
    assert_eq!(leaf.subject_alt_names(), [SubjectAltName::Uri(workflow.to_owned())]);
    assert!(leaf.is_critical(oid::SUBJECT_ALT_NAME) && leaf.subject().is_empty());
    let claims = leaf.fulcio().unwrap();
    assert_eq!(claims.issuer(), Some("https://token.actions.githubusercontent.com"));
    assert_eq!(claims.value(1), claims.value(8));
    assert_eq!(claims.value(2), Some("workflow_dispatch"));
    assert_eq!(claims.value(6), Some("refs/heads/main"));
    assert_eq!(claims.value(9), Some(workflow));
    assert_eq!(claims.value(11), Some("github-hosted"));
    assert_eq!(claims.value(7), None);
    let usage = leaf.key_usage().unwrap();
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !leaf.is_ca());
    assert_eq!(leaf.extended_key_usage().unwrap().purposes, [oid::CODE_SIGNING]);
    assert_eq!(leaf.unknown_critical_extensions().count(), 0);
    assert_eq!(
        leaf.authority_key_id(),
        Some(&hex::decode("dfd3e9cf56241196f9a8d8e92855a2c62e18643f").unwrap()[..])
    );
}

/// Extension .1 changed in place, so that it differs from .8 (its length stays).
#[test]
fn two_issuers_that_differ_are_refused() {
    let Some(folder) = vectors::folder() else { return };
    let leaf = Case::named(&folder, "happy-path-v0.3").leaf().unwrap();
    let mut der = leaf.der().to_vec();
    let issuer = b"https://token.actions.githubusercontent.com";
    let at = der.windows(issuer.len()).position(|text| text == issuer).unwrap();
    der[at + issuer.len() - 1] = b'n';
    let refused = Certificate::from_der(&der).unwrap().fulcio();
    assert_eq!(
        refused,
        Err(X509Error::IssuersDiffer {
            v1: "https://token.actions.githubusercontent.con".to_owned(),
            v2: "https://token.actions.githubusercontent.com".to_owned(),
        })
    );
}

#[test]
fn embedded_scts_verify_over_the_spliced_precertificate() {
    let Some(folder) = vectors::folder() else { return };
    let (mut verified, mut unknown) = (0, Vec::new());
    for case in Case::all(&folder) {
        let Some(leaf) = case.leaf() else { continue };
        let chains = case.chains("certificateAuthorities");
        let issuer = chains
            .iter()
            .flatten()
            .find(|ca| ca.public_key().is_ok_and(|key| leaf.verify_issued_by(&key).is_ok()));
        for sct in leaf.scts().unwrap() {
            let logs = case.logs("ctlogs");
            let log = logs.iter().find(|(_, key, _)| key.id().as_bytes() == sct.log_id());
            let (Some(issuer), Some((_, log, _))) = (issuer, log) else {
                unknown.push(case.name.clone());
                continue;
            };
            let issuer_hash = Digest::sha256(issuer.spki());
            sct.verify(log, &issuer_hash, &leaf.precert_tbs()).unwrap();
            sct.verify(log, &issuer_hash, leaf.tbs()).unwrap_err();
            sct.verify(log, &Digest::sha256(leaf.spki()), &leaf.precert_tbs()).unwrap_err();
            if case.name == "bundle-with-sct-with-extensions" {
                assert!(!sct.extensions().is_empty() && sct.leaf_index().is_some());
            }
            verified += 1;
        }
    }
    assert!(verified >= 30, "only {verified} verified; unknown: {unknown:?}");
    println!("{verified} SCTs verified; unknown log or issuer: {unknown:?}");
}

#[test]
fn an_extension_twice_is_refused() {
    let Some(folder) = vectors::folder() else { return };
    let leaf = Case::named(&folder, "happy-path-v0.3").leaf().unwrap();
    // .20 becomes a second .19: both have four bytes of length less in common than their content.
    let mut der = leaf.der().to_vec();
    let prefix = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01];
    let at = der.windows(10).position(|it| it[..9] == prefix && it[9] == 20).unwrap();
    der[at + 9] = 19;
    match Certificate::from_der(&der) {
        Err(X509Error::DuplicateExtension(oid)) => assert_eq!(oid.to_string(), "1.3.6.1.4.1.57264.1.19"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_truncation_and_a_trailing_byte_are_refused() {
    let Some(folder) = vectors::folder() else { return };
    let der = Case::named(&folder, "happy-path-v0.3").leaf().unwrap().der().to_vec();
    for end in 0..der.len() {
        assert!(Certificate::from_der(&der[..end]).is_err(), "{end}");
    }
    assert_eq!(Certificate::from_der(&[der.as_slice(), &[0]].concat()), Err(X509Error::Malformed));
    let huge = vec![0x30; signet_formats::x509::MAX_CERTIFICATE_BYTES + 1];
    assert_eq!(Certificate::from_der(&huge), Err(X509Error::TooLarge));
}

#[test]
fn names_are_written_as_rfc_4514_asks() {
    if !peers::has_openssl() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let subject = "/C=DE/O=a, b;<c>\\\"=d\"/CN= Ü #x\\\\ /DC=example";
    let arguments =
        ["req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "k", "-utf8", "-subj", subject];
    let san = "email:a@example.com,URI:https://example.com/a,DNS:example.com,IP:192.0.2.1,IP:2001:db8::1,\
               otherName:1.3.6.1.4.1.57264.1.7;UTF8:me!example.com,RID:1.2.3";
    let san = format!("subjectAltName=critical,{san}");
    let more = ["-addext", &san, "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", "c.pem"];
    peers::openssl_text(scratch.path(), &[&arguments[..], &more[..]].concat());
    let pem = String::from_utf8(vectors::read(&scratch.path().join("c.pem"))).unwrap();
    let certificate = certificates_from_pem(&pem).unwrap().remove(0);
    assert_eq!(
        certificate.subject().to_string(),
        "DC=example,CN=\\ Ü #x\\\\\\ ,O=a\\, b\\;\\<c\\>\\\"=d\\\",C=DE"
    );
    certificate.verify_issued_by(&certificate.public_key().unwrap()).unwrap();
    assert!(certificate.is_self_issued() && certificate.is_ca());
    let names = certificate.subject_alt_names();
    let username = SubjectAltName::OtherName { username: "me!example.com".to_owned() };
    assert_eq!(names[0], SubjectAltName::Email("a@example.com".to_owned()));
    assert_eq!(names[2], SubjectAltName::Dns("example.com".to_owned()));
    assert_eq!(names[3], SubjectAltName::Ip([192, 0, 2, 1].into()));
    assert_eq!(names[5], username);
    assert!(matches!(names[6], SubjectAltName::Unsupported(_)) && names.len() == 7);
    let usage = certificate.key_usage().unwrap();
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
}
