//! Registries that refuse, fail or lie: each ending has its code, with what to do about it.

use std::sync::Arc;

use insta::assert_snapshot;
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use signet_crypto::Digest;
use signet_testkit::{OCI_INDEX, OCI_MANIFEST, Outcome};

use crate::double::{Double, reply};
use crate::text::shown;
use crate::{run, with_keys};

const IMAGE: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
const INDEX: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

/// The command must have ended undecided, for this reason, and with advice.
#[track_caller]
fn assert_ends(outcome: Outcome, code: &str) {
    let outcome = outcome.exits(3);
    assert!(outcome.says(&format!("{code}]:")) || outcome.says(&format!("{code}: ")), "{code}: {outcome}");
    assert!(outcome.says("hint: "), "{outcome}");
    for other in ["SGN-1001", "SGN-2001"] {
        assert!(!outcome.says(other), "{outcome}");
    }
}

#[test]
fn each_refusal_of_a_registry_has_its_code() {
    let sandbox = with_keys();
    let (page, huge) = ("<html>".to_owned(), "HTTP/1.1 200 X\r\nContent-Length: 5000000\r\n\r\n".to_owned());
    let stalled = "HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n".to_owned();
    let other = format!("Docker-Content-Digest: sha256:{}", "0".repeat(64));
    let realm = "WWW-Authenticate: Bearer realm=\"http://tokens.example/\",service=\"s\"";
    let errors = r#"{"errors":[{"code":"NAME_INVALID","message":"no such name"}]}"#;
    let cases = [
        ("SGN-2002", reply(401, &[], "")),
        ("SGN-2003", reply(403, &[], "")),
        ("SGN-2004", reply(404, &[], "")),
        ("SGN-2005", stalled),
        ("SGN-2006", huge),
        ("SGN-2007", reply(200, &[&other], IMAGE)),
        ("SGN-2008", reply(200, &[], &page)),
        ("SGN-2009", reply(429, &["Retry-After: 3600"], "")),
        ("SGN-2010", reply(307, &["Location: http://elsewhere.example/"], "")),
        ("SGN-2015", reply(400, &[], errors)),
        ("SGN-2018", reply(500, &[], "")),
        ("SGN-2019", reply(401, &[realm], "")),
    ];
    for (code, answer) in cases {
        let server = Double::http(move |_| answer.clone());
        let verify = ["verify", "--key", "my.pub", "--timeout", "1s", &server.image()];
        assert_ends(run(&sandbox, &verify), code);
        let sign = ["sign", "--key", "my.key", "--timeout", "1s", &server.image()];
        assert_ends(run(&sandbox, &sign), code);
    }
}

/// An unproven name is neither "not reached" nor "unsigned".
#[test]
fn an_authority_that_is_not_known_is_told_as_such() {
    let sandbox = with_keys();
    let (certificate, config) = proof("registry");
    sandbox.write("known.pem", certificate);
    sandbox.write("other.pem", proof("stranger").0);
    let server = Double::https(config, |_| reply(404, &[], ""));
    let ends = |name: &str, cacert: &str, command: &[&str]| {
        let options = ["--registry-cacert", cacert, &server.image()];
        let outcome = run(&sandbox, &[command, &options].concat()).exits(3);
        assert_snapshot!(name, shown(&outcome).replace(&server.address, "registry"));
    };
    ends("verify-unknown-authority", "other.pem", &["verify", "--key", "my.pub"]);
    ends("sign-unknown-authority", "other.pem", &["sign", "--key", "my.key"]);
    ends("verify-known-authority", "known.pem", &["verify", "--key", "my.pub"]);
}

#[test]
fn a_server_without_tls_is_not_asked_over_plain_http_instead() {
    let sandbox = with_keys();
    sandbox.write("known.pem", proof("registry").0);
    let server = Double::plain_to_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let verify = ["verify", "--key", "my.pub", "--registry-cacert", "known.pem", &server.image()];
    assert_ends(run(&sandbox, &verify), "SGN-2011");
}

