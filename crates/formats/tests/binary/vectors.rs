//! Where the test vectors of other projects are, and what is in them.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use signet_crypto::PublicKey;
use signet_formats::x509::Certificate;

/// The folder of vectors; `None`, after a line that says so, if there is none.
pub(crate) fn folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let folder = std::env::var_os("SIGNET_VECTORS").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var_os("SIGNET_REQUIRE_VECTORS").is_some_and(|value| value == "1");
    assert!(!required, "SIGNET_REQUIRE_VECTORS=1, but there is no {}", folder.display());
    println!("skipped: needs vectors");
    None
}

pub(crate) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
        .into_iter()
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.is_file())
        .collect()
}

/// A case of Sigstore's conformance suite: a bundle and the trust root that it is for.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bundle: Value,
    pub(crate) trust: Value,
}

impl Case {
    /// The cases whose bundle is JSON at all.
    pub(crate) fn all(vectors: &Path) -> Vec<Self> {
        let mut cases = Vec::new();
        for path in files(&vectors.join("sigstore/bundle-verify")) {
            if path.file_name().unwrap() != "bundle.sigstore.json" {
                continue;
            }
            let Ok(bundle) = serde_json::from_slice(&read(&path)) else { continue };
            let own = path.with_file_name("trusted_root.json");
            let shared = vectors.join("sigstore/public-good-trusted_root.json");
            let trust = read(if own.exists() { &own } else { &shared });
            let name = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
            cases.push(Self { name, bundle, trust: serde_json::from_slice(&trust).unwrap() });
        }
        cases
    }

    pub(crate) fn named(vectors: &Path, name: &str) -> Self {
        Self::all(vectors).into_iter().find(|case| case.name == name).unwrap()
    }

    /// The bytes that were signed over as a timestamp: the raw signature.
    pub(crate) fn signature(&self) -> Option<Vec<u8>> {
        let direct = &self.bundle["messageSignature"]["signature"];
        let envelope = &self.bundle["dsseEnvelope"]["signatures"][0]["sig"];
        [direct, envelope].into_iter().find_map(bytes)
    }

    /// The timestamp responses.
    pub(crate) fn timestamps(&self) -> Vec<Vec<u8>> {
        let material = &self.bundle["verificationMaterial"]["timestampVerificationData"];
        list(&material["rfc3161Timestamps"])
            .iter()
            .filter_map(|it| unwrapped(&it["signedTimestamp"]))
            .collect()
    }

    /// The certificate that the artifact was signed with.
    pub(crate) fn leaf(&self) -> Option<Certificate> {
        let material = &self.bundle["verificationMaterial"];
        let single = &material["certificate"]["rawBytes"];
        let first = &material["x509CertificateChain"]["certificates"][0]["rawBytes"];
        let der = [single, first].into_iter().find_map(bytes)?;
        Some(Certificate::from_der(&der).unwrap())
    }

    /// The entries of the transparency logs.
    pub(crate) fn log_entries(&self) -> &[Value] {
        list(&self.bundle["verificationMaterial"]["tlogEntries"])
    }

    /// The chains of `certificateAuthorities` or `timestampAuthorities`.
    pub(crate) fn chains(&self, authorities: &str) -> Vec<Vec<Certificate>> {
        let certificate = |it: &Value| Certificate::from_der(&bytes(&it["rawBytes"]).unwrap()).unwrap();
        let chain = |it: &Value| list(&it["certChain"]["certificates"]).iter().map(certificate).collect();
        list(&self.trust[authorities]).iter().map(chain).collect()
    }

    /// The host names and keys of `tlogs` or `ctlogs`, those with a key of PKCS#1 left out.
    pub(crate) fn logs(&self, logs: &str) -> Vec<(String, PublicKey, Vec<u8>)> {
        list(&self.trust[logs])
            .iter()
            .filter_map(|log| {
                let key = PublicKey::from_spki_der(&bytes(&log["publicKey"]["rawBytes"])?).ok()?;
                let name = log["baseUrl"].as_str()?.split_once("://")?.1.to_owned();
                Some((name, key, bytes(&log["logId"]["keyId"])?))
            })
            .collect()
    }
}

/// The bytes of a base64 value, if it is there and well-formed.
pub(crate) fn bytes(value: &Value) -> Option<Vec<u8>> {
    BASE64.decode(value.as_str()?).ok()
}

/// As [`bytes`], of text that may have line breaks: one case has them.
fn unwrapped(value: &Value) -> Option<Vec<u8>> {
    BASE64.decode(value.as_str()?.replace('\n', "")).ok()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