#[test]
fn a_helper_that_is_not_there_is_told() {
    let sandbox = with_keys();
    sandbox.write(".docker/config.json", r#"{"credsStore":"nowhere"}"#);
    let server = Double::http(|_| reply(401, &["WWW-Authenticate: Basic"], ""));
    assert_ends(run(&sandbox, &["verify", "--key", "my.pub", &server.image()]), "SGN-2012");
}

/// A file that the caller named, or that is in the caller's home, is the caller's to mend.
#[test]
fn files_that_cannot_be_used_are_no_verdict() {
    let sandbox = with_keys();
    sandbox.write("junk", "junk");
    let server = Double::http(|_| reply(401, &["WWW-Authenticate: Basic"], ""));
    let image = server.image();
    for cacert in ["junk", "nowhere.pem"] {
        for command in [["verify", "--key", "my.pub"], ["sign", "--key", "my.key"]] {
            let options = ["--registry-cacert", cacert, &image];
            let outcome = run(&sandbox, &[&command[..], &options].concat()).exits(2);
            assert!(outcome.says("error[SGN-3002]:"), "{outcome}");
        }
    }
    sandbox.write(".docker/config.json", "junk");
    let outcome = run(&sandbox, &["verify", "--key", "my.pub", &image]).exits(2);
    assert!(outcome.says("error[SGN-3002]:"), "{outcome}");
    for (place, code) in [("oci-archive:junk", "SGN-2016"), ("oci:nowhere:1", "SGN-2004")] {
        assert_ends(run(&sandbox, &["verify", "--key", "my.pub", place]), code);
    }
}

/// What was read from a file is never said to be a registry's answer.
#[test]
fn a_damaged_layout_or_archive_is_named_and_no_registry() {
    let sandbox = with_keys();
    let manifest = r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#;
    let digest = Digest::sha256(manifest.as_bytes());
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{OCI_MANIFEST}","digest":"{digest}","size":{}}}]}}"#,
        manifest.len()
    );
    let blob = format!("blobs/sha256/{}", digest.hex());
    let files =
        [("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#), ("index.json", &index), (&blob, manifest)];
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        sandbox.write(&format!("layout/{name}"), content);
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, name, content.as_bytes()).expect("a tar in memory");
    }
    sandbox.write("archive.tar", archive.into_inner().expect("a tar in memory"));
    let refused = |place: &str, code: &str| {
        let outcome = run(&sandbox, &["verify", "--key", "my.pub", place]);
        assert!(!outcome.says("registry"), "{outcome}");
        assert!(outcome.says(place.split(':').nth(1).expect("a place has a path")), "{outcome}");
        assert_ends(outcome, code);
    };
    for place in ["oci:layout", "oci-archive:archive.tar", "docker-archive:archive.tar"] {
        refused(place, "SGN-2016");
    }
    refused("oci:layout:no-such-tag", "SGN-2004");
    sandbox.write(&format!("layout/{blob}"), "another");
    let outcome = run(&sandbox, &["verify", "--key", "my.pub", "oci:layout"]);
    assert!(!outcome.says("registry sent"), "{outcome}");
    assert_ends(outcome, "SGN-2007");
}

/// A registry without referrers, whose fallback tag is always just being changed, or never may be.
#[test]
fn a_list_of_signatures_that_cannot_be_written_is_told() {
    let sandbox = with_keys();
    for (code, status, words) in [("SGN-2014", 412, "changed"), ("SGN-2017", 409, "tag is immutable")] {
        let refusal = format!(r#"{{"errors":[{{"code":"DENIED","message":"{words}"}}]}}"#);
        let server = Double::http(move |request| answer(request, status, &refusal));
        assert_ends(run(&sandbox, &["sign", "--key", "my.key", &server.image()]), code);
    }
}

fn answer(request: &str, status: u16, refusal: &str) -> String {
    let (method, target) = request.split_once(' ').expect("a method and a target");
    let of_type = |media_type: &str| format!("Content-Type: {media_type}");
    match (method, target.contains("/manifests/sha256-")) {
        ("PUT", true) => reply(status, &[], refusal),
        ("GET", true) => reply(200, &[&of_type(OCI_INDEX), "ETag: \"1\""], INDEX),
        ("GET", _) if target.ends_with("/manifests/v1") => reply(200, &[&of_type(OCI_MANIFEST)], IMAGE),
        ("POST", _) => reply(202, &["Location: /upload"], ""),
        ("PUT", _) => reply(201, &[], ""),
        _ => reply(404, &[], ""),
    }
}

/// A certificate of loopback that this issuer made for itself, as PEM, and a server that shows it.
fn proof(issuer: &str) -> (String, ServerConfig) {
    let key = KeyPair::generate().expect("the system has randomness");
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address is a name");
    params.distinguished_name.push(DnType::CommonName, issuer);
    let certificate = params.self_signed(&key).expect("a key signs");
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .expect("the certificate is of the key");
    (certificate.pem(), config)
}
